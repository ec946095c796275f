"""Detached workers and their relays (docs/protocol.md, "A detached worker"): osiris-worker --start, --relay, --status, --kill, --sweep
and --prune, with the orchestrator's end spoken by hand."""

import os
import pathlib
import re
import random

import select

import signal
import subprocess
import sys
import threading

from tap import BUILD, PATIENCE, SOURCE, assert_equal, assert_in, environment, main, test, wait_until

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

GREETING = b"\nosiris-relay 1\n"
SESSION = {"session": "0123456789abcdef", "token": "fedcba9876543210"}
LINK_ENDED, NO_WORKER, FAILED, SIGNALLED = 96, 97, 98, 64
WORKER = [str(BUILD / "osiris-worker")]


def variables():
    return {name: value for name, value in environment().items() if name.endswith("SAN_OPTIONS")}


def command(*arguments):
    return subprocess.run([*WORKER, *map(str, arguments)], capture_output=True, text=True, env=variables(), timeout=PATIENCE)


class Relay:
    """One relay, as an adapter sees it: three pipes and an exit code."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([*WORKER, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=variables(), bufsize=0)
        self.errors, self.first = b"", None
        self.reader = threading.Thread(target=self.read_log)
        self.reader.start()

    def read_log(self):
        while part := self.process.stderr.read(65536):
            self.errors += part

    @property
    def log(self):
        """The worker's, from the pieces that have arrived; or what the relay says itself."""
        errors, _, self.said_end = self.errors.partition(b"\nosiris-end ")
        pieces = re.split(rb"\nosiris-log (\d+) (\d+)\n", errors)
        log = pieces[0]
        for offset, length, piece in zip(pieces[1::3], pieces[2::3], pieces[3::3]):
            self.first = self.first if self.first is not None else int(offset)
            assert len(piece) <= int(length), pieces
            log += piece
        return log

    def read(self, length):
        data = b""
        while len(data) < length:
            ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            assert ready, "nothing comes from the relay"
            part = os.read(self.process.stdout.fileno(), length - len(data))
            if not part:
                return None
            data += part
        return data

    def greets(self):
        assert_equal(self.read(len(GREETING)), GREETING, "the greeting")
        return self

    def write(self, data):
        view = memoryview(data)
        while view:
            view = view[os.write(self.process.stdin.fileno(), view):]

    def end(self):
        self.process.stdin.close()
        return self.ends()

    def ends(self):
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        self.process.stdout.close()
        assert b"Sanitizer" not in self.log, self.log
        return code


class Peer:
    """The orchestrator's end of the channel, over one relay after the other."""

    def __init__(self, relay):
        self.relay, self.sent, self.received = relay, 0, 0

    def send(self, message):
        self.sent += 1
        self.relay.write(frames.encode_frame(self.sent, frames.encode(message)))

    def ask(self, id, method, **params):
        self.send({"id": id, "method": method, "params": params})

    def receive(self):
        """The next message with its body; None: the link has ended, perhaps in a frame."""
        header = self.relay.read(frames.HEADER.size)
        if header is None:
            return None
        length, length_of_body, sequence = frames.HEADER.unpack(header)
        text, body = self.relay.read(length), self.relay.read(length_of_body)
        if text is None or body is None:
            return None
        message = {**frames.decode(text), "body": body}
        if sequence:
            assert_equal(sequence, self.received + 1, "sequence")
            self.received = sequence
        return message

    def answer(self, id):
        while True:
            message = self.receive()
            assert message is not None, f"the worker left before it answered {id}: {self.relay.log}"
            if message.get("id") == id:
                return message

    def greet(self, **params):
        self.ask("hello", "hello", **{"protocol": 1, "version": "test", "heartbeat_interval_ms": 1000,
                                      "heartbeat_timeout_ms": 60000, "resume_timeout_ms": 60000, **SESSION, **params})
        return self.answer("hello")["result"]

    def resume(self, relay):
        self.relay = relay.greets()
        message = {"type": "resume", "data": {**SESSION, "received": self.received}}
        self.relay.write(frames.encode_frame(0, frames.encode(message)))
        answer = self.receive()
        assert_equal(answer["type"], "resume", "the first message")
        return answer["data"]["received"]

    def clean_up(self):
        self.ask("last", "cleanup")
        assert_equal(self.answer("last")["result"], {}, "the answer")
        self.send({"type": "ack", "data": {"sequence": self.received}})
        return self.relay.end()


def begin(folder, *options):
    peer = Peer(Relay("--start", folder, *options).greets())
    peer.greet()
    return peer


def pids(folder):
    wait_until((folder / "pid").exists, "the numbers of the processes are on record")
    return [int(word) for word in (folder / "pid").read_text().split()]


def is_alive(pid):
    try:
        return "Z" not in pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return False


def all_gone(folder, processes):
    wait_until(lambda: not folder.exists(), "the folder is gone")
    wait_until(lambda: not any(map(is_alive, processes)), "the processes are gone")


@test
def test_a_session(folder):
    place = folder / "place"
    peer = begin(place)
    processes = pids(place)
    assert_equal(place.stat().st_mode & 0o777, 0o700, "mode")
    assert_equal(sorted(path.name for path in place.iterdir()),
                 ["artifacts", "lock", "log", "pid", "socket", "tmp", "work"], "the folder")
    assert_equal(command("--status", place).stdout, f"running {processes[1]}\n", "status")
    peer.ask("one", "ping")
    peer.answer("one")
    assert_equal(os.readlink(f"/proc/{processes[1]}/cwd") if os.access(f"/proc/{processes[1]}/cwd", os.R_OK) else str(place / "work"),
                 str(place / "work"), "the working directory")
    assert_equal(peer.clean_up(), 0, "exit code")
    all_gone(place, processes)
    assert_equal(command("--status", place).stdout, "none\n", "status")
    assert_equal(Relay("--relay", place).ends(), NO_WORKER, "a relay without a worker")


@test
def test_start_again_is_a_relay(folder):
    place = folder / "place"
    peer = begin(place)
    processes = pids(place)
    peer.relay.process.kill()
    peer.relay.ends()
    assert_equal(peer.resume(Relay("--start", place)), 1, "what the worker has")
    assert_equal(pids(place), processes, "the same processes")
    assert_equal(peer.clean_up(), 0, "exit code")
    all_gone(place, processes)


@test
def test_many_start_at_once(folder):
    place = folder / "place"
    # The worker's door admits so many that have not said hello.
    relays = [Relay("--start", place) for _ in range(4)]
    for relay in relays:
        relay.greets()
    processes = pids(place)
    for relay in relays[1:]:
        assert_equal(relay.end(), LINK_ENDED, "exit code")
    assert_equal(pids(place), processes, "one worker")
    peer = Peer(relays[0])
    peer.greet()
    assert_equal(peer.clean_up(), 0, "exit code")
    all_gone(place, processes)


def prepare(peer, place):
    library = BUILD / "tests/plugins/.libs/generate.so"
    steps = [{"id": "make", "driver": "test.generate", "component": "test.generate", "kind": "extractor", "group": 0},
             {"id": "far", "driver": "x.writer", "component": "x.writer", "kind": "writer", "group": 0}]
    plan = {"pipeline": "p", "steps": steps, "groups": [{"id": 0, "steps": ["make", "far"], "after": []}],
            "edges": [{"id": 0, "from": "make", "to": "far", "output": "df", "input": "df", "mode": "bounded"}]}
    peer.ask("prepare", "prepare", run_id="run", plan=plan, steps=["make"], drivers={"test.generate": str(library)}, connections={},
             secrets=[], environment={}, artifacts_dir=str(place / "artifacts"), temp_dir=str(place / "tmp"), queue_bytes=1 << 20,
             spill_bytes=1 << 20)
    answer = peer.answer("prepare")
    assert "result" in answer, answer


def execute(peer, id, stream, rows):
    peer.ask(id, "execute_step", step_id="make", driver="test.generate", component="test.generate",
             config={"rows": rows, "batch_rows": 500}, inputs={}, outputs=[{"edge": 0, "stream": stream}])
    peer.send({"type": "credit", "data": {"stream": stream, "bytes": 1 << 20}})


def stream_of(peer, id):
    """All bytes of the stream, until the step and the stream have ended; what arrives is acknowledged."""
    bodies, answered, ended = [], False, False
    while not (answered and ended):
        message = peer.receive()
        if message is None:
            return None
        bodies.append(message["body"])
        answered = answered or message.get("id") == id
        ended = ended or message.get("type") == "end"
        if peer.received % 8 == 0:
            peer.send({"type": "ack", "data": {"sequence": peer.received}})
    return b"".join(bodies)


@test
def test_cut_links(folder):
    """Relays that are killed at random moments: each byte of the stream arrives once."""
    place = folder / "place"
    peer = begin(place)
    processes = pids(place)
    prepare(peer, place)
    execute(peer, "whole", 1, 8000)
    whole = stream_of(peer, "whole")
    peer.ask("undo", "abort", step_ids=["make"])
    peer.answer("undo")
    random.seed(7)
    kept = []  # what was sent and may have been lost

    original = Peer.send

    def send(message):
        kept.append((peer.sent + 1, message))
        try:
            original(peer, message)
        except BrokenPipeError:
            pass
    peer.send = send
    execute(peer, "cut", 2, 8000)
    data, answered, ended, cuts = [], False, False, 0
    pending = random.randint(1, 30000)
    while not (answered and ended):
        message = peer.receive()
        if message is None:
            peer.relay.ends()
            has = peer.resume(Relay("--relay", place, "--log-offset", 0))
            for number, old in [entry for entry in kept if entry[0] > has]:
                peer.relay.write(frames.encode_frame(number, frames.encode(old)))
            continue
        data.append(message["body"])
        pending -= len(message["body"]) + 100
        answered = answered or message.get("id") == "cut"
        ended = ended or message.get("type") == "end"
        if pending < 0:
            peer.relay.process.kill()
            cuts += 1
            pending = random.randint(30000, 60000)
        if peer.received % 8 == 0:
            send({"type": "ack", "data": {"sequence": peer.received}})
    assert cuts > 2, cuts
    assert b"".join(data) == whole, "the bytes differ"
    peer.relay.process.kill()
    peer.relay.ends()
    command("--kill", place, "kill")
    all_gone(place, processes)


@test
def test_ends(folder):
    """How the worker ends is the relay's exit code, and its last words come before it."""
    for number, (end, code) in enumerate([(lambda k, w: os.kill(w, signal.SIGKILL), SIGNALLED + 9),
                                          (lambda k, w: os.kill(k, signal.SIGTERM), SIGNALLED + 9),
                                          (lambda k, w: os.kill(k, signal.SIGUSR1), SIGNALLED + 9)]):
        place = folder / f"place{number}"
        peer = begin(place)
        processes = pids(place)
        end(*processes)
        assert_equal(peer.relay.ends(), code, f"exit code {number}")
        assert peer.relay.errors.endswith(b"\nosiris-end signalled 9\n"), peer.relay.errors
        if number == 1:
            assert_in(b"stopped by a signal", peer.relay.log)
        all_gone(place, processes)


@test
def test_an_end_without_a_link(folder):
    """The status waits a moment for whoever asks."""
    place = folder / "place"
    peer = begin(place)
    processes = pids(place)
    peer.relay.process.kill()
    peer.relay.ends()
    os.kill(processes[1], signal.SIGKILL)
    wait_until(lambda: not is_alive(processes[1]), "the worker is gone")
    wait_until(lambda: (place / "status").exists(), "the status is there")
    relay = Relay("--relay", place)
    assert_equal(relay.ends(), SIGNALLED + 9, "exit code")
    all_gone(place, processes)


@test
def test_a_killed_keeper(folder):
    place = folder / "place"
    peer = begin(place)
    processes = pids(place)
    os.kill(processes[0], signal.SIGKILL)
    assert_equal(peer.relay.ends(), NO_WORKER, "exit code")
    wait_until(lambda: not any(map(is_alive, processes)), "the processes are gone")
    assert place.exists(), "nobody was there to remove it"
    busy = begin(folder / "busy")
    others = pids(folder / "busy")
    (folder / "unrelated").mkdir()
    assert_equal(command("--sweep", folder).returncode, 0, "exit code")
    assert_equal(sorted(path.name for path in folder.iterdir()), ["busy", "unrelated"], "what is left")
    assert_equal(busy.clean_up(), 0, "exit code")
    all_gone(folder / "busy", others)


@test
def test_kill(folder):
    place = folder / "place"
    peer = begin(place)
    processes = pids(place)
    assert_equal(command("--kill", place, "ask").returncode, 0, "exit code")
    assert_equal(peer.relay.ends(), SIGNALLED + 9, "exit code of the relay")
    all_gone(place, processes)
    peer = begin(place)
    processes = pids(place)
    done = command("--kill", place, "kill")
    assert_equal((done.returncode, done.stderr), (0, ""), "kill")
    assert not place.exists()
    peer.relay.ends()
    all_gone(place, processes)
    assert_equal(command("--kill", place, "kill").returncode, 0, "exit code where nothing is")
    peer = begin(place)
    processes = pids(place)
    os.kill(processes[0], signal.SIGSTOP)
    done = command("--kill", place, "kill")
    assert_equal((done.returncode, done.stderr), (0, ""), "kill with a stopped keeper")
    peer.relay.ends()
    all_gone(place, processes)


@test
def test_the_log_over_several_links(folder):
    place = folder / "place"
    peer = begin(place)
    processes = pids(place)
    words = b""
    for number in range(4):
        # Refused connections do not print; a link that is silent does. A stranger's greeting is not a resume.
        with open(place / "log", "ab") as log:
            log.write(b"line %d\n" % number)
        wait_until(lambda: b"line %d\n" % number in peer.relay.log, "the line arrives")
        peer.relay.process.kill()
        peer.relay.ends()
        words += peer.relay.log
        peer.resume(Relay("--relay", place, "--log-offset", len(words)))
    assert_equal(peer.clean_up(), 0, "exit code")
    words += peer.relay.log
    assert_equal(words, b"".join(b"line %d\n" % number for number in range(4)), "the log")
    all_gone(place, processes)


@test
def test_a_full_log(folder):
    """Whatever the worker prints, the file is bounded, and the worker does not wait."""
    place = folder / "place"
    peer = begin(place, "--log-limit", 10)
    processes = pids(place)
    peer.send({"type": "resume", "data": {}})
    peer.relay.ends()
    text = peer.relay.log
    assert_equal(len(text.partition(b"\nosiris-worker: the log is full; what follows is dropped\n")[0]), 10, f"length of {text}")
    all_gone(place, processes)


@test
def test_a_full_output(folder):
    """Nobody reads the relay's output: the worker ends, and so do relay and keeper."""
    place = folder / "place"
    relay = Relay("--start", place).greets()
    peer = Peer(relay)
    peer.greet(resume_timeout_ms=0)
    processes = pids(place)
    prepare(peer, place)
    peer.ask("much", "execute_step", step_id="make", driver="test.generate", component="test.generate",
             config={"rows": 1000000, "batch_rows": 5000}, inputs={}, outputs=[{"edge": 0, "stream": 1}])
    peer.send({"type": "credit", "data": {"stream": 1, "bytes": 1 << 20}})
    wait_until(lambda: select.select([relay.process.stdout], [], [], 0)[0], "data comes")
    os.kill(processes[1], signal.SIGKILL)
    assert_equal(relay.ends(), SIGNALLED + 9, "exit code")
    all_gone(place, processes)


@test
def test_bad_folders(folder):
    (folder / "open").mkdir(mode=0o755)
    (folder / "open").chmod(0o755)
    (folder / "link").symlink_to(folder / "target")
    (folder / "target").mkdir(mode=0o700)
    (folder / "file").write_text("")
    for name, words in (("open", "open to other users (mode 0755, not 0700)"), ("link", "cannot use the folder"),
                        ("file", "cannot use the folder"), ("missing/place", "cannot create the folder")):
        relay = Relay("--start", folder / name)
        assert_equal(relay.ends(), FAILED, f"exit code of {name}")
        assert_in(words.encode(), relay.log)
    assert_equal(list((folder / "target").iterdir()), [], "nothing went through the link")
    relay = Relay("--start", "relative")
    assert_equal(relay.ends(), FAILED, "exit code")
    assert_in(b"absolute", relay.log)
    for arguments in (["--start"], ["--start", "/x", "--log-offset", "-1"], ["--start", "/x", "--remove-bundle"], ["--kill", "/x", "softly"],
                      ["--relay", "/x", "--bundle", "/y"], ["--prune", "/x", "many"]):
        assert_equal(command(*arguments).returncode, 2, arguments)


@test
def test_a_long_path(folder):
    place = folder
    while len(str(place)) < 300:
        place /= "a-folder-with-a-long-name"
    place.parent.mkdir(parents=True)
    peer = begin(place)
    processes = pids(place)
    assert_equal(peer.clean_up(), 0, "exit code")
    all_gone(place, processes)


@test
def test_two_workers(folder):
    one, two = begin(folder / "one"), begin(folder / "two")
    processes = pids(folder / "one") + pids(folder / "two")
    assert len(set(processes)) == 4, processes
    assert_equal((one.clean_up(), two.clean_up()), (0, 0), "exit codes")
    all_gone(folder / "one", processes)
    all_gone(folder / "two", processes)


@test
def test_nothing_of_the_starter_is_held(folder):
    """Whoever waits for the end of the pipes does not wait for the worker."""
    place = folder / "place"
    relay = Relay("--start", place).greets()
    processes = pids(place)
    relay.process.kill()
    assert_equal(relay.process.stdout.read(), b"", "the output has ended")
    relay.ends()
    assert all(map(is_alive, processes)), "the worker lives"
    assert_equal(command("--kill", place, "kill").returncode, 0, "kill")
    all_gone(place, processes)


@test
def test_bundles(folder):
    """Bundles in use stay; of the others the newest do."""
    bundles = folder / "bundles"
    for number in range(5):
        (bundles / f"b{number}" / "bin").mkdir(parents=True)
        os.utime(bundles / f"b{number}", (1000 + number, 1000 + number))
    (bundles / "b9.new.17").mkdir()
    (bundles / "b8.new.4").mkdir()
    os.utime(bundles / "b8.new.4", (1000, 1000))
    peer = begin(folder / "place", "--bundle", bundles / "b0", "--remove-bundle")
    other = begin(folder / "other", "--bundle", bundles / "b0")
    processes = pids(folder / "place") + pids(folder / "other")
    os.utime(bundles / "b0", (1, 1))
    assert_equal(command("--prune", bundles, 2).returncode, 0, "exit code")
    assert_equal(sorted(path.name for path in bundles.iterdir()), ["b0", "b3", "b4", "b9.new.17"], "what is left")
    assert_equal(peer.clean_up(), 0, "exit code")
    all_gone(folder / "place", processes[:2])
    assert (bundles / "b0").exists(), "the other worker uses it"
    assert_equal(other.clean_up(), 0, "exit code")
    all_gone(folder / "other", processes)
    peer = begin(folder / "place", "--bundle", bundles / "b0", "--remove-bundle")
    processes = pids(folder / "place")
    assert_equal(peer.clean_up(), 0, "exit code")
    all_gone(folder / "place", processes)
    assert_equal(sorted(path.name for path in bundles.iterdir()), ["b3", "b4", "b9.new.17"], "what is left")


if __name__ == "__main__":
    main()
