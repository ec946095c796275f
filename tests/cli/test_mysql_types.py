"""Every type of mysql.extractor with its edge values, read back from the CSV; and its options and faults."""

import csv
import pathlib
import subprocess
import tempfile

from tap import SOURCE, assert_equal, assert_in, main, osiris, pipeline, read, run_directory, step, test, write

import test_orders
from test_orders import connections, server, sql

EMPTY = object()  # NULL: an empty field without quotes; csv.reader gives "" for it


def setup():
    test_orders.base = tempfile.mkdtemp(prefix="osm.")
    subprocess.run([test_orders.SCRIPT, "start", test_orders.base], check=True,
                   stdout=subprocess.DEVNULL)
    for line in read(pathlib.Path(test_orders.base, "mariadb.env")).splitlines():
        name, _, value = line.partition("=")
        server[name] = value


def export(code=0, **config):
    connections()
    pipeline(step("extract", "mysql.extractor", "read", connection="@mysql.shop", **config),
             step("save", "csv.writer", "write", path="out.csv", columns="source"))
    result = osiris("run", "pipeline.yaml", env=server)
    assert_equal(result.code, code, "exit code", result)
    return result


def rows():
    with open("out.csv", newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def check_column(definition, values, mode=""):
    """Each (literal, expected text), in one column of the type."""
    sql("SET SESSION sql_mode = ''; CREATE OR REPLACE TABLE t (n INT PRIMARY KEY, v " + definition + ");" +
        "".join(f"INSERT INTO t VALUES ({n}, {literal});" for n, (literal, _) in enumerate(values)))
    export(query="SELECT n, v FROM t ORDER BY n")
    got = [row[1] for row in rows()[1:]]
    assert_equal(got, [expected for _, expected in values], definition)


@test
def test_integers(folder):
    for name, bits in (("TINYINT", 8), ("SMALLINT", 16), ("MEDIUMINT", 24), ("INT", 32), ("BIGINT", 64)):
        low, high = -2 ** (bits - 1), 2 ** (bits - 1) - 1
        check_column(name, [(str(v), str(v)) for v in (low, -1, 0, 1, high)] + [("NULL", "")])
        top = 2 ** bits - 1
        check_column(name + " UNSIGNED", [(str(v), str(v)) for v in (0, high + 1, top)] + [("NULL", "")])
    check_column("YEAR", [("1901", "1901"), ("2155", "2155"), ("NULL", "")])
    check_column("BIT(64)", [("b'1'", "1"), ("18446744073709551615", str(2 ** 64 - 1)), ("NULL", "")])
    check_column("BIT(1)", [("b'1'", "1"), ("b'0'", "0")])


@test
def test_decimals(folder):
    check_column("DECIMAL(10,2)", [("0", "0.00"), ("-0.01", "-0.01"), ("99999999.99", "99999999.99"),
                                   ("-99999999.99", "-99999999.99"), ("NULL", "")])
    check_column("DECIMAL(38,0)", [("9" * 38, "9" * 38), ("-" + "9" * 38, "-" + "9" * 38)])
    check_column("DECIMAL(38,20)", [("1.5", "1.50000000000000000000"),
                                    ("9" * 18 + "." + "9" * 20, "9" * 18 + "." + "9" * 20)])
    check_column("DECIMAL(65,30)", [("9" * 35 + "." + "9" * 30, "9" * 35 + "." + "9" * 30),
                                    ("-1", "-1." + "0" * 30), ("NULL", "")])
    check_column("DECIMAL(5,0) UNSIGNED", [("99999", "99999"), ("0", "0")])


@test
def test_floats(folder):
    check_column("DOUBLE", [("0.1", "0.1"), ("1", "1.0"), ("-2.5", "-2.5"),
                            ("1.7976931348623157e308", "1.7976931348623157e+308"),
                            ("4.9e-324", "5e-324"), ("NULL", "")])
    check_column("FLOAT", [("0.1", "0.1"), ("16777216", "16777216.0"), ("NULL", "")])


@test
def test_texts(folder):
    hostile = ["", " ", "a,b", 'say "x"', "line\nline", "cr\rlf\r\n", "ž€𝄞", "NULL", "\\N", "'"]
    values = [("0x" + text.encode().hex() if text else "''", text) for text in hostile]
    for name in ("VARCHAR(100)", "TEXT", "LONGTEXT", "VARCHAR(100) CHARACTER SET ucs2"):
        if "ucs2" in name:
            check_column(name, [(f"CONVERT({literal} USING utf8mb4)", text)
                                for literal, text in values if "𝄞" not in text])
        else:
            check_column(name + " CHARACTER SET utf8mb4", values)
    check_column("VARCHAR(20) CHARACTER SET latin1", [("0xE4F6FC", "äöü")])
    check_column("ENUM('one', 'two, three')", [("'two, three'", "two, three"), ("NULL", "")])
    check_column("SET('a', 'b')", [("'a,b'", "a,b"), ("''", "")])
    check_column("JSON", [("'{\"a\": [1, \"ž\"]}'", '{"a": [1, "ž"]}')])
    check_column("CHAR(5)", [("'ab'", "ab")])


@test
def test_binaries(folder):
    check_column("VARBINARY(10)", [("0x00FF0A", "00ff0a"), ("''", ""), ("NULL", "")])
    check_column("BLOB", [("0x" + bytes(range(256)).hex(), bytes(range(256)).hex())])
    check_column("BINARY(3)", [("0x01", "010000")])


@test
def test_dates(folder):
    check_column("DATE", [("'1970-01-01'", "1970-01-01"), ("'1000-01-01'", "1000-01-01"),
                          ("'9999-12-31'", "9999-12-31"), ("'2024-02-29'", "2024-02-29"),
                          ("'1900-02-28'", "1900-02-28"), ("NULL", "")])
    check_column("DATETIME(6)", [("'2024-02-29 23:59:59.999999'", "2024-02-29 23:59:59.999999"),
                                 ("'1000-01-01 00:00:00'", "1000-01-01 00:00:00"),
                                 ("'9999-12-31 23:59:59.999999'", "9999-12-31 23:59:59.999999"),
                                 ("'1969-12-31 23:59:59.5'", "1969-12-31 23:59:59.500000"),
                                 ("'2024-01-01'", "2024-01-01 00:00:00"), ("NULL", "")])
    check_column("DATETIME", [("'2024-01-01 12:34:56'", "2024-01-01 12:34:56")])
    sql("SET GLOBAL time_zone = '+05:00'")
    try:
        check_column("TIMESTAMP NULL", [("FROM_UNIXTIME(1)", "1970-01-01 00:00:01+00:00"),
                                        ("FROM_UNIXTIME(1700000000)", "2023-11-14 22:13:20+00:00"),
                                        ("NULL", "")])
    finally:
        sql("SET GLOBAL time_zone = 'SYSTEM'")


@test
def test_times(folder):
    check_column("TIME(6)", [("'00:00:00'", "00:00:00"), ("'838:59:59'", "838:59:59"),
                             ("'-838:59:59'", "-838:59:59"), ("'23:59:59.000001'", "23:59:59.000001"),
                             ("'-00:00:01.5'", "-00:00:01.500000"), ("NULL", "")])


@test
def test_dates_that_do_not_exist_are_null_and_counted(folder):
    check_column("DATETIME", [("'0000-00-00'", ""), ("'2024-02-00'", ""), ("'2024-01-01'", "2024-01-01 00:00:00")])
    assert_in("2 dates do not exist", read(run_directory() / "osiris.log"))


@test
def test_zero_dates_as_errors(folder):
    sql("SET SESSION sql_mode = ''; CREATE OR REPLACE TABLE zeros (n INT PRIMARY KEY, d DATE, t TIMESTAMP NULL, x DATETIME);"
        "INSERT INTO zeros SELECT seq, '2024-02-03', '2024-02-03', NULL FROM seq_1_to_250;"
        "INSERT INTO zeros VALUES (251, NULL, '2024-01-01', '2024-02-00'), (252, '0000-00-00', NULL, NULL)")
    error = export(code=1, table="zeros", zero_dates="error", order_by="n", batch_size=100).err
    assert_in('row 251, column "x": the date 2024-02-00 does not exist', error)
    assert_in('"t": the date 0000-00-00', export(code=1, query="SELECT TIMESTAMP'0000-00-00 00:00:00' AS t",
                                                 zero_dates="error").err)
    # Nothing was made NULL, so nothing says so.
    assert "NULL in the output" not in export(code=1, table="zeros", zero_dates="error", order_by="n").err
    export(table="zeros", zero_dates="error", where="n <= 250")
    assert_in("zero_dates", export(code=2, query="SELECT 1", zero_dates="keep").err)


@test
def test_tinyint1_as_boolean(folder):
    sql("CREATE OR REPLACE TABLE flags (n INT PRIMARY KEY, b BOOLEAN, i TINYINT, u TINYINT(1) UNSIGNED, z TINYINT(1) ZEROFILL);"
        "INSERT INTO flags VALUES (1, 0, 0, 0, 0), (2, 1, 1, 1, 1), (3, NULL, NULL, NULL, NULL), (4, -5, -5, 5, 5)")
    export(table="flags", order_by="n", columns=["b", "i", "u", "z"], tinyint1_as_boolean=True)
    got = [[row[0].lower(), *row[1:]] for row in rows()[1:]]
    assert_equal(got, [["false", "0", "0", "0"], ["true", "1", "1", "1"], ["", "", "", ""],
                       ["true", "-5", "5", "5"]], "rows")
    export(table="flags", order_by="n", columns=["b"])
    assert_equal(rows()[1:], [["0"], ["1"], [""], ["-5"]], "rows")


@test
def test_a_literal_null_and_expressions(folder):
    export(query="SELECT NULL AS nothing, 1 + 1 AS two, 'x' AS text, COUNT(*) AS many FROM (SELECT 1) AS t")
    assert_equal(rows(), [["nothing", "two", "text", "many"], ["", "2", "x", "1"]], "rows")


@test
def test_many_batches_keep_order_and_nulls(folder):
    export(query="SELECT seq, IF(seq % 3, seq, NULL) AS v FROM seq_1_to_25001", batch_size=100)
    got = rows()[1:]
    assert_equal(len(got), 25001, "rows")
    for number, row in enumerate(got, 1):
        assert_equal(row, [str(number), str(number) if number % 3 else ""], "row")


@test
def test_a_wide_row(folder):
    sql("SET GLOBAL max_allowed_packet = 67108864")
    export(query="SELECT 1 AS n, REPEAT('x', 16777216) AS v")
    assert_equal(len(rows_raw()), len('n,v\n1,') + 16777216 + 1, "bytes")


def rows_raw():
    return pathlib.Path("out.csv").read_bytes()


@test
def test_identifiers_are_quoted(folder):
    sql("CREATE OR REPLACE TABLE `we``ird, name` (`a b` INT, `sel``ect` INT); INSERT INTO `we``ird, name` VALUES (1, 2)")
    export(table="we`ird, name", columns=["sel`ect", "a b"])
    assert_equal(rows(), [["sel`ect", "a b"], ["2", "1"]], "rows")


@test
def test_schema_limit_and_offset(folder):
    sql("CREATE DATABASE IF NOT EXISTS other; CREATE OR REPLACE TABLE other.t2 AS SELECT seq FROM seq_1_to_10")
    export(table="t2", schema="other", limit=3, offset=4)
    assert_equal([row[0] for row in rows()[1:]], ["5", "6", "7"], "rows")
    export(table="t2", schema="other", offset=8)
    assert_equal([row[0] for row in rows()[1:]], ["9", "10"], "rows")


@test
def test_where_and_order_by(folder):
    sql("CREATE OR REPLACE TABLE picked AS SELECT seq AS n, seq % 3 AS `a``b` FROM seq_1_to_10")
    # Neither a comment at the end nor an OR gets out of its place.
    export(table="picked", where="n > 8 OR `a``b` = 0 -- or so", order_by="`a``b` DESC, n DESC -- as told", limit=4)
    assert_equal([row[0] for row in rows()[1:]], ["10", "9", "6", "3"], "rows")
    export(table="picked", where="n = 7")
    assert_equal(rows()[1:], [["7", "1"]], "rows")
    export(table="picked", columns=["n"], order_by="n DESC", limit=2, offset=1)
    assert_equal(rows()[1:], [["9"], ["8"]], "rows")
    for option in ("where", "order_by"):
        assert_in(f'"{option}" requires "table"', export(code=2, query="SELECT 1", **{option: "n"}).err)


@test
def test_options_that_contradict(folder):
    for config in ({}, {"table": "t", "query": "SELECT 1"}):
        assert_in("query", export(code=2, **config).err)
    assert_in('requires "table"', export(code=2, query="SELECT 1", limit=5).err)
    assert_in("batch_size", export(code=2, query="SELECT 1", batch_size=5).err)


@test
def test_echo_logs_the_sql(folder):
    export(query="SELECT 12345 AS n", echo=True)
    assert_in("SELECT 12345 AS n", read(run_directory() / "osiris.log"))


@test
def test_a_statement_without_rows(folder):
    assert_in("no result", export(code=1, query="SET @a = 1").err)


@test
def test_by_socket(folder):
    connections(socket=server["MYSQL_SOCKET"], port="1")
    pipeline(step("extract", "mysql.extractor", "read", connection="@mysql.shop", query="SELECT 1 AS one"),
             step("save", "csv.writer", "write", path="out.csv"))
    result = osiris("run", "pipeline.yaml", env=server)
    assert_equal(result.code, 0, "exit code", result)


@test
def test_forbidden_override(folder):
    connections()
    pipeline(step("extract", "mysql.extractor", "read", connection="@mysql.shop", query="SELECT 1",
                  database="mysql"),
             step("save", "csv.writer", "write", path="out.csv"))
    result = osiris("run", "pipeline.yaml", env=server)
    assert_equal(result.code, 2, "exit code", result)
    assert_in("forbidden_override", result.err, result)


if __name__ == "__main__":
    main(setup, test_orders.teardown)
