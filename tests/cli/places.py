"""Places that can be had on one machine, for the tests of remote runs: each gives the `command` for an exec adapter, and lives in the folder
of its test. Servers listen on loopback only, and are ended by the process id that was started."""

import contextlib
import getpass
import os
import pathlib
import shutil
import socket
import subprocess

from tap import PATIENCE, SANITIZED, Skip, read, wait_until, write

BUSYBOX = shutil.which("busybox", path="/bin:/usr/bin") or ""
SYSTEM_PATH = "/usr/sbin:/sbin:/usr/bin:/bin:" + os.environ.get("PATH", "")
# Where these are missing, the tests that need them are skipped; this names what must not be (scripts/install-packages --test has all).
REQUIRED = os.environ.get("OSIRIS_TEST_PLACES", "")


def program(name):
    return shutil.which(name, path=SYSTEM_PATH)


def need(kind, *programs):
    missing = [name for name in programs if not program(name)]
    if missing:
        assert kind not in REQUIRED.split(), f"the place {kind} needs {missing}"
        raise Skip(f"no {', '.join(missing)} here")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


APPLETS = ("sh", "tar", "gzip", "head", "mkdir", "mv", "rm", "uname", "printf", "cat", "env")


@contextlib.contextmanager
def busybox_root(folder, furnished):
    """A root with busybox and nothing else: no libc, no /proc; if it is not `furnished`, no /etc either."""
    need("root", "bwrap", "busybox")
    if SANITIZED:
        raise Skip("sanitizers need /proc")
    root = pathlib.Path(folder).absolute() / ("furnished" if furnished else "empty")
    for name in ("bin", "dev", "work", *(("etc", "tmp", "root") if furnished else ())):
        (root / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin" / "busybox")
    for applet in APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    if furnished:
        write(root / "etc" / "passwd", "root:x:0:0:root:/root:/bin/sh\n")
        write(root / "etc" / "hosts", "127.0.0.1 localhost\n")
        write(root / "etc" / "nsswitch.conf", "hosts: nonsense files dns\npasswd: nonsense\n")
    command = [program("bwrap"), "--bind", str(root), "/", "--dev", "/dev", "--chdir", "/", "--clearenv", "--setenv", "PATH", "/bin",
               "--setenv", "LD_LIBRARY_PATH", "/nowhere"]
    tried = subprocess.run([*command, "sh", "-c", "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        assert "root" not in REQUIRED.split(), tried.stderr
        raise Skip(f"no namespaces here: {tried.stderr.strip()}")
    yield {"command": command, "folder": "/work"}, root / "work"


SSHD_CONFIG = """Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication {passwords}
KbdInteractiveAuthentication no
AcceptEnv no
Banner {folder}/banner
"""

SSH_CONFIG = """Host box
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/{key}
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile none
  ControlMaster no
"""


@contextlib.contextmanager
def sshd(folder, key="key"):
    """A server of its own on loopback. It prints a banner. With another `key` the client is not known to it."""
    need("ssh", "sshd", "ssh", "ssh-keygen")
    folder = pathlib.Path(folder).absolute()
    folder.mkdir(exist_ok=True)
    for name in ("host_key", "key", "stranger"):
        subprocess.run([program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copy(folder / "key.pub", folder / "authorized_keys")
    write(folder / "banner", "Welcome to the box.\nosiris-relay 0\n")
    port = free_port()
    values = {"port": port, "folder": folder, "user": getpass.getuser(), "key": key, "passwords": "no"}
    write(folder / "known_hosts", f"[127.0.0.1]:{port} {read(folder / 'host_key.pub')}")
    write(folder / "sshd_config", SSHD_CONFIG.format(**values))
    write(folder / "ssh_config", SSH_CONFIG.format(**values))
    if os.getuid() == 0:
        # For the separation of privileges, which only root has.
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    with open(folder / "sshd.log", "w") as log:
        server = subprocess.Popen([program("sshd"), "-D", "-e", "-f", folder / "sshd_config"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until(lambda: accepts(port) or server.poll() is not None, "sshd listens")
        assert server.poll() is None, read(folder / "sshd.log")
        yield {"command": [program("ssh"), "-F", str(folder / "ssh_config"), "box"], "folder": str(folder / "place")}, folder / "place"
    finally:
        end(server)


SLURM_CONFIG = """ClusterName=osiris
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
ReturnToService=2
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 Port={daemon} CPUs=8 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@contextlib.contextmanager
def slurm(folder):
    """A cluster of one node. The place shares the file system."""
    need("slurm", "slurmctld", "slurmd", "munged", "srun", "scontrol")
    folder = pathlib.Path(folder).absolute()
    if os.getuid() != 0:
        assert "slurm" not in REQUIRED.split(), "slurmd must be root"
        raise Skip("slurmd must be root")
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o600)
    host = socket.gethostname().split(".")[0]
    config = write(folder / "slurm.conf", SLURM_CONFIG.format(host=host, controller=free_port(), daemon=free_port(), user=getpass.getuser(),
                                                              folder=folder))
    variables = {**os.environ, "SLURM_CONF": str(config)}
    servers = []

    def begin(*words):
        with open(folder / f"{pathlib.Path(words[0]).name}.log", "w") as log:
            servers.append(subprocess.Popen([program(words[0]), *map(str, words[1:])], env=variables, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log))

    def idle():
        assert all(server.poll() is None for server in servers), [read(path) for path in folder.glob("*.log")]
        done = subprocess.run([program("sinfo"), "-h", "-o", "%T"], env=variables, capture_output=True, text=True, timeout=PATIENCE)
        return done.stdout.strip() == "idle"

    try:
        begin("munged", "-F", "--force", f"--socket={folder}/munge.socket", f"--key-file={folder}/munge.key", f"--pid-file={folder}/munge.pid",
              f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed")
        wait_until((folder / "munge.socket").exists, "munged listens")
        begin("slurmctld", "-D", "-f", config)
        begin("slurmd", "-D", "-f", config, "-N", host)
        wait_until(idle, "the node is idle")
        yield {"command": [program("env"), f"SLURM_CONF={config}", program("srun"), "-n1", "--quiet"], "folder": str(folder / "place"),
               "files": "shared"}, folder / "place"
    finally:
        for server in reversed(servers):
            end(server)
