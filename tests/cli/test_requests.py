"""What a worker refuses, ours and the one in Python, spoken to directly (tests/protocol/frames.py): a violation gets an `error` and the
end of the channel, a request that asks for what cannot be gets an answer that says so."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

from worker_session import Session, frames  # first: it may start another Python
from tap import BUILD, SOURCE, assert_equal, assert_in, environment, main, test, write


def both(function):
    for ours in (True, False):
        function(ours)


def violations(messages, prepare=False):
    for what, message in messages.items():
        for ours in (True, False):
            session = Session(ours)
            if prepare:
                session.prepare()
            session.say(message)
            session.is_violated(f"{what}, {'ours' if ours else 'python'}")


@test
def test_requests_that_cannot_be_answered(folder):
    violations({
        "a number as id": {"id": 7, "method": "ping", "params": {}},
        "an empty id": {"id": "", "method": "ping", "params": {}},
        "a long id": {"id": "x" * 129, "method": "ping", "params": {}},
        "nothing as id": {"id": None, "method": "ping"},
        "no id": {"method": "ping", "params": {}},
        "no method": {"id": "a", "params": {}},
        "a list as method": {"id": "a", "method": ["ping"]},
    })


@test
def test_an_id_again(folder):
    violations({"of hello": {"id": "hello", "method": "ping", "params": {}}})


@test
def test_streams_that_nobody_has_named(folder):
    violations({type: {"type": type, "data": {"stream": 4711, "bytes": 1}}
                for type in ("schema", "batch", "more", "end", "credit", "close")}, prepare=True)


@test
def test_a_stream_again(folder):
    @both
    def check(ours):
        session = Session(ours).prepare()
        session.run("first", 1)
        session.ask("abort", "abort", step_ids=["make"])
        assert "result" in session.answer("abort")
        session.run("second", 2)
        session.ask("abort again", "abort", step_ids=["make"])
        assert "result" in session.answer("abort again")
        session.execute("third", 1)
        session.is_violated("a stream again")


@test
def test_more_credit_than_a_queue_has_room(folder):
    @both
    def check(ours):
        session = Session(ours).prepare()
        session.execute("first", 1)
        session.say({"type": "credit", "data": {"stream": 1, "bytes": (1 << 20) + 1}})
        session.is_violated("more credit than queue_bytes")


@test
def test_bytes_that_come_one_by_one_are_silence(folder):
    @both
    def check(ours):
        session = Session(ours, 200, 1000)
        connection = session.channel.connection
        connection.sendall(frames.HEADER.pack(frames.MAXIMUM_MESSAGE, 0, session.channel.sent + 1))
        began = time.monotonic()
        while session.process.poll() is None and time.monotonic() < began + 30:
            try:
                connection.sendall(b"x")
            except OSError:
                break
            time.sleep(0.05)
        session.end(1)
        assert_in("silent", pathlib.Path("stderr").read_text())


@test
def test_a_long_frame_on_a_slow_link_is_no_silence(folder):
    @both
    def check(ours):
        session = Session(ours, 200, 1000)
        session.channel.sent += 1
        ping = frames.encode({"id": "long", "method": "ping", "params": {"text": "x" * 200000}})
        frame = frames.encode_frame(session.channel.sent, ping)
        for start in range(0, len(frame), 20000):
            session.channel.connection.sendall(frame[start:start + 20000])
            time.sleep(0.2)
        assert "result" in session.answer("long")
        session.end()


@test
def test_phases_of_a_commit(folder):
    @both
    def check(ours):
        session = Session(ours).prepare()
        session.run("run", 1)
        session.ask("too early", "commit", step_ids=["make"], phase="publish")
        session.is_refused("too early", "each phase")
        session.ask("first", "commit", step_ids=["make"], phase="commit")
        assert_equal(session.answer("first")["result"], {}, "the first phase")
        for phase in ({"phase": "commit"}, {}):
            session.ask(f"again {phase}", "commit", step_ids=["make"], **phase)
            session.is_refused(f"again {phase}", "each phase")
        session.ask("second", "commit", step_ids=["make"], phase="publish")
        assert "published" in session.answer("second")["result"]
        session.ask("third", "commit", step_ids=["make"], phase="publish")
        session.is_refused("third")
        session.goes_on()


@test
def test_an_abort_forgets_the_first_phase(folder):
    @both
    def check(ours):
        session = Session(ours).prepare()
        session.run("run", 1)
        session.ask("first", "commit", step_ids=["make"], phase="commit")
        assert "result" in session.answer("first")
        session.ask("abort", "abort", step_ids=["make"])
        assert "result" in session.answer("abort")
        session.run("again", 2)
        session.ask("second", "commit", step_ids=["make"], phase="publish")
        session.is_refused("second", "each phase")
        session.goes_on()


@test
def test_a_step_that_is_aborted_before_its_first_request(folder):
    @both
    def check(ours):
        session = Session(ours).prepare()
        session.ask("abort", "abort", step_ids=["make"], because="far")
        assert_equal(session.answer("abort")["result"], {}, "the abort")
        session.run("run", 1)
        session.ask("commit", "commit", step_ids=["make"])
        assert "published" in session.answer("commit")["result"]
        session.goes_on()


@test
def test_a_refused_request_can_be_made_again(folder):
    session = Session(True).prepare()
    session.run("run", 1)
    session.ask("abort", "abort", step_ids=["make"])
    assert "result" in session.answer("abort")
    for number in (2, 3):
        session.ask(f"of another edge {number}", "execute_step", step_id="make", config={}, inputs={},
                    outputs=[{"edge": 7, "stream": number}])
        session.is_refused(f"of another edge {number}", "differs from the plan's")
    session.run("again", 4)
    session.goes_on()


@test
def test_params_of_other_types(folder):
    @both
    def check(ours):
        session = Session(ours).prepare()
        for method in ("commit", "abort", "cancel"):
            for number, wrong in enumerate(("make", {"make": 1}, 7, [7], [None])):
                session.ask(f"{method} {number}", method, step_ids=wrong)
                session.is_refused(f"{method} {number}")
        for method in ("commit", "abort", "cancel"):
            session.ask(f"{method} twice", method, step_ids=["make", "make"])
            session.is_refused(f"{method} twice", "step_ids[1] was named before")
        for method in ("commit", "abort"):
            session.ask(f"{method} of nothing", method)
            session.is_refused(f"{method} of nothing")
        for number, params in enumerate(({}, {"step_id": 7}, 
                                         {"step_id": "make", "config": [1], "inputs": {}, "outputs": [{"edge": 0, "stream": 9}]},
                                         {"step_id": "make", "config": {}, "outputs": {"edge": 0}})):
            session.ask(f"execute {number}", "execute_step", **params)
            session.is_refused(f"execute {number}")
        session.say({"id": "params", "method": "abort", "params": [1]})
        session.is_refused("params")
        session.goes_on()


def changed(params, path, value):
    """A copy in which the member at the path has the value; `None`: in which it is missing."""
    copy = json.loads(json.dumps(params))
    inside = copy
    for key in path[:-1]:
        inside = inside[key]
    if value is None:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    return copy


@test
def test_a_malformed_plan_is_refused_with_the_field(folder):
    session = Session(True)
    good = session.prepare_params()
    step, edge = good["plan"]["steps"][1], good["plan"]["edges"][0]
    for number, (path, value, words) in enumerate((
            (["run_id"], None, "prepare: run_id is missing"),
            (["run_id"], 7, "prepare: run_id is not a string"),
            (["artifacts_dir"], None, "prepare: artifacts_dir is missing"),
            (["temp_dir"], [], "prepare: temp_dir is not a string"),
            (["queue_bytes"], "many", "prepare: queue_bytes is not an integer"),
            (["spill_bytes"], 0, "prepare: spill_bytes is not positive"),
            (["environment"], {"A=B": "c"}, "prepare: environment has a name that no variable can have"),
            (["environment"], {"A": 1}, "prepare: environment has a value that is not a string"),
            (["secrets"], "s", "prepare: secrets is not a list"),
            (["secrets"], ["s", 1], "prepare: secrets[1] is not a string"),
            (["plan"], None, "prepare: plan is missing"),
            (["plan"], [], "prepare: plan is not a map"),
            (["plan", "steps"], None, "prepare: plan.steps is missing"),
            (["plan", "steps", 0], "make", "prepare: plan.steps[0] is not a map"),
            (["plan", "steps", 1, "id"], None, "prepare: plan.steps[1].id is missing"),
            (["plan", "steps", 1, "id"], "a/b", "prepare: plan.steps[1].id is not usable"),
            (["plan", "steps", 1], {**step, "id": "make"}, "prepare: plan.steps[1].id is also that of another step"),
            (["plan", "steps", 0, "component"], None, "prepare: plan.steps[0].component is missing"),
            (["plan", "steps", 0, "group"], "0", "prepare: plan.steps[0].group is not an integer"),
            (["steps"], ["make", "other"], "prepare: steps names a step that is not in the plan"),
            (["steps"], [None], "prepare: steps[0] is not a string"),
            (["drivers"], {}, "prepare: drivers.test.generate is missing"),
            (["connections"], {"make": "c"}, "prepare: connections.make is not a map"),
            (["plan", "edges"], {}, "prepare: plan.edges is not a list"),
            (["plan", "edges", 0, "id"], 1, "prepare: plan.edges[0].id is not its position in the list"),
            (["plan", "edges", 0, "to"], "other", "prepare: plan.edges[0].to is not a step of the plan"),
            (["plan", "edges", 0], {**edge, "mode": "rubber"}, "prepare: plan.edges[0].mode is neither bounded nor elastic"),
            (["plan", "edges", 0], {**edge, "from": "far", "to": "make"}, "prepare: plan.edges[0] leads out of a writer"))):
        session.ask(f"prepare {number}", "prepare", **changed(good, path, value))
        session.is_refused(f"prepare {number}", words)
    session.prepare()
    for number, (params, words) in enumerate((
            ({}, "execute_step: step_id is missing"),
            ({"step_id": "make"}, "execute_step: config is missing"),
            ({"step_id": "make", "config": {}, "verb": 7}, "execute_step: verb is not a string"),
            ({"step_id": "make", "config": {}, "inputs": {"df": {}}}, "execute_step: inputs.df.edge is missing"),
            ({"step_id": "make", "config": {}, "outputs": [{"edge": 0}]}, "execute_step: outputs[0].stream is missing"),
            ({"step_id": "make", "config": {}, "outputs": [{"edge": 0, "stream": 5, "compression": [1]}]},
             "execute_step: outputs[0].compression[0] is not a string"))):
        session.ask(f"execute {number}", "execute_step", **params)
        session.is_refused(f"execute {number}", words)
    session.goes_on()


if __name__ == "__main__":
    main()
