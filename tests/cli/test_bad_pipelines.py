"""Bad pipelines: one clear error each, at its place, exit code 2, quickly, and no output."""

import os
import pathlib

from tap import assert_equal, assert_in, main, osiris, pipeline, read, step, test, write

GOOD = """\
oml_version: "0.1.0"
name: good
steps:
  - id: make
    component: test.generate
    mode: read
    config: {rows: 3}
  - id: save
    component: csv.writer
    mode: write
    config: {path: out.csv}
"""


def refused(path, *parts, code=2, command="run", seconds=20):
    result = osiris(command, path)
    assert_equal(result.code, code, "exit code", result)
    for part in parts:
        assert_in(part, result.err, result)
    assert result.seconds < seconds, f"took {result.seconds} s"
    assert not pathlib.Path("out.csv").exists()
    assert "Sanitizer" not in result.err, result
    return result


@test
def test_missing_file(folder):
    refused("nowhere.yaml", "nowhere.yaml", "No such file")


@test
def test_empty_file(folder):
    write("empty.yaml", "")
    refused("empty.yaml", "empty.yaml", "empty")


@test
def test_a_directory(folder):
    os.mkdir("folder.yaml")
    refused("folder.yaml", "folder.yaml", "director")


@test
def test_a_fifo_does_not_block(folder):
    os.mkfifo("pipe.yaml")
    refused("pipe.yaml", "pipe.yaml")


@test
def test_not_yaml(folder):
    write("broken.yaml", 'oml_version: "0.1.0"\nname: [unclosed\nsteps: {}}\n')
    refused("broken.yaml", "broken.yaml:")


@test
def test_binary_file(folder):
    pathlib.Path("binary.yaml").write_bytes(bytes(range(256)) * 16)
    refused("binary.yaml", "binary.yaml")


@test
def test_a_hundred_megabytes(folder):
    with open("huge.yaml", "w") as file:
        for _ in range(100):
            file.write("# " + "x" * (1 << 20) + "\n")
    refused("huge.yaml", "huge.yaml", "MiB", seconds=5)


@test
def test_nested_too_deeply(folder):
    write("deep.yaml", "steps: " + "[" * 100000)
    refused("deep.yaml", "deep.yaml", "nest")


@test
def test_alias_bomb(folder):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 30):
        lines.append(f"a{level}: &a{level} [" + ", ".join([f"*a{level - 1}"] * 10) + "]")
    write("bomb.yaml", "\n".join(lines) + "\n")
    refused("bomb.yaml", "bomb.yaml")


@test
def test_unknown_keys_show_line_and_caret(folder):
    write("typo.yaml", GOOD.replace("    config: {rows: 3}", "    confg: {rows: 3}"))
    result = refused("typo.yaml", "typo.yaml:7:5:", "confg", "^")
    assert_in("    confg: {rows: 3}", result.err, result)


@test
def test_unknown_config_key_suggests(folder):
    write("typo.yaml", GOOD.replace("path: out.csv", "path: out.csv, delimter: ';'"))
    refused("typo.yaml", "typo.yaml:11:", "delimter", "delimiter")


@test
def test_duplicate_ids(folder):
    write("twice.yaml", GOOD.replace("id: save", "id: make"))
    refused("twice.yaml", "twice.yaml:8:", "make", "duplicate_id")


@test
def test_cycle(folder):
    pipeline(step("a", "test.pass", "transform", needs=["b"]),
             step("b", "test.pass", "transform", needs=["a"]),
             step("save", "csv.writer", "write", needs=["b"], path="out.csv"), path="cycle.yaml")
    refused("cycle.yaml", "cycle.yaml:", "cycle", "a", "b")


@test
def test_unknown_component_lists_near_misses(folder):
    write("near.yaml", GOOD.replace("csv.writer", "csv.writter"))
    refused("near.yaml", "near.yaml:9:", "csv.writter", "csv.writer")


@test
def test_all_errors_are_reported_together(folder):
    write("many.yaml", GOOD.replace("mode: read", "mode: reed").replace("csv.writer", "csv.wrter")
          .replace("name: good", "name: good\ntasks: []"))
    refused("many.yaml", "many.yaml:3:", "tasks", "reed", "csv.wrter")


@test
def test_structure_hides_neither_configs_nor_connections(folder):
    write("osiris_connections.yaml", "connections:\n  asked:\n    shop: {how: 5}\n    dark: {token: '${NOWHERE_SET}'}\n")
    write("all.yaml", """\
oml_version: "0.1.0"
name: all
tasks: []
steps:
  - {id: make, component: test.generate, mode: read, timeout: soon, config: {rows: none}}
  - {id: make, component: csv.wrter, mode: write, needs: [mak]}
  - {id: shop, component: asked.extractor, mode: read, confg: {}, config: {connection: "@asked.shop", what: 7}}
  - {id: dark, component: asked.extractor, mode: read, config: {connection: "@asked.dark", othr: x, what: "${params.z}"}}
  - {id: none, component: asked.extractor, mode: read, config: {connection: "@asked.none", what: 7}}
  - {id: loop, component: csv.writer, mode: write, needs: [loop], run_on: nowhere, config: {pth: x, delimiter: ",,"}}
""")
    result = osiris("validate", "all.yaml", "--json")
    assert_equal(result.code, 2, "exit code", result)
    assert_equal([(d["file"], d.get("line"), d["type"]) for d in result.json()["diagnostics"]],
                 [("all.yaml", 3, "forbidden_key"),
                  ("all.yaml", 5, "invalid_timeout"), ("all.yaml", 5, "invalid_config_value"),
                  ("all.yaml", 6, "duplicate_id"), ("all.yaml", 6, "unknown_component"),
                  ("all.yaml", 6, "unknown_dependency"),
                  ("all.yaml", 7, "unknown_step_key"), ("all.yaml", 7, "invalid_config_value"),
                  ("all.yaml", 8, "unknown_config_key"), ("all.yaml", 8, "unresolved_parameter"),
                  ("all.yaml", 9, "invalid_connection_ref"), ("all.yaml", 9, "invalid_config_value"),
                  ("all.yaml", 10, "cycle"), ("all.yaml", 10, "unknown_place"),
                  ("all.yaml", 10, "unknown_config_key"), ("all.yaml", 10, "invalid_config_value"),
                  ("osiris_connections.yaml", 3, "invalid_connection"),
                  ("osiris_connections.yaml", 4, "unset_variable")], "diagnostics", result)


@test
def test_structure_of_connections(folder):
    """A mistake is shown where it stands, whoever reads the file."""
    write("asked.yaml", 'oml_version: "0.1.0"\nname: p\nsteps:\n- {id: a, component: asked.extractor, mode: read, '
          'config: {connection: "@asked.it", what: x}}\n')
    for text, place, words in (("connections:\n  asked: [1]\n", "2:10", 'the family "asked" must be a mapping'),
                               ("connections: 5\n", "1:14", '"connections" must be a mapping'),
                               ("connections:\n  other:\n    shop: 7\n", "3:11", '"@other.shop" must be a mapping'),
                               ("version: 1\n", "1:1", 'the key "connections" is missing'),
                               ("- 1\n", "1:1", "the file must be a mapping")):
        write("osiris_connections.yaml", text)
        for command, code in ((("validate", "asked.yaml"), 2), (("connections", "list"), 1), (("connections", "doctor"), 1)):
            result = osiris(*command)
            assert_equal(result.code, code, f"exit code of {command} with {text}", result)
            assert_in(f"osiris_connections.yaml:{place}: ", result.err, result)
            assert_in(words, result.err, result)
            assert "no connection" not in result.err, result
            assert_equal(result.out, "", "standard output", result)
    write("osiris_connections.yaml", "connections:\n")
    assert_equal(osiris("connections", "list").code, 0, "exit code of a file with no connection yet")


@test
def test_a_wrong_type_in_a_connection(folder):
    """Where the field stands, once for all steps that use it; never its line, beside which a secret may stand."""
    write("osiris_connections.yaml", "connections:\n  asked:\n    it: {token: hunter22,\n      how: 5}\n")
    write("asked.yaml", 'oml_version: "0.1.0"\nname: p\nsteps:\n' + "".join(
        f'- {{id: {name}, component: asked.extractor, mode: read, config: {{connection: "@asked.it", what: x}}}}\n' for name in "ab"))
    result = osiris("validate", "asked.yaml")
    assert_equal(result.code, 2, "exit code", result)
    assert_equal(result.err.count('osiris_connections.yaml:4:12: error: the connection "@asked.it": "how" must be of type string'), 1,
                 "times it is said", result)
    assert "how: 5" not in result.err and "hunter22" not in result.err, result


@test
def test_fields_of_connections(folder):
    """A variable alone is what its field takes; fields that nobody knows are ignored, but not in silence."""
    write("osiris_connections.yaml", "connections:\n  asked:\n    it:\n      how: ${HOW}\n      hwo: x\n      token: '${T}'\n")
    write("asked.yaml", 'oml_version: "0.1.0"\nname: p\nsteps:\n- {id: a, component: asked.extractor, mode: read, '
          'config: {connection: "@asked.it", what: x}}\n')
    result = osiris("validate", "asked.yaml", "--json", env={"HOW": "2024", "T": "t"})
    assert_equal(result.code, 0, "exit code", result)
    warning = next(d for d in result.json()["diagnostics"] if d["type"] == "unknown_connection_field")
    assert_equal((warning["file"], warning["line"], warning["hint"]),
                 ("osiris_connections.yaml", 5, 'did you mean "how"?'), "warning", result)


@test
def test_many_errors_are_bounded(folder):
    write("many.yaml", GOOD + "".join(
        f"  - {{id: s{i}, component: csv.writer, mode: write, needs: [make], config: {{path: o{i}, delimiter: ',,'}}}}\n"
        for i in range(150)))
    result = refused("many.yaml", "many.yaml:12:", "… and 50 more")
    assert_equal(result.err.count(": error:"), 100, "errors", result)


@test
def test_errors_found_by_drivers_have_a_line(folder):
    for options, at, text in (("{path: x, delimiter: '\"'}", "delimiter", "quote and delimiter are the same character"),
                              ("{path: x, quote: ','}", "quote", "quote and delimiter are the same character"),
                              ("{path: x, date_format: '%Q'}", "date_format", '"%Q"'),
                              ("{path: x, columns: [id, id]}", "id]", 'must not appear twice, is "id"'),
                              ("{path: x, rows_per_file: 5, append: true}", "append", "cannot be combined with"),
                              ("{path: x, encoding: ascii, null_text: '–'}", "null_text", "this encoding"),
                              ("{path: x, mode: '000'}", "mode", '"000" would make the file unreadable for everybody'),
                              ("{path: '${nothing}'}", "path", "${nothing} is unknown")):
        line = "    config: " + options
        write("csv.yaml", GOOD.replace("    config: {path: out.csv}", line))
        result = refused("csv.yaml", f"csv.yaml:11:{line.index(at) + 1}: error: ", text, command="validate")
        assert_equal(result.err.count("error:"), 1, "errors", result)
        assert_in("\n    " + " " * line.index(at) + "^\n", result.err, result)


def two_writers(first, second):
    write("two.yaml", GOOD.replace("{path: out.csv}", first) +
          f"  - {{id: again, component: filesystem.csv_writer, mode: write, needs: [make], config: {second}}}\n")


@test
def test_two_steps_with_one_file_name_both_places(folder):
    for first, second in (("{path: out.csv}", "{path: out.csv}"),
                          ("{path: out.csv, append: true}", "{append: true, path: out.csv}"),
                          ("{path: 'out.csv', rows_per_file: 3}", "{path: out.csv, rows_per_file: 5}"),
                          ("{path: out.csv, delimiter: ','}", "{path: '${params.file}'}")):
        two_writers(first, second)
        text = read("two.yaml").replace("steps:", "params: {file: out.csv}\nsteps:", 1)
        write("two.yaml", text)
        at = {number: [m + 1 for m in range(len(line)) if line.startswith("path: ", m)]
              for number, line in enumerate(text.splitlines(), 1) if "path: " in line}
        (line, (column,)), (last, (end,)) = at.items()
        for command in ("validate", "compile"):
            refused("two.yaml", f"two.yaml:{last}:{end}: error: ",
                    f'"out.csv" is also written by the step "save", at two.yaml:{line}:{column}', command=command)
    write("two.yaml", text + "  - {id: third, component: csv.writer, mode: write, needs: [make], config: {path: out.csv}}\n")
    result = refused("two.yaml", command="validate")
    assert_equal(result.err.count("error:"), 2, "errors", result)


@test
def test_what_may_be_two_files_is_none_for_the_compiler(folder):
    for first, second in (("{path: out.csv}", "{path: out.csv, rows_per_file: 2}"),
                          ("{path: '${step_id}.csv'}", "{path: '${step_id}.csv'}"),
                          ("{path: /dev/null}", "{path: /dev/null}")):
        two_writers(first, second)
        result = osiris("run", "two.yaml")
        assert_equal(result.code, 0, "exit code", result)


@test
def test_errors_of_a_run_have_a_line(folder):
    write("csv.yaml", GOOD.replace("{path: out.csv}", "{path: out.csv, columns: [nope]}"))
    refused("csv.yaml", 'step "save" (csv.writer) at csv.yaml:11:29: columns: the input has no column "nope"', code=1)
    result = osiris("run", "csv.yaml", "--json")
    assert_equal(result.json()["error"]["option"], "columns", "option", result)


@test
def test_no_later_check_shows_what_an_earlier_one_hides(folder):
    write("secret.yaml", GOOD.replace("{rows: 3}", "{rows: none, nested: {password: hunter2-hunter2}}"))
    write("param.yaml", GOOD.replace("steps:", "params: {password: hunter2-hunter2}\nsteps:")
          .replace("{path: out.csv}", "{path: out.csv, delimiter: '${params.password}'}"))
    for path in ("secret.yaml", "param.yaml"):
        result = refused(path, "inline_secret")
        assert "hunter2" not in result.err + result.out, result


@test
def test_inline_secret_is_refused_and_not_shown(folder):
    write("secret.yaml", GOOD.replace("{rows: 3}", "{rows: 3, password: hunter2-hunter2}"))
    result = refused("secret.yaml", "secret.yaml:7:", "password")
    assert "hunter2" not in result.err + result.out, result


@test
def test_unresolved_parameter(folder):
    write("param.yaml", GOOD.replace("out.csv", "${params.where}"))
    refused("param.yaml", "param.yaml:11:", "where")


@test
def test_validate_says_the_same(folder):
    write("twice.yaml", GOOD.replace("id: save", "id: make"))
    refused("twice.yaml", "duplicate_id", command="validate")
    write("good.yaml", GOOD)
    assert_equal(osiris("validate", "good.yaml").code, 0, "exit code of a good pipeline")


@test
def test_json_has_the_diagnostics(folder):
    write("twice.yaml", GOOD.replace("id: save", "id: make"))
    result = osiris("run", "twice.yaml", "--json")
    assert_equal(result.code, 2, "exit code", result)
    answer = result.json()
    assert_equal([d["type"] for d in answer["diagnostics"] if d["severity"] == "error"],
                 ["duplicate_id"], "types", result)
    assert_equal(answer["diagnostics"][0]["line"], 8, "line", result)


@test
def test_integers_beyond_64_bits_with_a_sign(folder):
    """json-c has those up to 2^64 - 1, and makes 2^63 - 1 of them; also in parameters and variables."""
    wrong = ("9223372036854775808", "18446744073709551615", "0xFFFFFFFFFFFFFFFF")
    text = """oml_version: "0.1.0"
name: numbers
params: {n: 3}
steps:
  - id: make
    component: test.generate
    mode: read
    config: {rows: %s}
  - id: save
    component: csv.writer
    mode: write
    config: {path: x.csv, rows_per_file: "${params.n}"}
"""
    for rows in wrong:
        write("numbers.yaml", text % rows)
        for extra in ("--param", f"n={rows}"), ():
            result = osiris("validate", "numbers.yaml", *extra, env={} if extra else {"OSIRIS_PARAM_N": rows})
            assert_equal(result.code, 2, "exit code", result)
            assert_in('numbers.yaml:8:14: error: "rows" must be of type integer, is a number above 9223372036854775807:', result.err, result)
            assert_in('numbers.yaml:12:27: error: "rows_per_file" must be of type integer, is a number above', result.err, result)
    for rows in "9223372036854775807", "2.0", "2e0":
        write("numbers.yaml", text % rows)
        assert_equal(osiris("validate", "numbers.yaml").code, 0, f"exit code of {rows}")


@test
def test_usage_errors(folder):
    for arguments in ([], ["run"], ["rnu", "x"], ["run", "--no-such-option", "x.yaml"],
                      ["run", "--param"], ["run", "a.yaml", "b.yaml"]):
        result = osiris(*arguments)
        assert_equal(result.code, 2, f"exit code of {arguments}", result)
        assert result.err.strip(), "says nothing"


@test
def test_help_is_everywhere(folder):
    for arguments in (["--help"], ["run", "--help"], ["validate", "--help"], ["compile", "--help"],
                      ["components", "--help"], ["components", "list", "--help"],
                      ["components", "show", "--help"]):
        result = osiris(*arguments)
        assert_equal(result.code, 0, f"exit code of {arguments}", result)
        assert_in("osiris", result.out.lower(), result)
    assert_in("0.", osiris("--version").out)


if __name__ == "__main__":
    main()
