"""Drivers that hang, or end the thread, where it is not a step's thread that calls them: while they are loaded, in interrupt, when a
batch of theirs is released, when their thread ends. Heartbeats go on and name the function, other requests are answered, and a
worker that nobody needs any more is gone. The worker is spoken to directly."""

import pathlib
import shutil
import signal

from worker_session import Session  # first: it may start another Python
from tap import BUILD, SANITIZED, Skip, assert_equal, assert_in, main, test, write


def moody(**files):
    """A worker about to load test.moody."""
    shutil.copy(BUILD / "tests/plugins/broken/.libs/broken-moody.so", "moody.so")
    for name in ("needed", *files):
        write(name, "")
    session = Session(True, interval=20, driver="test.moody", library="moody.so")
    session.ask("prepare", "prepare", **session.prepare_params())
    return session


def faulty(interval=20, **config):
    """A worker whose step `make` is test.source, with such a config."""
    session = Session(True, interval=interval, driver="test.source", library="faulty").prepare()
    session.execute("make", 1, **config)
    return session


def heartbeats(session, count, function=None):
    """As many come, of which all that name a function name this one, of `make`."""
    while count > 0:
        message = session.receive()
        assert message is not None, pathlib.Path("stderr").read_text()
        steps = message["data"].get("steps", []) if message.get("type") == "heartbeat" else None
        if steps is None or (function is not None and [step.get("function") for step in steps] != [function]):
            continue
        assert_equal([step["step_id"] for step in steps], ["make"] if steps else [], "steps")
        count -= 1
    return steps


@test
def test_one_that_hangs_while_it_is_loaded(folder):
    session = moody(hangs=True)
    heartbeats(session, 5)
    session.end()
    assert_in('step "make": the driver "test.moody" has not returned from load', pathlib.Path("stderr").read_text())


@test
def test_one_that_hangs_while_it_is_loaded_and_a_worker_that_is_to_stop(folder):
    session = moody(hangs=True)
    heartbeats(session, 2)
    session.process.send_signal(signal.SIGTERM)
    assert_equal(session.process.wait(60), -signal.SIGKILL, "how it ends")


@test
def test_one_that_ends_the_thread_that_loads_it(folder):
    session = moody(ends=True)
    assert_equal(session.process.wait(60), 1, "exit code")
    assert_in('step "make": the driver "test.moody" ended the worker\'s main thread in load()', pathlib.Path("stderr").read_text())


@test
def test_one_that_hangs_in_interrupt_keeps_nobody_else_waiting(folder):
    session = faulty(at="interrupt")
    has_begun(session)
    session.ask("cancel", "cancel")
    session.is_refused("make", "cancelled")
    first = heartbeats(session, 2, "interrupt")
    assert heartbeats(session, 2, "interrupt")[0]["silent_ms"] >= first[0]["silent_ms"]
    session.ask("ping", "ping")
    assert "result" in session.answer("ping")
    session.ask("abort", "abort", step_ids=["make"])
    heartbeats(session, 2, "interrupt")
    session.end()


@test
def test_one_that_ends_the_thread_of_interrupt(folder):
    session = faulty(at="interrupt", how="end")
    has_begun(session)
    session.ask("cancel", "cancel")
    session.is_refused("make", "cancelled")
    session.ask("abort", "abort", step_ids=["make"])
    assert "result" in session.answer("abort")
    session.goes_on()


def has_begun(session):
    """It waits for credit."""
    while not [step for step in heartbeats(session, 1) if step.get("rows")]:
        pass


def releases(rows):
    session = faulty(at="release_batch", rows=rows)
    session.say({"type": "credit", "data": {"stream": 1, "bytes": 1 << 20}})
    heartbeats(session, 3, "release")
    session.end()


@test
def test_a_batch_whose_release_hangs_once_it_is_sent(folder):
    """A small one is sent, and released, on the step's thread."""
    releases(10)


@test
def test_a_batch_whose_release_hangs_on_the_main_thread(folder):
    """A large one does not fit into the socket: the main thread sends the rest."""
    releases(40000)
    assert_in('step "make": the driver "test.source" has not returned from release', pathlib.Path("stderr").read_text())


def succeeds(at):
    session = faulty(at=at)
    session.say({"type": "credit", "data": {"stream": 1, "bytes": 1 << 20}})
    assert "result" in session.answer("make")
    session.ask("commit", "commit", step_ids=["make"])
    assert "result" in session.answer("commit")
    session.ask("cleanup", "cleanup")
    assert "result" in session.answer("cleanup")
    return session


@test
def test_one_that_keeps_the_process_from_ending(folder):
    if SANITIZED:
        raise Skip("a sanitizer takes its time")
    session = succeeds("exit")
    session.channel.connection.close()
    assert_equal(session.process.wait(60), -signal.SIGALRM, "how it ends")


@test
def test_one_that_keeps_its_thread_from_ending(folder):
    session = succeeds("thread_end")
    session.end()
    assert_in('step "make": the driver "test.source" keeps its thread from ending', pathlib.Path("stderr").read_text())


if __name__ == "__main__":
    main()
