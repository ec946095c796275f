#!/usr/bin/env python3
"""Every type of mysql.extractor, with the values at its edges: the Arrow type, and the very bytes that the batches hold.
(tests/cli/test_mysql_types.py has them as CSV.)"""

import decimal
import struct

from private import Private

from raw import days_of

from tap import assert_equal, main, test  # noqa: E402

private = Private()

DAY = 86400 * 10 ** 6


def column(definition, format, values, mode="", **config):
    """Each (literal, expected value), NULL too, in one column of the type."""
    values = [*values, ("NULL", None)]
    private.sql(f"SET SESSION sql_mode = '{mode}', time_zone = '+00:00';"
                f"CREATE OR REPLACE TABLE t (n INT PRIMARY KEY, v {definition}) CHARACTER SET utf8mb4;" +
                "".join(f"INSERT INTO t VALUES ({n}, {literal});" for n, (literal, _) in enumerate(values)))
    expression("v FROM t ORDER BY n", format, [value for _, value in values], definition, **config)


def expression(sql, format, expected, what=None, **config):
    """SELECT `sql`, one column."""
    raw = private.raw(query=f"SELECT {sql}", **config)
    got = [row[0] for row in raw.rows()]
    assert_equal(raw.formats(), [format], f"type of {what or sql}")
    assert_equal(got, expected, what or sql)


def same(*values):
    return [(str(value), value) for value in values]


@test
def test_integers(folder):
    for name, bits, signed, unsigned in (("TINYINT", 8, "c", "C"), ("SMALLINT", 16, "s", "S"),
                                         ("MEDIUMINT", 24, "i", "I"), ("INT", 32, "i", "I"),
                                         ("BIGINT", 64, "l", "L")):
        high = 2 ** (bits - 1) - 1
        column(name, signed, same(-high - 1, -1, 0, 1, high))
        column(f"{name} UNSIGNED", unsigned, same(0, 1, high + 1, 2 ** bits - 1))
        column(f"{name} ZEROFILL", unsigned, same(0, 2 ** bits - 1))
    column("BOOLEAN", "c", same(0, 1, -128, 127))
    column("BOOLEAN", "b", [("0", False), ("1", True), ("-1", True)], tinyint1_as_boolean=True)


@test
def test_bits(folder):
    for bits in (1, 7, 8, 9, 31, 33, 63, 64):
        column(f"BIT({bits})", "L", same(0, 1, 2 ** bits - 1))
    column("YEAR", "S", [("0", 0), ("'0000'", 0), ("1901", 1901), ("2155", 2155)])


@test
def test_floats(folder):
    column("DOUBLE", "g", same(0.0, -0.1, 1.7976931348623157e308, -1.7976931348623157e308, 2.2250738585072014e-308,
                               5e-324, 9007199254740993.0, 1 / 3))
    single = [struct.unpack("<f", struct.pack("<f", v))[0] for v in (0.0, 0.1, -3.4028234663852886e38, 1e-45, 16777217.0)]
    column("FLOAT", "f", same(*single))
    column("DOUBLE(10,3)", "g", [("1.2499", 1.25)])


def number(text):
    """A decimal's unscaled integer."""
    return int(text.replace(".", ""))


@test
def test_decimals(folder):
    for precision, scale in ((1, 0), (1, 1), (5, 0), (9, 2), (18, 9), (19, 0), (37, 18), (38, 0), (38, 38), (39, 0),
                             (39, 38), (65, 0), (65, 30), (65, 38)):
        whole = precision - scale
        top = ("9" * whole or "0") + ("." + "9" * scale if scale else "")
        least = "0" + ("." + "0" * (scale - 1) + "1" if scale else "")
        zero = "0" + ("." + "0" * scale if scale else "")
        format = f"d:{precision},{scale}" + (",256" if precision > 38 else "")
        column(f"DECIMAL({precision},{scale})", format,
               [(text, number(text)) for text in (top, "-" + top, least, "-" + least, zero)])
        column(f"DECIMAL({precision},{scale}) UNSIGNED", format, [(top, number(top)), (zero, 0)])
    column("DECIMAL(9,2) ZEROFILL", "d:9,2", [("1.5", 150)])


# 4-byte UTF-8, combining marks, a byte order mark, control characters.
TEXTS = ["", " ", "a", "ž€", "𝄞😀", "e\u0301", "\ufeffx", "\x01\x1f\x7f", "tab\tcr\rlf\n", "\\'\"`", "\0 nul"]


def literal(text):
    return f"_utf8mb4 x'{text.encode().hex()}'"


@test
def test_texts(folder):
    for charset, fits in (("utf8mb4", TEXTS), ("utf8mb4 COLLATE utf8mb4_bin", TEXTS), ("utf16", TEXTS), ("utf32", TEXTS),
                          ("utf16le", TEXTS), ("ucs2", [t for t in TEXTS if max(t, default="") < "\U00010000"]),
                          ("utf8mb3", [t for t in TEXTS if max(t, default="") < "\U00010000"]),
                          ("latin1", ["", "äöüÿ", "€", "\x7f"]), ("latin1 COLLATE latin1_bin", ["ÿ"]),
                          ("cp1251", ["Привет", "№"]), ("latin2", ["žluťoučký"]), ("koi8r", ["Привет"]),
                          ("sjis", ["日本語"]), ("gbk", ["中文"]), ("big5", ["中文"]), ("euckr", ["한국"]), ("ascii", ["~"])):
        for name in ("VARCHAR(100)", "LONGTEXT", "TINYTEXT"):
            column(f"{name} CHARACTER SET {charset}", "u", [(literal(t), t.encode()) for t in fits])
    # CHAR loses the spaces at its end, in the server.
    column("CHAR(10) CHARACTER SET utf16", "u", [("'ab  '", b"ab"), (literal("𝄞"), "𝄞".encode())])


@test
def test_enums_sets_and_json(folder):
    column("ENUM('one', 'ž, two', '')", "u", [("'one'", b"one"), ("2", "ž, two".encode()), ("''", b""), ("'none'", b"")])
    column("ENUM('ä') CHARACTER SET latin1", "u", [("1", "ä".encode())])
    column("SET('a', 'ž', 'c')", "u", [("'c,a'", b"a,c"), ("''", b""), ("7", "a,ž,c".encode())])
    column("JSON", "u", [("'{\"a\": [1, null, \"ž😀\"]}'", '{"a": [1, null, "ž😀"]}'.encode()), ("'null'", b"null")])


@test
def test_binaries(folder):
    whole = bytes(range(256))
    for name in ("VARBINARY(300)", "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB"):
        fits = whole[1:] if name == "TINYBLOB" else whole
        column(name, "z", [("''", b""), ("x'00'", b"\0"), ("x'FFFF'", b"\xff\xff"), (f"x'{fits.hex()}'", fits)])
    column("BINARY(3)", "z", [("x'FF'", b"\xff\0\0"), ("''", b"\0\0\0")])
    column("VARCHAR(3) CHARACTER SET binary", "z", [("x'FF'", b"\xff")])
    # Lengths at the borders of the protocol's length encoding.
    for length in (250, 251, 252, 65535, 65536, 16777215, 16777216):
        expression(f"CAST(REPEAT('x', {length}) AS BINARY)", "z", [b"x" * length], f"{length} bytes")


def moment(year, month, day, hour=0, minute=0, second=0, micros=0):
    return days_of(year, month, day) * DAY + ((hour * 60 + minute) * 60 + second) * 10 ** 6 + micros


@test
def test_dates(folder):
    column("DATE", "tdD", [("'1970-01-01'", 0), ("'1969-12-31'", -1), ("'0001-01-01'", days_of(1, 1, 1)),
                           ("'9999-12-31'", 2932896), ("'2024-02-29'", days_of(2024, 2, 29)),
                           ("'2000-02-29'", days_of(2000, 2, 29)), ("'1900-02-28'", days_of(1900, 2, 28)),
                           ("'0000-01-01'", -719528)])
    column("DATETIME(6)", "tsu:", [("'0001-01-01 00:00:00'", moment(1, 1, 1)), ("'1969-12-31 23:59:59.999999'", -1),
                                   ("'9999-12-31 23:59:59.999999'", moment(9999, 12, 31, 23, 59, 59, 999999)),
                                   ("'2024-02-29 00:00:00.000001'", moment(2024, 2, 29) + 1)])
    for digits in range(7):
        shown = 123456 // 10 ** (6 - digits) * 10 ** (6 - digits)
        column(f"DATETIME({digits})", "tsu:", [("'2024-07-01 12:34:56.123456'", moment(2024, 7, 1, 12, 34, 56, shown))])


@test
def test_dates_that_do_not_exist(folder):
    bad = [(f"'{text}'", None) for text in ("0000-00-00", "2024-02-00", "2024-00-01", "2023-02-29", "2023-02-30",
                                            "1900-02-29", "2024-04-31", "2024-06-31", "2024-09-31", "2024-11-31")]
    good = [(f"'{y}-{m:02}-{d:02}'", days_of(y, m, d)) for y, m, d in
            ((2024, 2, 29), (2024, 1, 31), (2024, 3, 31), (2024, 4, 30), (2024, 12, 31), (2000, 2, 29))]
    column("DATE", "tdD", bad + good, mode="ALLOW_INVALID_DATES")
    column("DATETIME", "tsu:", bad, mode="ALLOW_INVALID_DATES")


@test
def test_timestamps_are_utc_whatever_the_server_thinks(folder):
    # The hour that comes twice in Berlin, and the one that never comes; the first and the last second of the type.
    seconds = [1, 1729987199, 1729987200, 1729990799, 1729990800, 1711846799, 1711846800, 2147483647]
    private.sql("SET GLOBAL time_zone = '+05:30'")
    try:
        column("TIMESTAMP NULL", "tsu:UTC", [(f"FROM_UNIXTIME({s})", s * 10 ** 6) for s in seconds])
        column("TIMESTAMP(6) NULL", "tsu:UTC", [(f"FROM_UNIXTIME({s}.000001)", s * 10 ** 6 + 1) for s in seconds])
        column("TIMESTAMP(3) NULL", "tsu:UTC", [("FROM_UNIXTIME(7.5)", 7500000)])
    finally:
        private.sql("SET GLOBAL time_zone = 'SYSTEM'")


@test
def test_times(folder):
    top = ((838 * 60 + 59) * 60 + 59) * 10 ** 6
    column("TIME(6)", "tDu", [("'00:00:00'", 0), ("'-00:00:00.000001'", -1), ("'838:59:59.000000'", top),
                              ("'-838:59:59.000000'", -top), ("'838:59:58.999999'", top - 1), ("'24:00:00'", DAY),
                              ("'-24:00:00.5'", -DAY - 500000), ("'23:59:59.999999'", DAY - 1)])
    for digits in range(7):
        shown = 123456 // 10 ** (6 - digits) * 10 ** (6 - digits)
        column(f"TIME({digits})", "tDu", [("'100:00:01.123456'", 360001000000 + shown)])


@test
def test_what_is_text_to_the_server(folder):
    column("UUID", "u", [("'123e4567-E89b-12d3-a456-426655440000'", b"123e4567-e89b-12d3-a456-426655440000")])
    column("INET4", "u", [("'0.0.0.0'", b"0.0.0.0"), ("'255.255.255.255'", b"255.255.255.255")])
    column("INET6", "u", [("'::'", b"::"), ("'2001:DB8::1'", b"2001:db8::1"), ("'::ffff:1.2.3.4'", b"::ffff:1.2.3.4")])


@test
def test_geometry_is_well_known_binary(folder):
    point = struct.pack("<BIdd", 1, 1, 1.5, -2.0)
    line = struct.pack("<BIIdddd", 1, 2, 2, 0, 0, 1, 1)
    polygon = struct.pack("<BIII8d", 1, 3, 1, 4, 0, 0, 0, 1, 1, 0, 0, 0)
    column("GEOMETRY", "z", [("ST_GeomFromText('POINT(1.5 -2)')", point), ("ST_GeomFromText('POINT(1.5 -2)', 4326)", point),
                             ("ST_GeomFromText('LINESTRING(0 0, 1 1)')", line),
                             ("ST_GeomFromText('POLYGON((0 0, 0 1, 1 0, 0 0))')", polygon)])
    column("POINT", "z", [("POINT(1.5, -2)", point)])
    expression("ST_AsWKB(POINT(1.5, -2))", "z", [point])


@test
def test_expressions(folder):
    for sql, format, value in (
            ("NULL", "n", None), ("1", "i", 1), ("TRUE", "i", 1), ("9999999999", "l", 9999999999),
            ("18446744073709551615", "L", 2 ** 64 - 1), ("-1.50", "d:3,2", -150), ("1e3", "g", 1000.0),
            ("'ž'", "u", "ž".encode()), ("x'FF'", "z", b"\xff"), ("b'11'", "z", b"\x03"), ("DATE'2024-02-29'", "tdD", 19782),
            ("TIME'-01:00:00'", "tDu", -3600 * 10 ** 6), ("TIMESTAMP'1970-01-02 00:00:00.5'", "tsu:", DAY + 500000),
            ("CAST(1 AS UNSIGNED)", "I", 1), ("CAST('x' AS BINARY)", "z", b"x"), ("CONCAT('a', 1)", "u", b"a1"),
            ("COALESCE(NULL, 'x')", "u", b"x"), ("IF(1, NULL, 1)", "i", None), ("1/3", "d:5,4", 3333),
            ("COUNT(*) FROM seq_1_to_5", "l", 5), ("SUM(seq) FROM seq_1_to_4", None, 10),
            ("AVG(seq) FROM seq_1_to_4", None, 25000), ("MAX(seq) FROM seq_1_to_4", "L", 4),
            ("MIN(seq + 0e0) FROM seq_1_to_4", "g", 1.0), ("GROUP_CONCAT(seq) FROM seq_1_to_3", "u", b"1,2,3"),
            ("BIT_OR(seq) FROM seq_1_to_3", "L", 3), ("SUM(seq) FROM seq_1_to_3 WHERE FALSE", None, None),
            ("CASE WHEN seq > 0 THEN 1.5 ELSE 2 END FROM seq_1_to_1", "d:2,1", 15), ("MD5('x')", "u", b"9dd4e461268c8034f5c8564e155c67a6"),
            ("UNHEX('FF')", "z", b"\xff"), ("JSON_OBJECT('a', 1)", "u", b'{"a": 1}'), ("FROM_UNIXTIME(0)", "tsu:", 0),
            ("MAKETIME(-1, 0, 0)", "tDu", -3600 * 10 ** 6), ("ROUND(2.345, 2)", "d:4,2", 235), ("@nothing", "z", None),
            ("INET6_ATON('::1')", "z", bytes(15) + b"\x01"), ("CAST(9.5 AS DECIMAL(65,30))", "d:65,30,256", 95 * 10 ** 29)):
        raw = private.raw(query=f"SELECT {sql}")
        got = list(raw.rows())
        assert_equal(got, [[value]], sql)
        if format:
            assert_equal(raw.formats(), [format], f"type of {sql}")


@test
def test_user_variables(folder):
    for value, format, expected in (("1.5", None, None), ("7", "l", 7), ("'ž'", "u", "ž".encode()), ("x'FF'", "z", b"\xff")):
        raw = private.raw(query="SELECT @v", init_sql=f"SET @v = {value}")
        got = list(raw.rows())[0][0]
        if format:
            assert_equal((raw.formats(), got), ([format], expected), value)
        else:
            # The scale of such a variable is the server's choice.
            scale = int(raw.formats()[0].split(",")[1])
            assert_equal(decimal.Decimal(got).scaleb(-scale), decimal.Decimal(value), value)


@test
def test_batch_size(folder):
    for batch_size, expected in ((100, [100, 100, 50]), (200, [200, 50]), (None, [250])):
        raw = private.raw(query="SELECT seq FROM seq_1_to_250", **({"batch_size": batch_size} if batch_size else {}))
        assert_equal([row[0] for row in raw.rows()], list(range(1, 251)), "rows")
        assert_equal(raw.batches, expected, f"batches of {batch_size}")


@test
def test_a_batch_ends_at_1_mib(folder):
    raw = private.raw(query="SELECT REPEAT('x', 524288) AS v FROM seq_1_to_5")
    assert_equal(sum(len(row[0]) for row in raw.rows()), 5 << 19, "bytes")
    assert_equal(raw.batches, [2, 2, 1], "batches")


if __name__ == "__main__":
    main(private.start, private.stop)
