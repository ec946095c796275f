"""osiris-worker --listen-fd as docs/protocol.md has it, spoken to directly (tests/protocol/frames.py): who gets in, who does not,
and when it gives up."""

import functools
import os
import pathlib
import signal
import socket
import subprocess

from worker_session import frames  # first: it may start another Python
from tap import Skip, assert_equal, assert_in, main, test, wait_until, BUILD, environment

SESSION = {"session": "0123456789abcdef", "token": "fedcba9876543210"}


class Peer:
    """One connection to a worker; `sent` and `received` go on from link to link."""

    def __init__(self, address, sent=0, received=0):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(60)
        self.connection.connect(address)
        self.sent, self.received = sent, received

    def send(self, message):
        self.sent += 1
        self.connection.sendall(frames.encode_frame(self.sent, frames.encode(message)))

    def ask(self, id, method, **params):
        self.send({"id": id, "method": method, "params": params})

    def read(self, length):
        data = b""
        while len(data) < length:
            part = self.connection.recv(length - len(data))
            if not part:
                return None
            data += part
        return data

    def receive(self):
        """The next message; None at the end."""
        header = self.read(frames.HEADER.size)
        if header is None:
            return None
        length, _, sequence = frames.HEADER.unpack(header)
        message = frames.decode(self.read(length))
        if sequence:
            assert_equal(sequence, self.received + 1, "sequence")
            self.received = sequence
        return message

    def answer(self, id):
        while True:
            message = self.receive()
            assert message is not None, f"the worker left before it answered {id}"
            if message.get("id") == id:
                return message

    def resume(self, session=None, token=None, received=None):
        message = {"type": "resume", "data": {"session": session or SESSION["session"], "token": token or SESSION["token"],
                                              "received": self.received if received is None else received}}
        self.connection.sendall(frames.encode_frame(0, frames.encode(message)))

    def is_shown_out(self):
        """Without a word."""
        try:
            return self.connection.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.connection.close()


class Worker:
    def __init__(self):
        listening = socket.socket(socket.AF_UNIX)
        listening.bind("")
        listening.listen(64)
        self.address = listening.getsockname()
        self.stderr = open("stderr", "w+")
        variables = {name: value for name, value in environment().items() if name.endswith("SAN_OPTIONS")}
        self.process = subprocess.Popen([BUILD / "osiris-worker", "--listen-fd", str(listening.fileno())], env=variables,
                                        pass_fds=[listening.fileno()], stdin=subprocess.DEVNULL, stderr=self.stderr)
        listening.close()

    def greet(self, resume_timeout_ms=60000, **params):
        peer = Peer(self.address)
        peer.ask("hello", "hello", **{"protocol": 1, "version": "test", "heartbeat_interval_ms": 1000,
                                      "heartbeat_timeout_ms": 60000, "resume_timeout_ms": resume_timeout_ms,
                                      **SESSION, **params})
        return peer, peer.answer("hello")["result"]

    def again(self, peer, **resume):
        link = Peer(self.address, peer.sent, peer.received)
        link.resume(**resume)
        return link

    def ends(self):
        code = self.process.wait(60)
        text = pathlib.Path("stderr").read_text()
        assert "Sanitizer" not in text, text
        return code, text


def with_worker(function):
    @functools.wraps(function)
    def run(folder):
        worker = Worker()
        try:
            function(worker)
        finally:
            worker.process.kill()
            worker.process.wait()
    return run


@test
@with_worker
def test_a_link_is_made_again(worker):
    peer, hello = worker.greet()
    assert_equal(hello["resume"], True, "resume")
    peer.ask("one", "ping")
    peer.close()
    link = worker.again(peer)
    # The ping may have come, or not: what it has says the worker's resume.
    resume = link.receive()
    assert_equal(resume["type"], "resume", "the first message")
    assert_equal(resume["data"]["session"], SESSION["session"], "session")
    assert "token" not in resume["data"], resume
    link.sent = resume["data"]["received"]
    if link.sent == 1:
        link.ask("one", "ping")
    assert_equal(link.answer("one")["result"], {}, "the answer")


@test
@with_worker
def test_the_right_peer_replaces_a_link_that_looks_alive(worker):
    peer, _ = worker.greet()
    link = worker.again(peer)
    assert_equal(link.receive()["type"], "resume", "the first message")
    link.ask("two", "ping")
    link.answer("two")
    assert peer.is_shown_out()


@test
@with_worker
def test_nobody_else_gets_in(worker):
    peer, _ = worker.greet()
    for change in ({"token": "0" * 16}, {"token": SESSION["token"][:-1]}, {"session": "another"}):
        assert worker.again(peer, **change).is_shown_out(), change
    stranger = Peer(worker.address)
    stranger.ask("mine", "hello", protocol=1, version="x", **SESSION)
    assert stranger.is_shown_out(), "a second hello"
    for bytes in (b"GET / HTTP/1.1\r\n\r\n", frames.HEADER.pack(1, 0, 0) + b"\xc1", frames.HEADER.pack(70000, 0, 0)):
        stranger = Peer(worker.address)
        stranger.connection.sendall(bytes)
        assert stranger.is_shown_out(), bytes
    # Many who say nothing: they give way to each other, and the session goes on.
    crowd = [Peer(worker.address) for _ in range(20)]
    assert crowd[0].is_shown_out()
    peer.ask("still", "ping")
    peer.answer("still")


@test
@with_worker
def test_a_hello_that_was_lost(worker):
    """The first link broke before any of it came: the session begins with its resume."""
    peer = Peer(worker.address)
    peer.connection.sendall(b"\0\0\0")
    peer.close()
    link = Peer(worker.address)
    link.resume()
    assert_equal(link.receive()["data"]["received"], 0, "received")
    link.ask("other", "hello", protocol=1, version="test", session="another", token="x", resume_timeout_ms=1000)
    assert_in("a different session", link.answer("other")["error"]["message"])
    link.ask("hello", "hello", protocol=1, version="test", resume_timeout_ms=1000, **SESSION)
    assert_equal(link.answer("hello")["result"]["resume"], True, "resume")


@test
@with_worker
def test_it_gives_up(worker):
    peer, _ = worker.greet(resume_timeout_ms=300)
    peer.close()
    code, text = worker.ends()
    assert code != 0
    assert_in("the orchestrator has not reconnected within 300 ms", text)


@test
@with_worker
def test_an_orchestrator_that_cannot_come_back(worker):
    peer, hello = worker.greet(resume_timeout_ms=0)
    assert_equal(hello["resume"], False, "resume")
    peer.close()
    code, text = worker.ends()
    assert code != 0
    assert_in("the orchestrator is gone", text)


@test
@with_worker
def test_silence_is_a_lost_link(worker):
    peer, _ = worker.greet(heartbeat_interval_ms=100, heartbeat_timeout_ms=300)
    while peer.receive() is not None:
        pass
    link = worker.again(peer)
    assert_equal(link.receive()["type"], "resume", "the first message")
    link.ask("two", "ping")
    link.answer("two")


@test
@with_worker
def test_the_end_is_acknowledged(worker):
    peer, _ = worker.greet()
    peer.ask("last", "cleanup")
    peer.answer("last")
    peer.send({"type": "ack", "data": {"sequence": peer.received}})
    peer.close()
    assert_equal(worker.ends()[0], 0, "exit code")


@test
@with_worker
def test_an_end_that_is_not_acknowledged(worker):
    """The last answer may have got lost: it is given again, and SIGTERM ends the waiting."""
    peer, _ = worker.greet()
    received = peer.received
    peer.ask("last", "cleanup")
    peer.answer("last")
    peer.close()
    link = worker.again(peer, received=received)
    link.received = received
    assert_equal(link.receive()["type"], "resume", "the first message")
    assert_equal(link.answer("last")["result"], {}, "the answer, again")
    link.close()
    worker.process.send_signal(signal.SIGTERM)
    assert_equal(worker.ends()[0], 0, "exit code")


def outputs_of(pid):
    """Sizes of what a process has open under no name."""
    found = []
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            if "deleted" in os.readlink(entry):
                found.append(os.stat(entry).st_size)
        except OSError:
            pass
    return found


@test
@with_worker
def test_steps_go_on_without_a_link(worker):
    peer, _ = worker.greet()
    libs = pathlib.Path(BUILD)
    steps = [{"id": "make", "driver": "test.generate", "component": "test.generate", "kind": "extractor", "group": 0},
             {"id": "save", "driver": "csv.writer", "component": "csv.writer", "kind": "writer", "group": 0}]
    plan = {"pipeline": "p", "steps": steps, "groups": [{"id": 0, "steps": ["make", "save"], "after": []}],
            "edges": [{"id": 0, "from": "make", "to": "save", "output": "df", "input": "df", "mode": "bounded"}]}
    here = os.getcwd()
    peer.ask("prepare", "prepare", run_id="r", plan=plan, connections={}, secrets=[], environment={},
             drivers={"test.generate": str(libs / "tests/plugins/.libs/generate.so"), "csv.writer": str(libs / ".libs/csv.so")},
             artifacts_dir=f"{here}/artifacts", temp_dir=f"{here}/scratch", queue_bytes=1 << 20, spill_bytes=1 << 20)
    assert "result" in peer.answer("prepare")
    peer.ask("a", "execute_step", step_id="make", driver="test.generate", component="test.generate",
             config={"rows": 100000, "batch_rows": 1000, "delay_ms": 1}, inputs={})
    peer.ask("b", "execute_step", step_id="save", driver="csv.writer", component="csv.writer",
             config={"path": f"{here}/out.csv"}, inputs={"df": {"edge": 0}})
    # Nothing was received of the answers; the link ends as soon as the worker has the requests.
    wait_until(lambda: len(os.listdir(f"/proc/{worker.process.pid}/task")) >= 4, "the steps run")
    peer.close()
    try:
        outputs_of(worker.process.pid)
    except PermissionError:
        raise Skip("not allowed to look at the worker's files")
    expected = len("id,text\n") + sum(len(f"{n},row {n}\n") for n in range(100000))
    wait_until(lambda: expected in outputs_of(worker.process.pid), "all rows are written while there is no link")
    link = worker.again(peer)
    assert_equal(link.receive()["data"]["received"], 4, "what the worker has")
    assert_equal(link.answer("b")["result"]["metrics"]["rows_written"], 100000, "rows")
    link.ask("odd", "commit", step_ids=["make", "save"], phase="odd")
    assert_in("phase is neither commit nor publish", link.answer("odd")["error"]["message"])
    assert not os.path.exists("out.csv"), "an unknown phase has published"
    link.ask("commit", "commit", step_ids=["make", "save"])
    assert_equal(link.answer("commit")["result"]["published"][0]["bytes"], expected, "bytes")
    assert_equal(os.path.getsize("out.csv"), expected, "the file")


@test
def test_a_descriptor_that_does_not_listen(folder):
    one, two = socket.socketpair()
    done = subprocess.run([BUILD / "osiris-worker", "--listen-fd", str(one.fileno())], pass_fds=[one.fileno()],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert_in("not a listening socket", done.stderr)
    two.close()


if __name__ == "__main__":
    main()
