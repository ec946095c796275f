"""What a run leaves behind: its directory, records, index, build, and the answers of the command."""

import json
import os
import pathlib
import re

from tap import (assert_equal, assert_in, events, main, metrics, osiris, pipeline, read, run_directory,
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


def scratch_folders(directory):
    return [path.name for path in pathlib.Path(directory).iterdir() if path.name.startswith("tmp-")]


@test
def test_only_the_run_s_own_temporary_folder_is_removed(folder):
    """--out may name a folder with other things in it."""
    write("home/tmp/precious", "a user's file")
    export(scratch=True)
    result = osiris("run", "pipeline.yaml", "--out", "home")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(read("home/tmp/precious"), "a user's file", "the user's file", result)
    assert_equal(scratch_folders("home"), [], "temporary folders", result)


@test
def test_out_without_a_name(folder):
    export()
    result = osiris("run", "pipeline.yaml", "--out", "")
    assert_equal(result.code, 2, "exit code", result)
    assert_in("--out", result.err, result)
    assert not pathlib.Path("output").exists(), result


@test
def test_a_crashed_worker_s_temporary_folder_is_removed(folder):
    export(scratch=True, crash_after=50, batch_rows=10)
    result = osiris("run", "pipeline.yaml", "--out", "home")
    assert_equal(result.code, 1, "exit code", result)
    assert_equal(scratch_folders("home"), [], "temporary folders", result)


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
        manifests.append({path: re.sub(r"\d{4}-\d\d-\d\dT[0-9:.-]+Z", "TIME", read(file))
                          for path, file in found.items()})
    assert_equal(manifests[0], manifests[1], "two builds")
    assert any(path.endswith("manifest.yaml") for path in manifests[0]), manifests[0].keys()


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
