"""What a run leaves behind: its directory, records, build, and the answers of the command."""

import hashlib
import json
import os
import pathlib
import re

from tap import (SOURCE, assert_equal, assert_in, events, files, main, metrics, osiris, pipeline, read, run_directory,
                 step, test, write)


def export(**generate):
    pipeline(step("make", "test.generate", "read", rows=100, **generate),
             step("save", "csv.writer", "write", path="output/out.csv"))


@test
def test_layout_of_the_original(folder):
    export()
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    directory = run_directory()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ_[0-9A-HJKMNP-TV-Z]{26}-[0-9a-f]{7}",
                        directory.name), directory.name
    for name in ("events.jsonl", "metrics.jsonl", "osiris.log", "debug.log", "status.json"):
        assert (directory / name).is_file(), name
    assert (directory / "artifacts" / "make" / "cleaned_config.json").is_file()
    line = json.loads(read(".osiris/index/runs.jsonl"))
    for key in ("run_id", "pipeline_slug", "manifest_hash", "manifest_short", "run_ts", "status",
                "duration_ms", "run_logs_path", "build_manifest_path"):
        assert key in line, key
    assert_equal(line["status"], "success", "status")
    assert pathlib.Path(line["build_manifest_path"]).exists(), line
    assert pathlib.Path(line["run_logs_path"]).exists(), line


@test
def test_events_and_metrics(folder):
    export()
    osiris("run", "pipeline.yaml")
    directory = run_directory()
    names = [event["event"] for event in events(directory)]
    expected = ["run_start", "compile_start", "compile_complete", "adapter_prepare_start",
                "adapter_execute_start", "worker_started", "step_start", "step_complete",
                "adapter_execute_complete", "adapter_collect_complete", "run_complete"]
    positions = [names.index(name) for name in expected]
    assert_equal(positions, sorted(positions), f"order of {expected} in {names}")
    for event in events(directory):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", event["ts"]), event
        assert event["session"], event
    assert_equal({m["tags"]["step"]: m["value"] for m in metrics(directory, "rows_read")},
                 {"make": 100}, "rows_read")
    assert_equal({m["tags"]["step"]: m["value"] for m in metrics(directory, "rows_written")},
                 {"save": 100}, "rows_written")
    assert_equal(metrics(directory, "steps_completed")[0]["value"], 2, "steps_completed")


BEFORE_STEPS = """
    run_start file_type params pipeline profile
    compile_start pipeline
    connection_resolve_start alias family step_id
    connection_resolve_complete alias family ok step_id
    compile_complete duration manifest_hash pipeline
    adapter_selected adapter
    cfg_opened keys path sha256 step_id
    artifacts_dir_created path step_id
    config_meta_stripped config_meta_stripped keys_removed step_id
    artifact_created artifact_type path step_id
    inputs_resolved from_memory from_step key step_id
    cfg_opened keys path sha256 step_id
    artifacts_dir_created path step_id
    artifact_created artifact_type path step_id
    adapter_prepare_start adapter
    adapter_prepare_complete adapter
    adapter_execute_start adapter
    worker_started pid place version
    dependency_check missing place present
    driver_registered driver status version
    driver_registered driver status version
    drivers_registered drivers place
    session_initialized drivers_loaded place session_id
    step_start attempt driver step_id
    step_start attempt driver step_id
"""
SUCCESS = BEFORE_STEPS + """
    step_complete driver duration_ms rows_processed step_id
    step_complete driver duration_ms rows_processed step_id
    artifact_created artifact_type bytes path step_id
    cleanup_start
    cleanup_complete steps_executed total_rows
    adapter_execute_complete adapter success
    adapter_collect_start adapter
    adapter_collect_complete adapter
    run_complete total_duration
"""
FAILURE = BEFORE_STEPS + """
    step_failed detail driver error error_type step_id
    step_failed detail driver error error_type step_id
    cleanup_start
    cleanup_complete steps_executed total_rows
    adapter_execute_complete adapter success
    adapter_execution_error adapter error error_type
    adapter_collect_start adapter
    adapter_collect_complete adapter
    run_error detail duration error phase
"""


def lines_of(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


@test
def test_the_documentation_names_all_events_and_no_others(folder):
    names = read(SOURCE / "orchestrator" / "records" / "own-names.h")
    events_of_osiris = set(re.findall(r'X\([A-Z_]+, "([a-z_]+)"\)', names[names.index("OWN_EVENTS"):names.index("OWN_METRICS")]))
    document = read(SOURCE / "docs" / "records.md")
    section = document[document.index("## events.jsonl"):document.index("## osiris.log")]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    named = {name.strip() for row in rows[2:] for name in re.split("[,;]", row)} | {"link_lost", "link_resumed", "close_failed"}
    assert_equal(sorted(named), sorted(events_of_osiris), "events")
    assert all(name in section for name in named), section


@test
def test_all_events_and_their_fields(folder):
    """docs/records.md has them, too."""
    write("osiris_connections.yaml", "connections:\n  test:\n    main: {password: '${TEST_PASSWORD}', default: true}\n")
    table = read(SOURCE / "docs" / "records.md")
    for directory, expected, more in (("success", SUCCESS, {}), ("failure", FAILURE, {"fail_after": 50})):
        export(batch_rows=10, connection="@test.main", **more)
        osiris("run", "pipeline.yaml", "--out", directory, env={"TEST_PASSWORD": "correct-horse"})
        found = events(pathlib.Path(directory))
        shown = [" ".join([event["event"], *sorted(set(event) - {"ts", "session", "event"})]) for event in found]
        assert_equal(shown, lines_of(expected), f"events of a {directory}")
        for line in lines_of(expected):
            assert_in(line.split()[0], table)
    opened = events(pathlib.Path("success"), "cfg_opened")[0]
    file = next(pathlib.Path("build").glob("pipelines/test-pipeline/*/cfg/make.json"))
    assert_equal(opened["path"], "cfg/make.json", "path")
    expected = hashlib.sha256(next(p for p in pathlib.Path("build").glob("pipelines/test-pipeline/*/cfg/make.json")
                                   if "fail_after" not in read(p)).read_bytes()).hexdigest()
    assert_equal(opened["sha256"], expected, "digest")
    assert_equal(opened["keys"], sorted(json.loads(read(file)).keys() - {"fail_after"}), "keys")
    assert "connection" not in json.loads(read("success/artifacts/make/cleaned_config.json"))


@test
def test_logs(folder):
    write("osiris_connections.yaml", "connections:\n  test:\n    main: {password: '${TEST_PASSWORD}', default: true}\n")
    export(connection="@test.main", print_secret=True)
    osiris("run", "pipeline.yaml", env={"TEST_PASSWORD": "correct-horse"})
    directory = run_directory()
    form = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - (\S+) - \[\w{26}\] - (DEBUG|INFO|WARNING|ERROR) - (.+)")
    found = {}
    for name in ("osiris.log", "debug.log"):
        matches = [form.fullmatch(line) for line in read(directory / name).splitlines()]
        assert all(matches), read(directory / name)
        found[name] = [match.groups() for match in matches]
    text = "\n".join(" ".join(groups) for groups in found["osiris.log"])
    for part in ("osiris INFO run of pipeline.yaml starts", "osiris INFO compiled in ", "make INFO uses connection @test.main",
                 "worker INFO started in place local", "make INFO started (test.generate), attempt 1",
                 "save INFO complete: 100 rows, ", "save INFO published output/out.csv, ", ": success"):
        assert_in(part, text)
    assert "DEBUG" not in text, text
    for groups in found["osiris.log"]:
        assert groups in found["debug.log"], groups
    shown = [groups[2].split()[1] for groups in found["debug.log"] if groups[2].startswith("event: ")]
    assert_equal(shown, [event["event"] for event in events(directory)], "events in debug.log")
    assert [groups for groups in found["debug.log"] if groups[0] == "worker" and "***MASKED***" in groups[2]], found
    assert "correct-horse" not in read(directory / "debug.log")


@test
def test_counts_agree_with_their_nouns(folder):
    pipeline(step("make", "test.generate", "read", rows=1), step("save", "csv.writer", "write", path="out.csv"))
    osiris("run", "pipeline.yaml")
    text = read(run_directory() / "osiris.log")
    for part in ("complete: 1 row, ", "ready in place local: 2 drivers loaded", f"published out.csv, {os.stat('out.csv').st_size} bytes"):
        assert_in(part, text)


@test
def test_json_answer(folder):
    export()
    result = osiris("run", "pipeline.yaml", "--json")
    answer = result.json()
    assert_equal(answer["status"], "success", "status", result)
    assert_equal(answer["execution_type"], "local", "execution type", result)
    assert pathlib.Path(answer["session_dir"]).is_dir(), answer
    assert answer["duration"]["total"] >= answer["duration"]["compile"] >= 0, answer


@test
def test_json_answer_of_a_failure(folder):
    export(fail_after=50, batch_rows=10)
    result = osiris("run", "pipeline.yaml", "--json")
    assert_equal(result.code, 1, "exit code", result)
    answer = result.json()
    assert_equal(answer["status"], "failed", "status", result)
    assert_equal(answer["error"]["step_id"], "make", "step", result)


@test
def test_dry_run_runs_nothing(folder):
    export()
    result = osiris("run", "pipeline.yaml", "--dry-run")
    assert_equal(result.code, 0, "exit code", result)
    assert_in("make", result.out, result)
    assert not pathlib.Path("output").exists()
    assert not pathlib.Path("run_logs").exists()


@test
def test_out_names_the_directory(folder):
    export()
    result = osiris("run", "pipeline.yaml", "--out", "here")
    assert_equal(result.code, 0, "exit code", result)
    assert pathlib.Path("here/events.jsonl").is_file(), result


@test
def test_same_inputs_same_bytes(folder):
    export()
    manifests = []
    for name in ("a", "b"):
        os.mkdir(name)
        write(f"{name}/pipeline.yaml", read("pipeline.yaml"))
        result = osiris("compile", "pipeline.yaml", cwd=name)
        assert_equal(result.code, 0, "exit code", result)
        found = {str(p.relative_to(name)): p for p in pathlib.Path(name, "build").rglob("*")
                 if p.is_file()}
        manifests.append({path: re.sub(r"(generated_at: *)\S+", r"\1TIME", read(file)) for path, file in found.items()})
    assert_equal(manifests[0], manifests[1], "two builds")
    assert any(path.endswith("manifest.yaml") for path in manifests[0]), manifests[0].keys()


@test
def test_a_build_that_is_there_is_kept_and_mended(folder):
    export()
    osiris("compile", "pipeline.yaml")
    files = {path: (read(path), path.stat().st_ino) for path in pathlib.Path("build").rglob("*.json")}
    assert len(files) >= 5, files
    damaged, shortened = sorted(files)[:2]
    write(str(damaged), files[damaged][0].replace("e", "a", 1))
    write(str(shortened), "")
    assert_equal(osiris("compile", "pipeline.yaml").code, 0, "exit code")
    for path, (text, inode) in files.items():
        assert_equal(read(path), text, f"what {path} holds")
        assert_equal(path.stat().st_ino == inode, path not in (damaged, shortened), f"whether {path} was kept")


@test
def test_the_build_does_not_depend_on_secrets(folder):
    """It is the pipeline's own texts, one of which may be a secret's value; a run's records have it masked."""
    write("osiris_connections.yaml", "connections:\n  test:\n    main:\n      password: ${TEST_PASSWORD}\n")
    export(attempts_file="correct-horse-battery", connection="@test.main")
    found = []
    for password in ("correct-horse-battery", "another-one"):
        result = osiris("compile", "pipeline.yaml", "--out", password[:5], env={"TEST_PASSWORD": password})
        assert_equal(result.code, 0, "exit code", result)
        found.append({path.relative_to(password[:5]): read(path) for path in pathlib.Path(password[:5]).rglob("make.json")})
    assert_equal(found[0], found[1], "configs of two builds")
    assert_in("correct-horse-battery", str(found[0]))
    osiris("run", "pipeline.yaml", env={"TEST_PASSWORD": "correct-horse-battery"})
    for path in run_directory().rglob("*"):
        assert not path.is_file() or "correct-horse-battery" not in read(path), path


@test
def test_parameters_and_profiles(folder):
    pipeline(step("make", "test.generate", "read", rows="${params.rows}"),
             step("save", "csv.writer", "write", path="${params.name}.csv"),
             params={"rows": {"default": 1}, "name": "default"},
             profiles={"big": {"params": {"rows": 5}}})
    cases = [([], {}, "default.csv", 1), (["--profile", "big"], {}, "default.csv", 5),
             (["-p", "big", "--param", "rows=7"], {}, "default.csv", 7),
             (["--param", "name=given"], {"OSIRIS_PARAM_NAME": "environment"}, "given.csv", 1),
             ([], {"OSIRIS_PARAM_NAME": "environment"}, "environment.csv", 1)]
    for arguments, env, path, rows in cases:
        result = osiris("run", "pipeline.yaml", *arguments, env=env)
        assert_equal(result.code, 0, f"exit code of {arguments}", result)
        assert_equal(len(read(path).splitlines()), rows + 1, f"lines of {arguments}", result)
        os.remove(path)


@test
def test_profiles_that_name_no_folder_or_are_not_there(folder):
    """A profile names folders: none leads out of them, be it that the pipeline has it."""
    pipeline(step("make", "test.generate", "read", rows=1), step("save", "csv.writer", "write", path="out.csv"),
             profiles={name: {} for name in ("../out", ".hidden", "a/b")})
    for name in ("../out", ".hidden", "a/b", "", "other"):
        for command in ("run", "compile"):
            result = osiris(command, "pipeline.yaml", f"--profile={name}")
            assert_equal(result.code, 2, f"exit code of {command} --profile={name}", result)
            assert_in(f'"{name}"', result.err, result)
            assert_equal(sorted(os.listdir()), ["pipeline.yaml"], "what is there", result)


@test
def test_secrets_of_a_driver_that_prints_them(folder):
    """The driver logs its connection's secret and prints it on both outputs."""
    write("osiris_connections.yaml",
          "connections:\n  test:\n    main:\n      password: ${TEST_PASSWORD}\n")
    export(print_secret=True, connection="@test.main")
    secret = "correct-horse-battery"
    result = osiris("run", "pipeline.yaml", "--verbose", env={"TEST_PASSWORD": secret})
    assert_equal(result.code, 0, "exit code", result)
    assert secret not in result.out + result.err, result
    assert_in("***MASKED***", read(run_directory() / "debug.log"))
    for path in pathlib.Path(".").rglob("*"):
        assert not path.is_file() or secret not in read(path), path


if __name__ == "__main__":
    main()
