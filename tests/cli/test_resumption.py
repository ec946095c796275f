"""Links that break between osiris and a worker that can be reached again (tests/plugins/flaky.c): the run goes on with nothing
lost and nothing twice, or ends within its bound, clearly. OSIRIS_TEST_CUTS asks for more cuts than `make check` makes."""

import os
import pathlib
import signal

from tap import (BUILD, SANITIZED, assert_equal, assert_in, assert_no_group, events, files, finish, interrupt, main,
                 metrics, osiris, pipeline, read, run_directory, start, step, test, wait_until, write)

ADAPTERS = f"{BUILD}/.libs:{BUILD}/tests/plugins/adapters/.libs"
CUTS = int(os.environ.get("OSIRIS_TEST_CUTS", "100" if SANITIZED else "1000"))


def places(**options):
    """osiris.yaml: each place a flaky one with these options."""
    text = "adapters:\n"
    for name, values in options.items():
        text += f"  {name}:\n    adapter: flaky\n"
        text += "".join(f"    {key}: {str(value).lower()}\n" for key, value in values.items())
    write("osiris.yaml", text)


def at(place, *arguments, **config):
    return {**step(*arguments, **config), "run_on": place}


def across(**generate):
    """An extractor in one place, its writers in that and another."""
    pipeline(at("a", "make", "test.generate", "read", **generate),
             at("a", "near", "csv.writer", "write", needs=["make"], path="near.csv"),
             at("b", "far", "csv.writer", "write", needs=["make"], path="far.csv"))


def inside(**generate):
    pipeline(at("a", "make", "test.generate", "read", **generate),
             at("a", "save", "csv.writer", "write", path="out.csv"))


def run(*arguments, code=0, **env):
    result = osiris("run", "pipeline.yaml", *arguments, env={"OSIRIS_ADAPTER_PATH": ADAPTERS, **env})
    assert_equal(result.code, code, "exit code", result)
    return result


def begin(**env):
    return start("run", "pipeline.yaml", env={"OSIRIS_ADAPTER_PATH": ADAPTERS, **env})


def cuts(directory=None):
    return int(sum(m["value"] for m in metrics(directory or run_directory(), "link_cuts")))


def forget_run():
    import shutil
    shutil.rmtree("run_logs")


def outputs():
    return [name for name in files() if name not in ("pipeline.yaml", "osiris.yaml")]


def workers_are_gone(directory=None):
    for event in events(directory or run_directory(), "worker_started"):
        assert_no_group(event["pid"])


def each_once(steps, rows):
    """The records know of everything once."""
    directory = run_directory()
    for kind in ("step_start", "step_complete"):
        assert_equal(sorted(e["step_id"] for e in events(directory, kind)), sorted(steps), kind)
    published = [e["path"] for e in events(directory, "artifact_created") if e["artifact_type"] == "output"]
    assert_equal(len(published), len(set(published)), f"outputs {published}")
    for metric in metrics(directory, "rows_written"):
        assert_equal(metric["value"], rows, "rows written")
    assert_equal(len(events(directory, "worker_started")), len(metrics(directory, "link_cuts")), "workers")
    assert_equal(list(directory.glob("tmp/*")), [], "temporary files")


def uncut(**generate):
    """What the run gives when nothing breaks."""
    places(a={}, b={})
    across(**generate)
    run()
    assert_equal(cuts(), 0, "cuts")
    forget_run()
    expected = read("near.csv")
    assert_equal(read("far.csv"), expected, "far.csv")
    for name in ("near.csv", "far.csv"):
        os.unlink(name)
    return expected


def same_in_spite_of_cuts(expected, options, wanted, generate):
    """Runs until there were so many cuts; returns how many there were."""
    done = seed = 0
    while done < wanted:
        seed += 1
        places(a={**options, "seed": seed}, b={**options, "seed": 1000 + seed})
        across(**generate)
        run()
        done += cuts()
        for name in ("near.csv", "far.csv"):
            assert read(name) == expected, f"{name} differs after {done} cuts, seed {seed}"
            os.unlink(name)
        each_once(("make", "near", "far"), expected.count("\n") - 1)
        workers_are_gone()
        forget_run()
    return done


@test
def test_cuts_before_in_and_behind_every_frame(folder):
    """hello, prepare, execute_step, batches, credits, commit, publish, cleanup, their answers, and the greetings."""
    generate = {"rows": 3000, "batch_rows": 100}
    expected = uncut(**generate)
    same_in_spite_of_cuts(expected, {"mode": "frames"}, CUTS // 2, generate)


@test
def test_cuts_at_random_bytes(folder):
    generate = {"rows": 20000, "batch_rows": 500, "row_bytes": 60}
    expected = uncut(**generate)
    same_in_spite_of_cuts(expected, {"mode": "bytes"}, CUTS // 2, generate)


if __name__ == "__main__":
    main()
