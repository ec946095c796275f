#!/usr/bin/env python3
"""worker.py in a place whose files are at home (docs/protocol.md, "Files at home"): `home.py KIND --listen-fd N | --describe FILE...`.
KIND `good` keeps to it. The others have one fault each, which comes when py.csv runs; see test_home_protocol.py."""

import csv
import hashlib
import io
import socket
import struct
import sys
import threading

import worker


class Files:
    """The files of a worker, by number."""

    def __init__(self, channel):
        self.channel, self.last, self.changed = channel, 0, threading.Condition()
        self.answers, self.credit, self.closed = {}, {}, {}

    def say(self, type, body=b"", **data):
        self.channel.send({"type": type, "data": data}, body)

    def take(self, type, data, body):
        with self.changed:
            if type == "file_credit":
                self.credit[data["file"]] = self.credit.get(data["file"], 0) + data["bytes"]
            elif type == "file_close":
                self.closed[data["file"]] = data["error"]
            else:
                self.answers[data["file"]] = data
            self.changed.notify_all()

    def wait(self, what):
        with self.changed:
            while not what():
                self.changed.wait()

    def answer(self, number):
        self.wait(lambda: number in self.answers)
        answer = self.answers.pop(number)
        if "error" in answer:
            error = answer["error"]
            raise worker.Failure(error["category"], error["message"], **{k: v for k, v in error.items() if k in ("hint", "native_code")})
        return answer

    def open(self, step, path, kind="output", **more):
        self.last += 1
        self.say("file_open", file=self.last, step_id=step, path=path, kind=kind, **more)
        self.answer(self.last)
        return self.last

    def write(self, number, data):
        while data:
            self.wait(lambda: self.credit.get(number, 0) > 0 or number in self.closed)
            if number in self.closed:
                raise worker.Failure(self.closed[number]["category"], self.closed[number]["message"])
            part = min(len(data), self.credit[number], 1 << 18)
            self.credit[number] -= part
            self.say("file_data", data[:part], file=number)
            data = data[part:]

    def finish(self, number, **then):
        self.say("file_finish", file=number, **then)
        return self.answer(number)


class Csv(worker.Csv):
    def run(self, inputs):
        files, kind = self.step.worker.files, Home.kind
        fault = getattr(Faults, kind.replace("-", "_"), None)
        if fault:
            fault(files, self.step.id)
            raise worker.Failure("internal", "it was not noticed" if threading.Event().wait(30) is False else "")
        self.number = files.open(self.step.id, self.config["path"])
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("id", "text"))
        for batch in inputs["df"]:
            writer.writerows(batch)
            self.step.count(batch)
        files.write(self.number, text.getvalue().encode())
        files.finish(self.number)
        return iter(())

    def commit(self):
        super().commit()
        self.step.worker.files.finish(self.number, then="ready")

    def publish(self):
        return []

    def close(self):
        files = self.step.worker.files
        stream = getattr(Streams, Home.kind.replace("-", "_"), None)
        if stream is None:
            return
        number = files.open(self.step.id, "artifacts", "artifacts")
        try:
            files.write(number, stream())
            files.finish(number)
        except worker.Failure as failure:
            print("told:", failure, file=sys.stderr, flush=True)


def entry(type, path, content=b"", mode=0o644, size=None, mark=b"y", hash=None):
    path = path if isinstance(path, bytes) else path.encode()
    head = type.encode() + struct.pack(">IIQ", len(path), mode, len(content) if size is None else size)
    tail = mark + (hash or hashlib.sha256(content).hexdigest().encode()) if type == "f" else b""
    return head + path + content + tail


END = entry("e", "")


class Streams:
    """Streams of artifacts."""

    @staticmethod
    def good():
        return (entry("f", "one.txt", b"one") + entry("d", "sub", mode=0o755) + entry("f", "sub/two.txt", b"2" * 600000, 0o600) +
                entry("l", "sub/link", b"../one.txt") + entry("f", "changed.txt", b"x", mark=b"n") + entry("l", "out", b"/etc/passwd") + END)

    no_end = staticmethod(lambda: entry("f", "one.txt", b"one"))
    half_a_file = staticmethod(lambda: entry("f", "whole.txt", b"w") + entry("f", "half.txt", b"one", size=1000))
    up = staticmethod(lambda: entry("f", "../up.txt", b"one") + END)
    up_inside = staticmethod(lambda: entry("d", "a") + entry("f", "a/../../up.txt", b"one") + END)
    absolute = staticmethod(lambda: entry("f", "/tmp/osiris-test-absolute.txt", b"one") + END)
    control = staticmethod(lambda: entry("f", "red\x1b[31m", b"one") + END)
    no_text = staticmethod(lambda: entry("f", b"\xff\xfe", b"one") + END)
    nul = staticmethod(lambda: entry("f", "a\0b", b"one") + END)
    dot = staticmethod(lambda: entry("f", "./a", b"one") + END)
    long_path = staticmethod(lambda: entry("f", "x" * 5000, b"one") + END)
    deep = staticmethod(lambda: entry("f", "/".join("x" * 70), b"one") + END)
    other_type = staticmethod(lambda: entry("p", "pipe") + END)
    other_hash = staticmethod(lambda: entry("f", "one.txt", b"one", hash=b"0" * 64) + END)
    after_the_end = staticmethod(lambda: END + END)
    through_a_link = staticmethod(lambda: entry("l", "link", b"..") + entry("f", "link/up.txt", b"one") + END)
    no_folder = staticmethod(lambda: entry("f", "missing/one.txt", b"one") + END)


class Faults:
    """What is not allowed, instead of the run of py.csv."""

    @staticmethod
    def number_again(files, step):
        files.open(step, "a.txt")
        files.say("file_open", file=1, step_id=step, path="b.txt", kind="output")

    @staticmethod
    def number_left_out(files, step):
        files.say("file_open", file=2, step_id=step, path="a.txt", kind="output")

    @staticmethod
    def no_path(files, step):
        files.say("file_open", file=1, step_id=step, kind="output")

    @staticmethod
    def other_kind(files, step):
        files.say("file_open", file=1, step_id=step, path="a.txt", kind="folder")

    @staticmethod
    def no_step(files, step):
        files.say("file_open", file=1, step_id="nobody", path="a.txt", kind="output")

    @staticmethod
    def never_opened(files, step):
        files.say("file_data", b"x", file=1)

    @staticmethod
    def too_much(files, step):
        number = files.open(step, "a.txt")
        files.wait(lambda: files.credit.get(number))
        files.say("file_data", b"x" * files.credit[number], file=number)
        files.say("file_data", b"x" * (1 << 20), file=number)
        files.say("file_data", b"x" * (1 << 20), file=number)
        for _ in range(5):
            files.say("file_data", b"x" * (1 << 20), file=number)

    @staticmethod
    def no_contents(files, step):
        files.say("file_data", file=files.open(step, "a.txt"))

    @staticmethod
    def body_elsewhere(files, step):
        files.say("file_finish", b"x", file=files.open(step, "a.txt"))

    @staticmethod
    def to_an_input(files, step):
        files.say("file_data", b"x", file=files.open(step, "in.txt", "input"))

    @staticmethod
    def input_finished(files, step):
        files.say("file_finish", file=files.open(step, "in.txt", "input"))

    @staticmethod
    def no_credit(files, step):
        files.say("file_credit", file=files.open(step, "in.txt", "input"), bytes=0)

    @staticmethod
    def too_much_credit(files, step):
        files.say("file_credit", file=files.open(step, "in.txt", "input"), bytes=(4 << 20) + 1)

    @staticmethod
    def credit_for_an_output(files, step):
        files.say("file_credit", file=files.open(step, "a.txt"), bytes=1)

    @staticmethod
    def output_closed(files, step):
        files.say("file_close", file=files.open(step, "a.txt"))

    @staticmethod
    def after_aside(files, step):
        number = files.open(step, "a.txt")
        files.write(number, b"x")
        files.finish(number, then="aside")
        files.say("file_data", b"x", file=number)

    @staticmethod
    def codec_that_was_not_offered(files, step):
        number = files.open(step, "a.txt")
        files.wait(lambda: files.credit.get(number))
        files.say("file_data", b"x", file=number, codec="snappy", size=10)

    @staticmethod
    def not_compressed(files, step):
        number = files.open(step, "a.txt")
        files.wait(lambda: files.credit.get(number))
        files.say("file_data", b"x" * 100, file=number, codec="lz4", size=1000)


class Home(worker.Worker):
    kind = None

    def __init__(self, connection):
        super().__init__(connection)
        self.files = Files(self.channel)

    def prepare(self, request, params):
        assert params["files"] == "home", params
        result = super().prepare(request, params)
        return result if self.kind == "too-old" else {**result, "files": "home"}

    def handle(self, message, body):
        if message.get("type", "").startswith("file_"):
            self.files.take(message["type"], message["data"], body)
            return
        super().handle(message, body)


if __name__ == "__main__":
    Home.kind = sys.argv[1]
    worker.DRIVERS["py.csv"] = Csv
    if sys.argv[2] == "--listen-fd":
        connection, _ = socket.socket(fileno=int(sys.argv[3])).accept()
        sys.exit(Home(connection).work())
    sys.exit(worker.main(sys.argv[2:]))
