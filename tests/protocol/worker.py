#!/usr/bin/env python3
"""A worker in Python, written from docs/protocol.md alone. It needs nothing but the msgpack package.

    worker.py --channel-fd N       runs the steps of one pipeline for an orchestrator
    worker.py --describe FILE...   what drivers its driver files have, as JSON

Its driver files are texts: {"drivers": ["py.rows", ...]}, names of classes below. Rows pass between steps as lists
of tuples in bounded queues.
"""

import csv
import datetime
import json
import os
import select
import socket
import sys
import threading
import time

import frames
import streams

VERSION = "1"


class Failure(Exception):
    """An error of the protocol's shape."""

    def __init__(self, category, message, retryable=False, **more):
        super().__init__(message)
        self.fields = {"category": category, "retryable": retryable, "message": message, **more}


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Cancelled(Exception):
    pass


class Edge:
    """A bounded queue between two steps of this worker."""

    def __init__(self, bound):
        self.bound, self.batches, self.ended, self.closed, self.cancelled = bound, [], False, False, False
        self.changed = threading.Condition()

    def renew(self):
        self.batches, self.ended, self.closed, self.cancelled = [], False, False, False

    def set(self, name):
        with self.changed:
            setattr(self, name, True)
            self.changed.notify_all()

    def put(self, batch):
        """False: the reader wants no more."""
        with self.changed:
            while len(self.batches) >= self.bound and not (self.closed or self.cancelled):
                self.changed.wait()
            if self.cancelled:
                raise Cancelled()
            self.batches.append(batch)
            self.changed.notify_all()
            return not self.closed

    def offer(self, batch):
        """Never waits; what nobody wants is dropped."""
        with self.changed:
            if not (self.closed or self.cancelled):
                self.batches.append(batch)
                self.changed.notify_all()

    def get(self):
        """None at the end."""
        with self.changed:
            while not (self.batches or self.ended or self.cancelled):
                self.changed.wait()
            if self.cancelled:
                raise Cancelled()
            self.changed.notify_all()
            return self.batches.pop(0) if self.batches else None


# Drivers.

class Driver:
    def __init__(self, step, config):
        self.step, self.config = step, config

    def commit(self):
        pass

    def publish(self):
        return []

    def close(self):
        pass


def spec(title, mode, **properties):
    return {"title": title, "description": title, "modes": [mode],
            "configSchema": {"type": "object", "additionalProperties": False, "properties": properties}}


class Rows(Driver):
    kind, counts = "extractor", "rows_read"
    spec = spec("Rows", "extract", rows={"type": "integer", "default": 10},
                batch_rows={"type": "integer", "default": 3}, fail_after={"type": "integer"},
                hang_after={"type": "integer"})

    def run(self, inputs):
        batch = []
        for number in range(self.config["rows"]):
            if number == self.config.get("fail_after"):
                raise Failure("data", f"row {number} is bad; mend it", hint="look at the source",
                              native_code=1234, native_state="HY000")
            if number == self.config.get("hang_after"):
                self.step.log("info", "hanging")
                self.step.cancelled.wait()
                raise Cancelled()
            batch.append((number, f"row {number}"))
            if len(batch) == self.config["batch_rows"]:
                yield batch
                batch = []
        if batch:
            yield batch


class Upper(Driver):
    kind, counts = "processor", "rows_processed"
    spec = spec("Upper", "transform")

    def run(self, inputs):
        for batch in inputs["df"]:
            yield [(number, text.upper()) for number, text in batch]


class Csv(Driver):
    kind, counts = "writer", "rows_written"
    spec = spec("Csv", "write", path={"type": "string"}, fail_commit={"type": "boolean"})

    def run(self, inputs):
        path = self.config["path"]
        self.temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{os.getpid()}")
        with open(self.temporary, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("id", "text"))
            for batch in inputs["df"]:
                writer.writerows(batch)
                self.step.count(batch)
        self.step.event("file_written", rows=self.step.rows)
        self.step.metric("csv_bytes", os.path.getsize(self.temporary), "bytes")
        return iter(())

    def commit(self):
        if self.config.get("fail_commit"):
            raise Failure("io", "cannot commit", retryable=True)

    def publish(self):
        size = os.path.getsize(self.temporary)
        os.replace(self.temporary, self.config["path"])
        return [{"step_id": self.step.id, "path": self.config["path"], "bytes": size}]

    def close(self):
        if os.path.exists(getattr(self, "temporary", "")):
            os.unlink(self.temporary)


DRIVERS = {"py.rows": Rows, "py.upper": Upper, "py.csv": Csv}


class Step:
    """One step: a thread runs its driver; the requests commit and abort end it."""

    def __init__(self, worker, plan):
        self.worker, self.plan, self.id = worker, plan, plan["id"]
        self.inputs, self.outputs = {}, []  # name: edge; edges
        self.remote_inputs, self.remote_outputs = {}, {}  # edge: its stream; number: edge
        self.driver = self.thread = self.request = None
        self.cancelled = threading.Event()
        self.because = None
        self.rows = self.bytes = self.batches = 0
        self.prepared = self.published = False
        self.state = "idle"  # idle, running, ran, failed, closed

    def start(self, request, params):
        if not isinstance(params["config"], dict):
            raise TypeError("config")
        self.request, self.params = request, params
        for name, edge in self.inputs.items():
            if edge in self.remote_inputs:
                self.remote_inputs[edge].open(params["inputs"][name]["stream"])
        for output in params.get("outputs", []):
            self.remote_outputs[output["edge"]].open(output["stream"])
        self.driver = DRIVERS[params["driver"]](self, params["config"])
        self.state = "running"
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def count(self, batch):
        self.rows += len(batch)
        self.bytes += sum(8 + len(text) for _, text in batch)
        self.batches += 1

    def read(self, edge):
        remote = self.remote_inputs.get(edge)
        while (batch := edge.get()) is not None:
            if remote:
                batch, weight = batch
                remote.taken(weight)
            yield batch

    def put(self, edge, batch):
        return edge.put(batch, Cancelled) if isinstance(edge, streams.Output) else edge.put(batch)

    def run(self):
        started = time.monotonic()
        failure = None
        try:
            for batch in self.driver.run({name: self.read(edge) for name, edge in self.inputs.items()}):
                self.count(batch)
                wanted = [self.put(edge, batch) for edge in self.outputs]
                if self.cancelled.is_set():
                    raise Cancelled()
                if wanted and not any(wanted):
                    break
        except Cancelled:
            failure = Failure("cancelled", "cancelled")
        except Failure as reason:
            failure = reason
        except OSError as reason:
            failure = Failure("io", str(reason), native_code=reason.errno or 0)
        except Exception as reason:
            failure = Failure("internal", repr(reason), type=type(reason).__name__)
        for edge in self.inputs.values():
            edge.set("closed")
        for remote in self.remote_inputs.values():
            remote.say("close")
        for edge in self.outputs:
            edge.set("cancelled" if failure else "ended")
        if self.cancelled.is_set() and failure:
            why = f'stopped because step "{self.because}" failed' if self.because else "cancelled"
            failure = Failure("cancelled", why)
        self.state = "failed" if failure else "ran"
        if failure:
            self.worker.answer(self.request, error={
                **failure.fields, "step_id": self.id, "component": self.params["component"]})
        else:
            self.worker.answer(self.request, self.result((time.monotonic() - started) * 1000))

    def result(self, duration_ms):
        outputs = {} if self.driver.kind == "writer" else {
            "df": {"rows": self.rows, "bytes": self.bytes, "batches": self.batches}}
        return {"status": "success", "outputs": outputs, "duration_ms": duration_ms,
                "metrics": {self.driver.counts: self.rows, "bytes": self.bytes}}

    def cancel(self, because=None):
        self.because = self.because or because
        self.cancelled.set()
        for edge in [*self.inputs.values(), *self.outputs]:
            edge.set("cancelled")

    def close(self):
        if self.thread:
            self.thread.join()
        if self.driver and self.state != "closed":
            self.driver.close()
        self.state = "closed"

    def renew(self):
        """It may be requested again, unless it was published."""
        if self.published:
            return
        for edge in [*self.inputs.values(), *self.outputs]:
            edge.renew()
        for remote in self.remote_inputs.values():
            remote.stream = None  # what still comes meets nobody
        self.driver = self.thread = self.because = None
        self.prepared = False
        self.cancelled.clear()
        self.rows = self.bytes = self.batches = 0
        self.state = "idle"

    def log(self, level, message):
        self.worker.say("log", level=level, message=message, step_id=self.id)

    def event(self, name, **fields):
        self.worker.say("event", event=name, ts=now(), step_id=self.id, **fields)

    def metric(self, name, value, unit):
        self.worker.say("metric", metric=name, value=value, unit=unit, ts=now(), tags={"step": self.id})


class Worker:
    def __init__(self, connection):
        self.channel = frames.Channel(connection, threading.Lock(), self.wait)
        self.greeted = self.prepared = self.cleaned = False
        self.interval = self.timeout = None  # of heartbeats, in seconds, from hello on
        self.beat = time.monotonic()
        self.steps = {}
        self.ids, self.streams = set(), set()  # all that requests have named

    # Sending.

    def say(self, type, **data):
        self.channel.send({"type": type, "data": data})

    def answer(self, request, result=None, error=None):
        self.channel.send({"id": request, "error": error} if error else
                          {"id": request, "result": result or {}})

    # Methods: each returns the result, or None if the answer comes later.

    def hello(self, request, params):
        if params.get("protocol") != 1:
            raise Failure("internal", f"the orchestrator speaks protocol {params.get('protocol')}, "
                                      "this worker speaks 1")
        self.interval = params["heartbeat_interval_ms"] / 1000
        self.timeout = params["heartbeat_timeout_ms"] / 1000
        self.greeted = True
        return {"protocol": 1, "version": VERSION, "pid": os.getpid(), "clock": now(),
                "compression": [], "resume": False}

    def prepare(self, request, params):
        if self.prepared:
            raise Failure("internal", "prepare was requested before")
        os.environ.update(params["environment"])
        plan = params["plan"]
        mine = set(params.get("steps", [step["id"] for step in plan["steps"]]))
        drivers = []
        for step in plan["steps"]:
            if step["id"] not in mine:
                continue
            if step["driver"] not in DRIVERS:
                raise Failure("config", f"there is no driver \"{step['driver']}\"", step_id=step["id"])
            if step["driver"] not in drivers:
                drivers.append(step["driver"])
            self.steps[step["id"]] = Step(self, step)
        for edge in plan["edges"]:
            self.join(edge, mine, params.get("queue_bytes", 1 << 20))
        self.prepared = True
        return {"drivers": [{"driver": name, "version": VERSION} for name in drivers]}

    def join(self, edge, mine, window):
        here, elsewhere = edge["from"] in mine, edge["from"] not in mine
        if edge["to"] in mine:
            # An elastic edge never makes its producer wait, and of one from elsewhere credit takes care.
            queue = Edge(float("inf") if edge["mode"] == "elastic" or elsewhere else 4)
            reader = self.steps[edge["to"]]
            reader.inputs[edge["input"]] = queue
            if elsewhere:
                reader.remote_inputs[queue] = streams.Input(self.channel, queue, window, edge["mode"] == "elastic")
            else:
                self.steps[edge["from"]].outputs.append(queue)
        elif here:
            output = streams.Output(self.channel, window)
            self.steps[edge["from"]].outputs.append(output)
            self.steps[edge["from"]].remote_outputs[edge["id"]] = output

    def take_stream(self, type, data, body):
        """A stream that is not there any more is no error."""
        stream = data.get("stream")
        if stream not in self.streams:
            raise frames.Violation("a message names a stream that never existed")
        for step in self.steps.values():
            for output in step.remote_outputs.values():
                if type in ("credit", "close") and output.stream == stream:
                    output.give(data["bytes"]) if type == "credit" else output.set("closed")
            for remote in step.remote_inputs.values():
                if type in ("schema", "batch", "more", "end") and remote.stream == stream:
                    remote.take(type, data, body)

    def step(self, step_id):
        if step_id not in self.steps:
            raise Failure("internal", f'there is no step "{step_id}"')
        return self.steps[step_id]

    def execute_step(self, request, params):
        step = self.step(params["step_id"])
        self.name_streams([*params["inputs"].values(), *params.get("outputs", [])])
        if step.state != "idle":
            raise Failure("internal", f'step "{step.id}" runs already')
        step.start(request, params)

    def name_streams(self, described):
        for stream in [one["stream"] for one in described if "stream" in one]:
            if stream in self.streams:
                raise frames.Violation("a stream has a number that was used before")
            self.streams.add(stream)

    def named_steps(self, params):
        if not isinstance(params["step_ids"], list):
            raise TypeError("step_ids")
        for number, step_id in enumerate(params["step_ids"]):
            if step_id in params["step_ids"][:number]:
                raise Failure("internal", f"step_ids[{number}] was named before")
        return [self.step(step_id) for step_id in params["step_ids"]]

    def commit(self, request, params):
        steps = self.named_steps(params)
        if any(step.state != "ran" for step in steps):
            raise Failure("internal", "not all of the steps have run")
        if any(step.prepared != (params.get("phase") == "publish") for step in steps):
            raise Failure("internal", "commit: each phase must be requested once, and in order")
        self.later(self.finish_commit, request, steps, params.get("phase"))

    def finish_commit(self, steps, phase):
        if phase != "publish":
            for step in steps:
                step.driver.commit()
        if phase == "commit":
            for step in steps:
                step.prepared = True
            return {}
        published = []
        for step in steps:
            published += step.driver.publish()
            step.published = True
            step.close()
        return {"published": published}

    def abort(self, request, params):
        steps = self.named_steps(params)
        for step in steps:
            step.cancel(params.get("because"))
        self.later(self.finish_abort, request, steps)

    def finish_abort(self, steps):
        for step in steps:
            step.close()
        for step in steps:
            step.renew()
        return {}

    def later(self, function, request, *arguments):
        """Answers from a thread: requests behind this one must not wait for it."""
        def work():
            try:
                self.answer(request, function(*arguments))
            except Failure as failure:
                self.answer(request, error=failure.fields)
            except OSError as reason:
                self.answer(request, error=Failure("io", str(reason)).fields)
        threading.Thread(target=work, daemon=True).start()

    def cancel(self, request, params):
        for step in self.named_steps({"step_ids": list(self.steps), **params}):
            step.cancel()
        return {}

    def ping(self, request, params):
        return {}

    def cleanup(self, request, params):
        self.stop()
        self.cleaned = True
        return {}

    methods = ("hello", "prepare", "execute_step", "commit", "abort", "cancel", "ping", "cleanup")

    # The loop.

    def stop(self):
        for step in self.steps.values():
            step.cancel()
        for step in self.steps.values():
            step.close()
        self.steps = {}

    def handle(self, message, body):
        type = message.get("type")
        if type in ("schema", "batch", "more", "end", "credit", "close"):
            self.take_stream(type, message["data"], body)
            return
        if body:
            raise frames.Violation("a message has a body that must not have one")
        request, method = message.get("id"), message.get("method")
        if "id" not in message and "method" not in message:
            return  # heartbeats, and what this worker does not know
        if not isinstance(request, str) or not 1 <= len(request.encode()) <= 128 or not isinstance(method, str):
            raise frames.Violation("a request without an id or a method")
        if request in self.ids:
            raise frames.Violation(f"the id {request} was used before")
        self.ids.add(request)
        try:
            params = message.get("params", {})
            if method not in self.methods:
                raise Failure("internal", f'there is no method "{method}"')
            if not self.greeted and method != "hello":
                raise Failure("internal", f"{method} was requested before hello")
            if not self.prepared and method not in ("hello", "prepare", "ping", "cleanup"):
                raise Failure("internal", f"{method} was requested before prepare")
            result = getattr(self, method)(request, params)
        except Failure as failure:
            self.answer(request, error=failure.fields)
            return
        except (KeyError, TypeError, AttributeError, ValueError) as reason:
            self.answer(request, error=Failure("internal", f"{method}: bad params: {reason!r}").fields)
            return
        if result is not None:
            self.answer(request, result)

    def heartbeat(self):
        self.say("heartbeat", steps=[{"step_id": step.id, "rows": step.rows, "bytes": step.bytes}
                                     for step in self.steps.values() if step.state == "running"])

    def wait(self):
        """Until there is something to read; heartbeats go on meanwhile, also inside a frame."""
        while True:
            moment = time.monotonic()
            if self.timeout and moment >= self.channel.heard + self.timeout:
                raise frames.Violation("the orchestrator is silent")
            if self.interval and moment >= self.beat + self.interval:
                self.heartbeat()
                self.beat = moment
            left = min(self.beat + self.interval, self.channel.heard + self.timeout) - moment if self.interval else None
            if select.select([self.channel.connection], [], [], left)[0]:
                return

    def loop(self):
        while (received := self.channel.receive()) is not None:
            self.handle(*received)
            self.channel.hear()  # nobody listened meanwhile

    def work(self):
        try:
            self.loop()
        except frames.Violation as violation:
            print(f"worker.py: {violation}", file=sys.stderr)
            try:
                self.channel.send({"type": "error", "data": Failure("internal", str(violation)).fields})
            except OSError:
                pass
        except OSError as reason:
            print(f"worker.py: {reason}", file=sys.stderr)
        if not self.cleaned:
            self.stop()
            return 1
        return 0


def describe(paths):
    """The answer to --describe."""
    answer = []
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                names = json.load(file)["drivers"]
            answer.append({"file": path, "abi_version": "1.0", "plugin": "python", "version": VERSION, "adapters": [],
                           "drivers": [{"name": name, "aliases": [], "kind": DRIVERS[name].kind, "version": VERSION,
                                        "spec": DRIVERS[name].spec} for name in names]})
        except (OSError, ValueError, KeyError, TypeError) as reason:
            answer.append({"file": path, "error": f"not a driver file of this worker: {reason!r}"})
    return answer


def main(arguments, kind=Worker):
    if arguments[:1] == ["--describe"]:
        json.dump(describe(arguments[1:]), sys.stdout)
        return 0
    if len(arguments) == 2 and arguments[0] == "--channel-fd":
        return kind(socket.socket(fileno=int(arguments[1]))).work()
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
