"""A worker behind relays (osiris-worker --start, --relay), and the orchestrator's end of its channel."""

import contextlib
import os
import pathlib
import select
import signal
import subprocess
import sys

from tap import BUILD, PATIENCE, SOURCE, assert_equal, environment, wait_until

try:
    import msgpack  # noqa: F401
except ImportError:
    # The Python that runs the tests need not be the one that has the package.
    done = subprocess.run(["/usr/bin/python3", "-c", "import msgpack"], capture_output=True)
    if done.returncode == 0 and sys.executable != "/usr/bin/python3":
        os.execv("/usr/bin/python3", ["/usr/bin/python3", "-B", *sys.argv])
    print("1..0 # SKIP there is no Python with a msgpack package")
    sys.exit(0)

sys.path.insert(0, str(SOURCE / "tests" / "protocol"))
sys.dont_write_bytecode = True
import frames  # noqa: E402

WORKER = BUILD / "osiris-worker"
GREETING = b"\nosiris-relay 1\n"
SESSION = {"session": "0123456789abcdef", "token": "fedcba9876543210"}
LINK_ENDED, NO_WORKER, FAILED = 96, 97, 98


def variables():
    return {name: value for name, value in environment().items() if name.endswith("SAN_OPTIONS")}


def command(*words, env=None, **options):
    return subprocess.run([WORKER, *map(str, words)], env={**variables(), **(env or {})}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE, **options)


def status(folder):
    done = command("--status", folder)
    assert_equal((done.returncode, done.stderr), (0, ""), "--status")
    return done.stdout.strip()


def kill(folder, how="kill"):
    return command("--kill", folder, how).returncode


def family(folder):
    """Processes of the folder's worker: {pid: name}; a relay's command line names it, too."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.fsencode(folder) in (entry / "cmdline").read_bytes():
                found[int(entry.name)] = (entry / "comm").read_text().strip()
        except OSError:
            pass
    return found


def member(folder, name):
    return next((pid for pid, found in family(folder).items() if found == name), None)


def assert_nothing_left(folder):
    wait_until(lambda: not os.path.lexists(folder), f"{folder} is gone")
    wait_until(lambda: not family(folder), "all processes have ended")


class Relay:
    """A process, its three pipes, and what has come out of them."""

    def __init__(self, how, folder, *options, log_offset=0, env=None, words=(WORKER,), **popen):
        self.process = subprocess.Popen([*words, how, folder, "--log-offset", str(log_offset), *map(str, options)],
                                        env={**(variables() if words[0] == WORKER else os.environ), **(env or {})},
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, bufsize=0, **popen)
        self.log, self.data, self.greeted, self.ended = b"", b"", False, False

    def pump(self, seconds=PATIENCE):
        """Reads once, whatever comes first; False: both have ended."""
        fds = [fd for fd in (None if self.ended else self.process.stdout, self.process.stderr) if fd and not fd.closed]
        if not fds:
            return False
        ready, _, _ = select.select(fds, [], [], seconds)
        assert ready, "the relay says nothing"
        for fd in ready:
            part = os.read(fd.fileno(), 65536)
            if fd is self.process.stderr:
                self.log += part
                if not part:
                    fd.close()
            elif part:
                self.data += part
            else:
                self.ended = True
        if not self.greeted and GREETING in self.data:
            self.greeted, self.data = True, self.data.split(GREETING, 1)[1]
        return True

    def read(self, length):
        """None: the link has ended."""
        while not self.greeted or len(self.data) < length:
            if self.ended or not self.pump():
                return None
        data, self.data = self.data[:length], self.data[length:]
        return data

    def write(self, data):
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self.process.stdin.fileno(), view):]
        except BrokenPipeError:
            pass

    def greeting(self):
        while not self.greeted:
            assert self.pump() and not self.ended, f"no greeting: {self.log} {self.process.wait()}"
        return self

    def finish(self, code=None):
        """Closes its input, reads all, and returns its exit code."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        while self.pump():
            pass
        found = self.process.wait(PATIENCE)
        self.process.stdout.close()
        assert b"Sanitizer" not in self.log, self.log.decode(errors="replace")
        if code is not None:
            assert_equal(found, code, "exit code of the relay", self.log.decode(errors="replace"))
        return found

    def cut(self):
        """As a network does: all at once, in both directions."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()


class Session:
    """The orchestrator's side: keeps what was sent, and resumes over a new relay."""

    def __init__(self, folder, *options, words=(WORKER,), **named):
        self.folder, self.words = folder, words
        self.sent, self.received, self.unsure = 0, 0, {}
        self.answers, self.log = {}, b""
        self.relay = Relay("--start", folder, *options, words=words, **named)

    def hello(self, interval=1000, resume_timeout_ms=60000):
        self.ask("hello", "hello", protocol=1, version="test", heartbeat_interval_ms=interval, heartbeat_timeout_ms=60000,
                 resume_timeout_ms=resume_timeout_ms, **SESSION)
        assert_equal(self.answer("hello")["result"]["resume"], True, "resume")
        return self

    def send(self, message):
        self.sent += 1
        self.unsure[self.sent] = frames.encode_frame(self.sent, frames.encode(message))
        self.relay.greeting().write(self.unsure[self.sent])

    def ask(self, id, method, **params):
        self.send({"id": id, "method": method, "params": params})

    def receive(self):
        """The next message and its body; None: the link has ended."""
        header = self.relay.read(frames.HEADER.size)
        if header is None:
            return None
        length, body_length, sequence = frames.HEADER.unpack(header)
        rest = self.relay.read(length + body_length)
        if rest is None:
            return None
        if sequence:
            assert_equal(sequence, self.received + 1, "sequence")
            self.received = sequence
        message = frames.decode(rest[:length])
        if "id" in message:
            self.answers[message["id"]] = message
        if message.get("type") == "ack":
            for number in [number for number in self.unsure if number <= message["data"]["sequence"]]:
                del self.unsure[number]
        return message, rest[length:]

    def answer(self, id):
        while id not in self.answers:
            assert self.receive() is not None, f"the link ended before {id} was answered: {self.relay.log}"
        return self.answers[id]

    def again(self):
        """A new relay, which goes on where the one before it was cut."""
        self.log += self.relay.log
        self.relay = Relay("--relay", self.folder, log_offset=len(self.log), words=self.words)
        return self.resume()

    def resume(self):
        data = {"session": SESSION["session"], "token": SESSION["token"], "received": self.received}
        self.relay.greeting().write(frames.encode_frame(0, frames.encode({"type": "resume", "data": data})))
        message, _ = self.receive()
        assert_equal(message["type"], "resume", "the first message")
        for number in sorted(self.unsure):
            if number > message["data"]["received"]:
                self.relay.write(self.unsure[number])
        return self

    def prepare(self, *steps, far=True, secrets=(), connections=None):
        """Steps (id, driver, library); `far` reads the first one's rows, elsewhere."""
        plan_steps = [{"id": id, "driver": driver, "component": driver, "kind": kind, "group": 0}
                      for id, driver, _, kind in steps]
        edges = []
        if far:
            plan_steps.append({"id": "far", "driver": "x.writer", "component": "x.writer", "kind": "writer", "group": 0})
            edges = [{"id": 0, "from": steps[0][0], "to": "far", "output": "df", "input": "df", "mode": "bounded"}]
        plan = {"pipeline": "p", "steps": plan_steps, "groups": [{"id": 0, "steps": [s["id"] for s in plan_steps], "after": []}],
                "edges": edges}
        self.ask("prepare", "prepare", run_id="run", plan=plan, steps=[id for id, _, _, _ in steps],
                 drivers={driver: str(library) for _, driver, library, _ in steps}, connections=connections or {},
                 secrets=list(secrets), environment={}, artifacts_dir=f"{self.folder}/artifacts",
                 temp_dir=f"{self.folder}/tmp", queue_bytes=1 << 20, spill_bytes=1 << 20)
        answer = self.answer("prepare")
        assert "result" in answer, answer
        return self

    def prepare_make(self, driver="test.generate", library="generate", **options):
        found = next(BUILD.glob(f"tests/plugins/.libs/{library}.so"))
        return self.prepare(("make", driver, found, "extractor"), **options)

    def make(self, driver="test.generate", stream=1, credit=1 << 20, **config):
        self.ask("make", "execute_step", step_id="make", driver=driver, component=driver, config=config, inputs={},
                 outputs=[{"edge": 0, "stream": stream}])
        self.send({"type": "credit", "data": {"stream": stream, "bytes": credit}})
        return self

    def end(self):
        """In order."""
        self.ask("cleanup", "cleanup")
        self.answer("cleanup")
        self.send({"type": "ack", "data": {"sequence": self.received}})
        return self.relay.finish(0)


@contextlib.contextmanager
def place(folder, name="place"):
    """A folder for a worker; nothing may be left of it in the end."""
    path = f"{folder}/{name}"
    try:
        yield path
        assert_nothing_left(path)
    finally:
        for pid in family(path):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
