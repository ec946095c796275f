#!/usr/bin/env python3
"""worker.py with one fault or freedom of each kind: `misbehaving.py KIND --channel-fd N`, see test_protocol.py."""

import os
import pathlib
import re
import struct
import sys
import threading
import time

import frames
import streams
import worker


def own_names():
    """The events and metrics that only osiris may record."""
    text = (pathlib.Path(__file__).resolve().parents[2] / "orchestrator" / "records" / "own-names.h").read_text()
    events, metrics = text[text.index("OWN_EVENTS(X)"):].split("OWN_METRICS(X)")[:2]
    found = [re.findall(r'X\([A-Z_]+, "([a-z_]+)"\)', part) for part in (events, metrics)]
    assert all(found), found
    return found


class Misbehaving(worker.Worker):
    kind = None

    # Strange, but allowed.

    def answer(self, request, result=None, error=None):
        if self.kind == "reverse" and result and result.get("status") == "success":
            self.held.append((request, result))
            if len(self.held) < len(self.steps):
                return
            for one in reversed(self.held):
                super().answer(*one)
            return
        if self.kind == "unknown-keys":
            extra = {"later": {"version": [1, 2, None]}}
            self.channel.send({"id": request, "error": {**error, **extra}, **extra} if error else
                              {"id": request, "result": {**(result or {}), **extra}, **extra})
            return
        super().answer(request, result, error)
        if result and result.get("status") == "success":
            SlowOutput.answered.set()

    def heartbeat(self):
        """Would wait for the frame that goes over the slow link, and what comes would not be read meanwhile."""
        if not SlowOutput.answered.is_set() or self.kind != "slow-link":
            super().heartbeat()

    def say(self, type, **data):
        if self.kind == "unknown-keys":
            self.channel.send({"type": "news", "data": {"from": "another version"}})
            self.channel.send({"type": "news"})
            self.channel.send({})
            self.channel.send({"type": type, "data": {**data, "later": [1]}, "later": {}})
            return
        super().say(type, **data)

    def start_of_run(self):
        """What osiris alone says, about steps that are not this worker's, and of its own."""
        events, metrics = own_names()
        for name in (*events, "news"):
            self.say("event", event=name, ts=worker.now(), step_id="make", forged=True)
            self.say("event", event="news", ts=worker.now(), step_id="nobody", forged=True)
        for name in (*metrics, "news"):
            self.say("metric", metric=name, value=4711, unit="rows", ts=worker.now(), tags={"step": "make"})
            self.say("metric", metric="news", value=4711, unit="rows", ts=worker.now(), tags={"step": "nobody"})
        self.say("log", level="info", message="forged", step_id="nobody")

    def long_frame(self):
        """As over a link of 100 KB/s: nothing else comes for 3 s."""
        self.channel.sent += 1
        frame = frames.encode_frame(self.channel.sent, frames.encode({"type": "news", "data": {"text": "x" * 300000}}))
        for start in range(0, len(frame), 20000):
            self.raw(frame[start:start + 20000])
            time.sleep(0.2)

    def long_texts(self, request):
        """Texts and fields as long as a message may be."""
        long = "x" * (15 << 20)
        self.say("log", level="warning", message="logged " + long, step_id="make")
        self.say("event", event="news", ts=worker.now(), step_id="make", long=long)
        self.say("event", event="named " + long, ts=worker.now(), step_id="make")
        self.say("metric", metric="measured", value=1, unit=long, ts=worker.now(), tags={"step": "make", "x": "y" * 100000})
        self.answer(request, error={"category": "data", "retryable": False, "message": "failed " + long})

    def talk(self):
        """More than has room in the records: 320 MiB in two files, then what comes too late."""
        for n in range(160):
            self.say("event", event="news", ts=worker.now(), step_id="make", long="x" * (1 << 20))
        for n in range(100):
            self.say("log", level="warning", message="too late", step_id="make")
            self.say("metric", metric="too_late", value=n, ts=worker.now(), tags={"step": "make"})
        print("too late, too", file=sys.stderr, flush=True)

    # Not allowed: instead of the answer to the first execute_step, raw bytes or a wrong message.

    def raw(self, data):
        self.channel.connection.sendall(data)

    def frame(self, payload, body=b""):
        self.channel.sent += 1
        self.raw(frames.encode_frame(self.channel.sent, payload, body))

    def message(self, message):
        self.frame(frames.encode(message))

    def execute_step(self, request, params):
        act = getattr(self, "do_" + self.kind.replace("-", "_"), None)
        if act is None:
            if self.kind == "forged" and params["step_id"] == "make":
                self.start_of_run()
            if self.kind == "slow-link" and params["step_id"] == "make":
                self.long_frame()
            if self.kind == "talkative" and params["step_id"] == "make":
                self.talk()
            if self.kind == "long-texts" and params["step_id"] == "make":
                return self.long_texts(request)
            return super().execute_step(request, params)
        self.params = params
        act(request)
        # What the orchestrator has to say to that is printed; it ends up in the run's debug.log.
        while (received := self.channel.receive()) is not None:
            if received[0].get("type") == "error":
                print("told:", received[0]["data"]["message"], file=sys.stderr, flush=True)
        os._exit(0)

    def do_out_of_sequence(self, request):
        self.raw(frames.encode_frame(self.channel.sent + 2, frames.encode({})))

    def do_sequence_again(self, request):
        self.raw(frames.encode_frame(self.channel.sent, frames.encode({})))

    def do_too_long(self, request):
        self.raw(struct.pack(">IIQ", (16 << 20) + 1, 0, self.channel.sent + 1))

    def do_empty(self, request):
        self.raw(struct.pack(">IIQ", 0, 0, self.channel.sent + 1))

    def do_body_too_long(self, request):
        self.raw(struct.pack(">IIQ", 1, (1 << 20) + 1, self.channel.sent + 1))

    def do_body_without_a_stream(self, request):
        self.frame(frames.encode({"type": "event", "data": {"event": "x", "ts": worker.now()}}), b"body")

    def do_no_map(self, request):
        self.frame(b"\x01")

    def do_bytes_behind(self, request):
        self.frame(b"\x80\x80")

    def do_key_twice(self, request):
        self.frame(b"\x82\xa1a\x01\xa1a\x02")

    def do_key_no_text(self, request):
        self.frame(b"\x81\x01\x02")

    def do_nul(self, request):
        self.frame(b"\x81\xa1a\xa3a\0b")

    def do_not_utf_8(self, request):
        self.frame(b"\x81\xa1a\xa2\xc3\x28")

    def do_binary(self, request):
        self.frame(b"\x81\xa1a\xc4\x01x")

    def do_not_finite(self, request):
        self.frame(b"\x81\xa1a\xcb\x7f\xf0\0\0\0\0\0\0")

    def do_deep(self, request):
        self.frame(b"\x81\xa1a" * 32 + b"\x80")

    def do_long_count(self, request):
        self.frame(b"\xdf\xff\xff\xff\xff")

    def do_unknown_id(self, request):
        self.message({"id": "nobody asked", "result": {}})

    def do_answer_twice(self, request):
        self.message({"id": "req_1", "result": {"protocol": 1}})

    def do_another_status(self, request):
        self.message({"id": request, "result": {"status": "fine", "metrics": {"rows_read": 1}}})

    def do_negative_count(self, request):
        self.message({"id": request, "result": {"status": "success", "metrics": {"rows_read": -5}}})

    def do_no_result(self, request):
        self.message({"id": request, "result": {}})

    def do_published_too_early(self, request):
        self.message({"type": "published", "data": {"id": request, "published": []}})

    def do_half_a_frame(self, request):
        self.raw(frames.encode_frame(self.channel.sent + 1, frames.encode({"type": "heartbeat"}))[:-3])
        os._exit(0)

    def do_exit(self, request):
        os._exit(3)

    def do_killed(self, request):
        print("about to die", file=sys.stderr, flush=True)
        os.kill(os.getpid(), 9)

    def do_silent(self, request):
        time.sleep(1000)

    def do_drip(self, request):
        """Bytes of a frame that never is whole."""
        self.raw(frames.HEADER.pack(frames.MAXIMUM_MESSAGE, 0, self.channel.sent + 1))
        while True:
            self.raw(b"x")
            time.sleep(0.05)

    # A stream to another place, whose reader finds no fault with the schema, gives credit for a MiB and takes nothing.

    one_column = {"format": "+s", "children": [{"format": "l", "name": "c0"}]}

    def about(self, type, part=b"", **data):
        self.channel.send({"type": type, "data": {"stream": self.params["outputs"][0]["stream"], **data}}, part)

    def wait_for_credit(self):
        while self.channel.receive()[0].get("type") != "credit":
            pass

    def flood(self, columns, count, body=b"", **more):
        self.wait_for_credit()
        self.about("schema", schema={"format": "+s", "children": [{"format": "l", "name": f"c{n}"} for n in range(columns)]})
        for _ in range(count):
            self.about("batch", body, body=len(body), nodes=[0] * 3 * (1 + columns), buffers=[0] * (2 + 4 * columns), **more)

    def do_many_columns(self, request):
        self.flood(4000, 2400)

    def do_long_keys(self, request):
        self.flood(1, 1000, later="x" * 45000)

    def do_batches_of_nothing(self, request):
        self.flood(1, 200000)

    def do_short_parts(self, request):
        self.wait_for_credit()
        self.about("schema", schema=self.one_column)
        self.about("batch", b"x", body=1 << 20, nodes=[1 << 17, 0, 0] * 2, buffers=[0, 0, 0, 0, 0, 1 << 20])
        for _ in range(200000):
            self.about("more", b"x")

    def do_many_schemas(self, request):
        for _ in range(60):
            self.about("schema", schema={**self.one_column, "name": "x" * 500000})

    def do_many_ends(self, request):
        self.about("schema", schema=self.one_column)
        for _ in range(200000):
            self.about("end")

    def bad_batch(self, body=b"x" * 64, nodes=(8, 0, 0, 8, 0, 0), buffers=(0, 0, 0, 0, 0, 64), format="l", **more):
        self.wait_for_credit()
        self.about("schema", schema={"format": "+s", "children": [{"format": format, "name": "n"}]})
        self.about("batch", body, body=len(body), nodes=list(nodes), buffers=list(buffers), **more)

    def do_a_buffer_outside(self, request):
        self.bad_batch(buffers=(0, 0, 0, 0, 64, 64))

    def do_buffers_that_overlap(self, request):
        self.bad_batch(buffers=(0, 0, 0, 64, 0, 64))

    def do_a_buffer_at_no_place(self, request):
        self.bad_batch(buffers=(0, 0, 0, 0, 8, 8))

    def do_negative_length(self, request):
        self.bad_batch(nodes=(8, 0, 0, -8, 0, 0))

    def do_a_codec_of_its_own(self, request):
        self.bad_batch(buffers=(0, 0, 0, 0, 0, 0, 0, 64, 100), codec="lz4")

    def do_offsets_that_go_down(self, request):
        """Only the body tells."""
        self.bad_batch(struct.pack("<3i", 0, 3, 0), (2, 0, 0) * 2, (0, 0, 0, 0, 0, 12, 0, 0), "u")

    def do_a_schema_of_nothing(self, request):
        self.about("schema", schema={"format": "no such type"})

    def do_a_stream_of_nobody(self, request):
        self.channel.send({"type": "end", "data": {"stream": 4711}})

    def do_a_body_behind_the_end(self, request):
        self.about("end", b"x" * 100)

    # Answers that somebody waits for do not come, heartbeats do.

    def commit(self, request, params):
        return None if self.kind == "no-commit" else super().commit(request, params)

    def credit(self, bytes):
        self.channel.send({"type": "credit", "data": {"stream": self.params["inputs"]["df"]["stream"], "bytes": bytes}})

    def do_deaf(self, request):
        """It says that it lives and can take a queue full, and reads nothing."""
        self.credit(1 << 20)
        while True:
            time.sleep(self.interval)
            self.heartbeat()

    # The same with credit for what it has not read.

    def do_boundless_credit(self, request):
        self.credit(1 << 60)
        self.do_deaf(request)

    def do_blind_credit(self, request):
        """Never more at a time than a producer uses up that is told of it."""
        self.credit(1 << 20)
        while True:
            for _ in range(10):
                time.sleep(0.001)
                self.credit(1 << 18)
            self.heartbeat()

    # Values of other types than the document's: harmless, whatever comes of them.

    def do_wrong_types(self, request):
        for data in (None, 1, "text", [], [1], {"steps": 5}, {"steps": [1, None, {"step_id": 7, "rows": "x"}]},
                     {"event": 5, "ts": []}, {"event": None}, {"metric": [], "value": {}},
                     {"metric": "m", "value": "no number", "tags": "x", "unit": 4},
                     {"level": 9, "message": ["x"], "step_id": {}}, {"sequence": "x"}, {"stream": -1}):
            for type in ("heartbeat", "event", "metric", "log", "ack", "news", 7, None):
                self.message({"type": type, "data": data})
        self.message({"id": 7, "result": {}})
        self.message({"id": request, "result": [{"status": 1}]})

    # Freedoms in the greeting.

    def hello(self, request, params):
        if self.kind == "another-protocol":
            return {"protocol": 2, "version": "2", "pid": 1}
        if self.kind == "prepare-first":
            self.held.append((request, super().hello(request, params)))
            return None
        return super().hello(request, params)

    def prepare(self, request, params):
        if self.kind == "unprepared":
            raise worker.Failure("config", "its drivers cannot be loaded")
        result = super().prepare(request, params)
        if self.kind == "prepare-first":
            super().answer(request, result)
            super().answer(*self.held.pop())
            return None
        return result


class EndlessOutput(streams.Output):
    def set(self, name):
        if name != "ended":
            super().set(name)


class SlowOutput(streams.Output):
    """What it has to say comes when its step has answered, over a slow link: a frame takes longer than silence may."""

    answered = threading.Event()

    def open(self, stream):
        self.waiting = []
        super().open(stream)

    def say(self, type, content=b"", **data):
        if type == "schema":
            super().say(type, content, **data)
            return
        self.waiting.append(({"type": type, "data": {"stream": self.stream, **data}}, content))
        if type == "end":
            threading.Thread(target=self.trickle, daemon=True).start()

    def trickle(self):
        self.answered.wait()
        for message, content in self.waiting:
            with self.channel.lock:
                self.channel.sent += 1
                frame = frames.encode_frame(self.channel.sent, frames.encode(message), content)
                for start in range(0, len(frame), frames.SIGN_BYTES):
                    self.channel.connection.sendall(frame[start:start + frames.SIGN_BYTES])
                    time.sleep(0.05 if content else 0)
        self.answered.clear()


class HeldInput(streams.Input):
    """Reads nothing, and does not say so."""

    def say(self, type, **data):
        if type != "close":
            super().say(type, **data)


class Ignorant(worker.Csv):
    def run(self, inputs):
        return super().run({"df": []})


if __name__ == "__main__":
    Misbehaving.kind = sys.argv[1]
    if Misbehaving.kind == "no-end":
        streams.Output = EndlessOutput
    if Misbehaving.kind == "slow-link":
        streams.Output = SlowOutput
    if Misbehaving.kind == "no-close":
        streams.Input = HeldInput
        worker.DRIVERS["py.csv"] = Ignorant
    Misbehaving.held = []
    sys.exit(worker.main(sys.argv[2:], Misbehaving))
