"""A worker that is reached through relays: osiris-worker --start, --relay, --status, --kill and --sweep (docs/protocol.md)."""

import array
import fcntl
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import termios
import time

from bundles import need_namespaces
from relays import FAILED, LINK_ENDED, NO_WORKER, WORKER, Relay, Session, command, family, kill, member, place, status, variables
from tap import PATIENCE, SANITIZED, Skip, assert_equal, assert_in, main, processes, test, wait_until


def rows_of(session, cut=None):
    """The bytes of all rows until the step's stream ends, with credit; `cut` says when to cut the link."""
    data = b""
    while True:
        got = None if cut and cut(session) else session.receive()
        if got is None:
            session.relay.cut()
            session.again()
            continue
        message, body = got
        assert message.get("type") != "error" and "error" not in message, message
        if message.get("type") in ("batch", "more"):
            data += body
            session.send({"type": "credit", "data": {"stream": 1, "bytes": len(body)}})
        if session.received % 16 == 0:
            session.send({"type": "ack", "data": {"sequence": session.received}})
        if message.get("type") == "end":
            return data


@test
def test_a_run_over_a_relay(folder):
    with place(folder) as path:
        session = Session(path).hello().prepare_make()
        assert re.fullmatch(r"running \d+", status(path)), status(path)
        assert_equal(oct(os.stat(path).st_mode & 0o777), "0o700", "mode")
        worker = int(status(path).split()[1])
        if os.geteuid() == 0:
            assert_equal(os.readlink(f"/proc/{worker}/cwd"), f"{path}/work", "the worker's folder")
        assert_equal(os.getpgid(worker), worker, "its group")
        session.make(rows=1000, batch_rows=100)
        assert len(rows_of(session)) > 1000 * 8
        session.ask("ping", "ping")
        session.answer("ping")
        session.end()
        assert_equal(session.relay.log, b"", "what it has printed")
    assert_equal(status(path), "none", "afterwards")


@test
def test_the_worker_has_nothing_of_its_starter(folder):
    """Neither open files, nor variables, nor its session."""
    with place(folder) as path:
        extra = os.open("/dev/zero", os.O_RDONLY)
        relay = Relay("--start", path, env={"SECRET_OF_MINE": "1", "LANG": "C"}, pass_fds=[extra]).greeting()
        os.close(extra)
        worker, keeper = member(path, "osiris-worker"), member(path, "osiris-keeper")
        worker = int(status(path).split()[1])
        assert keeper not in (None, worker), family(path)
        ours = {os.readlink(f"/proc/{relay.process.pid}/fd/{fd}") for fd in (0, 1, 2)}
        for pid in (worker, keeper):
            assert os.getsid(pid) != os.getsid(relay.process.pid), "a session of its own"
            try:
                held = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
            except PermissionError:
                raise Skip("not allowed to look at the worker's files")
            assert not held & ours and "/dev/zero" not in held, held
        kill(path)
        relay.finish()


@test
def test_the_environment_is_empty_or_the_bundles(folder):
    foreign = {"FOREIGN": "value", "LD_LIBRARY_PATH": "/nowhere", "OPENSSL_CONF": "/etc/other"}
    bundle = {"OSIRIS_BUNDLE": "/a/bundle", "SSL_CERT_FILE": "/a/bundle/etc/certs.pem"}
    for given, expected in (foreign, {}), ({**foreign, **bundle}, bundle):
        with place(folder) as path:
            session = Session(path, env=given).hello().prepare_make()
            session.make(rows=1, print_environment=True)
            session.answer("make")
            session.end()
            lines = session.relay.log.decode().splitlines()
            assert_equal(dict(line.split("=", 1) for line in lines), expected, "variables")


@test
def test_start_again_is_a_relay(folder):
    with place(folder) as path:
        first = Relay("--start", path).greeting()
        worker = status(path)
        second = Relay("--start", path).greeting()
        assert_equal(status(path), worker, "the worker")
        first.finish(LINK_ENDED)
        assert_equal(status(path), worker, "the worker")
        second.cut()
        session = Session(path).hello()
        assert_equal(status(path), worker, "the worker")
        session.end()


@test
def test_many_start_at_once(folder):
    with place(folder) as path:
        relays = [Relay("--start", path) for _ in range(12)]
        for relay in relays:
            relay.greeting()
        keepers = [pid for pid, name in family(path).items() if name == "osiris-keeper"]
        assert_equal(len(keepers), 1, "keepers", family(path))
        assert_equal(list(processes(keepers[0])), [int(status(path).split()[1])], "its children")
        assert_equal(kill(path), 0, "--kill")
        # The worker has shown some of them out: more than four said nothing.
        for relay in relays:
            code = relay.finish()
            assert code in (64 + 9, LINK_ENDED), code


@test
def test_a_start_that_is_cut(folder):
    """At any moment of it: whoever starts again has one worker."""
    for moment in range(12):
        with place(folder, f"place{moment}") as path:
            relay = Relay("--start", path)
            time.sleep(moment / 2000)
            relay.cut()
            session = Session(path).hello()
            names = [name for name in family(path).values() if name == "osiris-keeper"]
            assert_equal(len(names), 1, "keepers", family(path))
            session.end()


@test
def test_a_kill_while_it_starts(folder):
    """Either comes first, and neither waits for the other in vain."""
    with place(folder) as path:
        for _ in range(40):
            relays = [Relay("--start", path) for _ in range(2)]
            killers = [subprocess.Popen([WORKER, "--kill", path, "kill"], env=variables(), stderr=subprocess.PIPE) for _ in range(3)]
            for killer in killers:
                words = killer.communicate()[1]
                assert killer.returncode in (0, NO_WORKER), words
            kill(path)
            for relay in relays:
                code = relay.finish()
                assert code in (64 + 9, LINK_ENDED, NO_WORKER), (code, relay.log)
            kill(path)


@test
def test_links_that_are_cut(folder):
    """At random bytes, in both directions; nothing is lost, nothing comes twice."""
    with place(folder) as path:
        session = Session(path).hello().prepare_make()
        session.make(rows=60000, batch_rows=500, row_bytes=30)
        whole = rows_of(session)
        session.answer("make")
        session.end()
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    print(f"# seed {seed}")
    with place(folder) as path:
        session = Session(path).hello().prepare_make()
        session.make(rows=60000, batch_rows=500, row_bytes=30)
        cuts = [0]

        def cut(session):
            if cuts[0] < 60 and dice.random() < 0.5:
                cuts[0] += 1
                session.relay.read(dice.randrange(1, 30000))
                session.relay.data = b""
                return True
            return False
        assert rows_of(session, cut) == whole, "the rows differ"
        assert cuts[0] >= 20, cuts
        session.answer("make")
        session.end()


def print_text(session, **config):
    session.make(driver="leaky.extractor", **config)
    assert "result" in session.answer("make")


@test
def test_the_log_over_links(folder):
    """A driver prints; a relay with an offset goes on exactly there."""
    with place(folder) as path:
        session = Session(path).hello().prepare_make(driver="leaky.extractor", library="leaky")
        print_text(session, print="y" * 300000 + " words", pad=10)
        expected = b"x" * 10 + b"y" * 300000 + b" words\n"
        for offset in (0, 1, 65535, 65536, 131073, len(expected) - 1, len(expected)):
            relay = Relay("--relay", path, log_offset=offset).greeting()
            while len(relay.log) < len(expected) - offset:
                assert relay.pump()
            relay.cut()
            assert relay.log == expected[offset:], (offset, len(relay.log), relay.log[-100:])
        session.end()
        assert session.relay.log == expected, len(session.relay.log)


@test
def test_the_log_is_limited(folder):
    with place(folder) as path:
        session = Session(path).hello().prepare_make(driver="leaky.extractor", library="leaky")
        print_text(session, print="y" * ((16 << 20) - 100000), pad=200000)
        session.ask("ping", "ping")
        session.answer("ping")
        session.end()
        log = session.relay.log
        assert log[:16 << 20] == b"x" * 200000 + b"y" * ((16 << 20) - 200000), "16 MiB of it"
        assert_equal(log[16 << 20:], b"\nosiris-worker: more than 16777216 bytes were printed; the rest is dropped\n", "the end")


@test
def test_what_is_printed_is_on_no_disk(folder):
    """A driver prints its password. It is masked at home; in the place nobody does that."""
    secret = "canary-of-the-connection"
    with place(folder) as path:
        session = Session(path).hello()
        session.prepare_make(driver="leaky.extractor", library="leaky", connections={"make": {"pin": secret}}, secrets=[secret])
        print_text(session, print="it is {}")
        while secret.encode() not in session.relay.log:
            assert session.relay.pump()
        found = [file for root, _, names in os.walk(path) for name in names for file in [pathlib.Path(root, name)]
                 if file.is_file() and secret.encode() in file.read_bytes()]
        assert_equal(found, [], "files with the secret")
        session.end()


@test
def test_a_worker_that_exits(folder):
    with place(folder) as path:
        session = Session(path).hello().prepare_make()
        session.make(rows=100, batch_rows=10, exit_after=50)
        while session.receive() is not None:
            pass
        session.relay.finish(3)


@test
def test_a_worker_that_crashes(folder):
    if SANITIZED:
        raise Skip("the sanitizer handles the signal")
    with place(folder) as path:
        session = Session(path).hello().prepare_make()
        session.make(rows=100, batch_rows=10, crash_after=50)
        while session.receive() is not None:
            pass
        session.relay.finish(64 + signal.SIGSEGV)
        assert_in("SIGSEGV in step \"make\"", session.relay.log.decode())


@test
def test_the_end_is_told_to_a_relay_that_comes_late(folder):
    """The worker ends while there is no link; the one that is made then hears of it."""
    with place(folder) as path:
        session = Session(path).hello()
        session.relay.cut()
        worker, keeper = int(status(path).split()[1]), member(path, "osiris-keeper")
        os.kill(keeper, signal.SIGSTOP)
        os.kill(worker, signal.SIGKILL)
        relay = Relay("--relay", path).greeting()
        os.kill(keeper, signal.SIGCONT)
        relay.finish(64 + 9)


@test
def test_a_worker_whose_orchestrator_has_gone(folder):
    with place(folder) as path:
        session = Session(path).hello(resume_timeout_ms=200)
        session.relay.cut()


@test
def test_what_a_driver_has_detached(folder):
    with place(folder) as path:
        session = Session(path).hello().prepare_make(driver="test.source", library="faulty")
        session.make(driver="test.source", detach=f"{folder}/detached", at="run", how="interruptible")
        pid = int(wait_until(lambda: os.path.exists(f"{folder}/detached") and pathlib.Path(f"{folder}/detached").read_text(),
                             "it is there"))
        assert os.path.exists(f"/proc/{pid}")
        assert_equal(kill(path), 0, "--kill")
        assert not os.path.exists(path), "--kill has waited until the folder is gone"
        wait_until(lambda: not os.path.exists(f"/proc/{pid}") or processes()[pid][2] == "Z", "it has ended")
        session.relay.finish(64 + 9)


@test
def test_a_worker_that_is_asked_to_end(folder):
    with place(folder) as path:
        session = Session(path).hello().prepare_make()
        session.make(rows=1000, batch_rows=10, hang_after=20)
        assert_equal(kill(path, "ask"), 0, "--kill ask")
        code = session.relay.finish()
        assert code in (1, 64 + 9), code
        assert_in("stopped by a signal", session.relay.log.decode())
    assert_equal([kill(path, "ask"), kill(path)], [NO_WORKER] * 2, "--kill of nobody")
    assert_equal(Relay("--relay", path).finish(), NO_WORKER, "--relay to nobody")


@test
def test_a_keeper_that_is_killed(folder):
    """The worker ends, and the next command clears the rest."""
    for how in "start", "kill", "sweep":
        with place(folder, how) as path:
            session = Session(path).hello().prepare_make()
            worker = int(status(path).split()[1])
            os.kill(member(path, "osiris-keeper"), signal.SIGKILL)
            session.relay.finish(NO_WORKER)
            if how == "kill":
                assert_equal(kill(path), 0, "--kill")
            wait_until(lambda: worker not in processes() or processes()[worker][2] == "Z", "the worker has ended")
            if how == "sweep":
                assert_equal(status(path), "none", "status")
                assert os.path.exists(path)
                assert_equal(command("--sweep", folder).returncode, 0, "--sweep")
            if how == "start":
                again = Session(path).hello()
                assert int(status(path).split()[1]) != worker
                again.end()


@test
def test_sweep_leaves_others_alone(folder):
    with place(folder, "parent/alive") as path:
        session = Session(path).hello()
        mine = pathlib.Path(folder, "parent", "mine")
        mine.mkdir(mode=0o700)
        (mine / "file").write_text("x")
        (mine.parent / "link").symlink_to(path)
        assert_equal(command("--sweep", mine.parent).returncode, 0, "--sweep")
        assert (mine / "file").exists() and re.match("running", status(path))
        session.end()


@test
def test_a_folder_that_was_replaced(folder):
    """Somebody has removed it, and another worker has it now: the keeper of the first one leaves it alone."""
    with place(folder) as path:
        old = Session(path).hello()
        os.rename(path, f"{path}-moved")
        new = Session(path).hello()
        worker = status(path)
        old.end()
        wait_until(lambda: len([1 for name in family(path).values() if name == "osiris-keeper"]) == 1, "one keeper is gone")
        assert_equal(status(path), worker, "the other one")
        new.end()
    shutil.rmtree(f"{path}-moved")


@test
def test_a_starter_that_ignores_its_children(folder):
    """Ignored signals are inherited; the keeper must hear of its worker's end nevertheless."""
    with place(folder) as path:
        session = Session(path, preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)).hello()
        session.end()


@test
def test_a_full_disk(folder):
    """One line says so, and nothing remains."""
    need_namespaces()
    script = ('mkdir disk && mount -t tmpfs -o size=4k none disk && head -c 4096 /dev/zero >disk/full && '
              '"$1" --start "$PWD/disk/place"; code=$?; ls disk; exit $code')
    done = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", WORKER], cwd=folder,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert_equal((done.returncode, done.stdout), (FAILED, "full\n"), "exit code and files", done.stderr)
    assert re.fullmatch("osiris-worker: relay: cannot write into the folder .*: No space left on device\n", done.stderr), done.stderr
    wait_until(lambda: not family(f"{folder}/disk/place"), "all processes have ended")


@test
def test_two_workers(folder):
    with place(folder, "one") as one, place(folder, "two") as two:
        sessions = [Session(one).hello(), Session(two).hello()]
        assert status(one) != status(two)
        sessions[0].end()
        assert re.match("running", status(two))
        sessions[1].end()


@test
def test_a_long_path(folder):
    deep = "/".join(["a-folder-with-a-name-that-is-not-short"] * 20)
    with place(folder, deep) as path:
        session = Session(path).hello()
        session.relay.cut()
        session.again()
        session.end()


@test
def test_folders_that_are_refused(folder):
    def refused(path, words):
        done = command("--start", path)
        assert_equal((done.returncode, done.stdout), (FAILED, ""), "exit code", done.stderr)
        assert re.fullmatch(f"osiris-worker: relay: .*{words}.*\n", done.stderr), done.stderr
    open_to_all = pathlib.Path(folder, "open")
    open_to_all.mkdir()
    open_to_all.chmod(0o750)
    refused(open_to_all, "others may use the folder")
    private = pathlib.Path(folder, "private")
    private.mkdir(mode=0o700)
    pathlib.Path(folder, "link").symlink_to(private)
    refused(f"{folder}/link", "is a link or not a folder")
    refused("relative", "is not an absolute path")
    (private / "mine").write_text("x")
    refused(private, "has other files in it")
    assert_equal(os.listdir(private), ["mine"], "its files")
    refused("/proc/nowhere/place", "cannot create the folder")
    if os.geteuid() == 0:
        other = pathlib.Path(folder, "other")
        other.mkdir(mode=0o700)
        os.chown(other, 1, 1)
        refused(other, "belongs to another user")
    for words in ["--start"], ["--relay"], ["--start", "/x", "--log-offset"], ["--start", "/x", "--log-offset", "-1"], \
            ["--relay", "/x", "--remove", "/y"], ["--start", "/x", "--remove", "y"], ["--kill", "/x"], ["--status"], ["--sweep", "x"]:
        done = command(*words)
        assert_equal((done.returncode, done.stdout), (FAILED, ""), str(words))
        assert re.fullmatch("osiris-worker: relay: .*\n", done.stderr), done.stderr


@test
def test_what_is_removed_in_the_end(folder):
    bundle = pathlib.Path(folder, "bundle")
    (bundle / "deep" / "er").mkdir(parents=True)
    (bundle / "deep" / "er" / "file").write_text("x")
    archive = pathlib.Path(folder, "archive")
    archive.write_text("x")
    outside = pathlib.Path(folder, "outside")
    outside.mkdir()
    (bundle / "link").symlink_to(outside)
    with place(folder) as path:
        session = Session(path, "--remove", bundle, "--remove", archive, "--remove", f"{folder}/missing").hello()
        pathlib.Path(path, "work", "left").write_text("x")
        pathlib.Path(path, "tmp", "a").mkdir(mode=0)
        session.end()
    assert not bundle.exists() and not archive.exists() and outside.exists()


@test
def test_an_output_that_is_full(folder):
    """Nobody reads, and another link takes its place: the relay notices that, and gives up."""
    with place(folder) as path:
        session = Session(path).hello().prepare_make()
        session.make(rows=20000, batch_rows=500, row_bytes=100)
        stuck = session.relay
        wait_until(lambda: pipe_is_full(stuck.process.stdout), "the pipe is full")
        session.relay = Relay("--relay", path)
        session.resume()
        assert_equal(stuck.process.wait(PATIENCE), LINK_ENDED, "exit code of the one that was stuck")
        assert len(rows_of(session)) > 20000 * 100
        session.end()
        for stream in (stuck.process.stdin, stuck.process.stdout, stuck.process.stderr):
            stream.close()


def pipe_is_full(pipe):
    held = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, held)
    return held[0] >= 32768  # its pages may be filled in part


@test
def test_a_relay_that_is_stopped(folder):
    """Another one takes its place; when it goes on it ends."""
    with place(folder) as path:
        session = Session(path).hello()
        old = session.relay
        old.process.send_signal(signal.SIGSTOP)
        session.relay = Relay("--relay", path)
        session.resume()
        session.ask("ping", "ping")
        session.answer("ping")
        old.process.send_signal(signal.SIGCONT)
        old.finish(LINK_ENDED)
        session.end()


@test
def test_a_reader_that_is_gone(folder):
    """Nobody reads the output any more: the relay delivers what was sent before, and ends the link."""
    with place(folder) as path:
        session = Session(path).hello()
        session.ask("cleanup", "cleanup")
        session.answer("cleanup")
        # As the orchestrator does in the end: a last ack, and both are closed.
        session.relay.process.send_signal(signal.SIGSTOP)
        session.send({"type": "ack", "data": {"sequence": session.received}})
        session.relay.process.stdin.close()
        session.relay.process.stdout.close()
        session.relay.ended = True
        session.relay.process.send_signal(signal.SIGCONT)
        session.relay.finish(0)


@test
def test_only_the_output_is_closed(folder):
    with place(folder) as path:
        session = Session(path).hello()
        session.relay.process.stdout.close()
        session.relay.ended = True
        relay = session.relay
        while relay.pump():
            pass
        assert_equal(relay.process.wait(PATIENCE), LINK_ENDED, "exit code")
        relay.process.stdin.close()
        session.again()
        session.end()


if __name__ == "__main__":
    main()
