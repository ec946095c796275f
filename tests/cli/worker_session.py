"""A worker spoken to directly: the orchestrator's end of its channel (tests/protocol/frames.py)."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import threading

from tap import BUILD, SOURCE, assert_equal, assert_in, environment, write

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


class Session:
    """`ours`: osiris-worker with test.generate, else worker.py with py.rows; one step `make`, whose reader is elsewhere."""

    def __init__(self, ours, interval=10000, timeout=60000, driver="test.generate", library="generate"):
        here, there = socket.socketpair()
        here.settimeout(60)
        self.channel = frames.Channel(here, threading.Lock())
        program = [BUILD / "osiris-worker"] if ours else [sys.executable, "-B", SOURCE / "tests" / "protocol" / "worker.py"]
        variables = {name: value for name, value in environment().items() if name.endswith("SAN_OPTIONS")}
        self.process = subprocess.Popen([*program, "--channel-fd", str(there.fileno())], env=variables, pass_fds=[there.fileno()],
                                        stdin=subprocess.DEVNULL, stderr=open("stderr", "w"))
        there.close()
        self.driver = driver if ours else "py.rows"
        self.file = self.find_driver(library) if ours else str(write("python.so", json.dumps({"drivers": ["py.rows"]})))
        self.ask("hello", "hello", protocol=1, version="test", heartbeat_interval_ms=interval, heartbeat_timeout_ms=timeout)
        assert "result" in self.answer("hello")

    def find_driver(self, library):
        if library.endswith(".so"):
            return os.path.abspath(library)
        names = [path for folder in environment()["OSIRIS_DRIVER_PATH"].split(":")
                 for path in pathlib.Path(folder).glob(f"*{library}*.so")]
        return str(names[0])

    def say(self, message, body=b""):
        self.channel.send(message, body)

    def ask(self, id, method, **params):
        self.say({"id": id, "method": method, "params": params})

    def receive(self):
        try:
            received = self.channel.receive()
        except (ConnectionResetError, BrokenPipeError):
            return None
        return received and received[0]

    def answer(self, id):
        while (message := self.receive()) is not None:
            if message.get("id") == id:
                return message
        raise AssertionError(f"the worker left before it answered {id}: {pathlib.Path('stderr').read_text()}")

    def prepare_params(self):
        steps = [{"id": "make", "driver": self.driver, "component": self.driver, "kind": "extractor", "group": 0},
                 {"id": "far", "driver": "x.writer", "component": "x.writer", "kind": "writer", "group": 0}]
        plan = {"pipeline": "p", "steps": steps, "groups": [{"id": 0, "steps": ["make", "far"], "after": []}],
                "edges": [{"id": 0, "from": "make", "to": "far", "output": "df", "input": "df", "mode": "bounded"}]}
        return {"run_id": "run", "plan": plan, "steps": ["make"], "drivers": {self.driver: self.file}, "connections": {},
                "secrets": [], "environment": {}, "artifacts_dir": os.path.abspath("artifacts"),
                "temp_dir": os.path.abspath("tmp"), "queue_bytes": 1 << 20, "spill_bytes": 1 << 20}

    def prepare(self):
        self.ask("prepare", "prepare", **self.prepare_params())
        answer = self.answer("prepare")
        assert "result" in answer, answer
        return self

    def execute(self, id, stream, **config):
        self.ask(id, "execute_step", step_id="make", driver=self.driver, component=self.driver,
                 config=config or {"rows": 10, "batch_rows": 5}, inputs={}, outputs=[{"edge": 0, "stream": stream}])

    def run(self, id, stream):
        self.execute(id, stream)
        self.say({"type": "credit", "data": {"stream": stream, "bytes": 1 << 20}})
        answer = self.answer(id)
        assert "result" in answer, answer

    def is_refused(self, id, words=""):
        answer = self.answer(id)
        assert "error" in answer, answer
        assert_in(words, answer["error"]["message"])

    def goes_on(self):
        self.ask("still there?", "ping")
        assert "result" in self.answer("still there?")
        self.end()

    def is_violated(self, what):
        """It says so, and leaves."""
        said = []
        while (message := self.receive()) is not None:
            said.append(message)
        assert_equal([message["type"] for message in said if message.get("type") == "error"], ["error"], f"{what}: {said}")
        self.end(1)

    def end(self, code=None):
        self.channel.connection.close()
        found = self.process.wait(60)
        assert "Sanitizer" not in pathlib.Path("stderr").read_text(), pathlib.Path("stderr").read_text()
        assert code is None or found != 0, found
