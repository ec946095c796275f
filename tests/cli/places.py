"""Places that can be had on one machine, for the tests of remote runs. Each is a context that gives the options of an exec adapter, and
the folder in which that works, as this machine sees it. It lives in a folder of its test. Servers listen on loopback only, and are ended
by the process id that was started.

A place that this machine cannot have causes a skip that says why. Where OSIRIS_TEST_PLACES names it (scripts/test), that is a failure."""

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
REQUIRED = os.environ.get("OSIRIS_TEST_PLACES", "").split()


def program(name):
    return shutil.which(name, path=SYSTEM_PATH)


def refuse(kind, why):
    assert kind not in REQUIRED, f"the place \"{kind}\" must be there: {why}"
    raise Skip(f"no place \"{kind}\" here: {why}")


def need(kind, *programs):
    missing = [name for name in programs if not program(name)]
    if missing:
        refuse(kind, f"there is no {', '.join(missing)} (scripts/install-packages --test)")


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


@contextlib.contextmanager
def pipes(folder):
    """This machine, without anything in between."""
    yield {"command": ["env"], "folder": str(folder / "place")}, folder / "place"


# Roots with busybox.

# What docs/exec.md says that a place needs.
MINIMUM = ("sh", "tar", "gzip", "head", "mkdir", "mv", "rm", "rmdir", "uname")


def make_root(kind, folder, applets):
    need(kind, "busybox")
    if SANITIZED:
        raise Skip("sanitizers need /proc")
    if subprocess.run([BUSYBOX, "true"], env={"LD_LIBRARY_PATH": "/nowhere"}).returncode != 0:
        refuse(kind, "busybox does not run")
    root = folder.absolute() / "root"
    for name in ("bin", "dev", "work"):
        (root / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin" / "busybox")
    for applet in applets:
        (root / "bin" / applet).symlink_to("busybox")
    return root


def try_out(kind, command):
    tried = subprocess.run([*command, "true"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if tried.returncode != 0:
        refuse(kind, f"namespaces are not allowed ({tried.stderr.strip()})")


@contextlib.contextmanager
def empty(folder):
    """A root of its own with the documented minimum: no libc, no /etc, no /proc, no HOME."""
    need("empty", "bwrap")
    root = make_root("empty", folder, (*MINIMUM, "true"))
    command = [program("bwrap"), "--bind", str(root), "/", "--dev", "/dev", "--chdir", "/", "--clearenv", "--setenv", "PATH", "/bin",
               "--setenv", "LD_LIBRARY_PATH", "/nowhere"]
    try_out("empty", command)
    yield {"command": command, "folder": "/work"}, root / "work"


CHROOT = 'mount --bind /dev/null "$0/dev/null" && exec chroot "$0" /bin/env -i PATH=/bin HOME=/root "$@"'


@contextlib.contextmanager
def busybox(folder):
    """A root with all of busybox and an /etc that would lead glibc astray. The folder is the default one."""
    need("busybox", "unshare")
    root = make_root("busybox", folder, ())
    names = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")
    write(root / "dev" / "null", "")
    for name in ("root", "tmp"):
        (root / name).mkdir()
    write(root / "etc" / "passwd", "root:x:0:0:root:/root:/bin/sh\n")
    write(root / "etc" / "hosts", "127.0.0.1 localhost\n")
    write(root / "etc" / "nsswitch.conf", "hosts: nonsense files dns\npasswd: nonsense\n")
    write(root / "etc" / "ld.so.preload", "/lib/nowhere.so\n")
    command = [program("unshare"), "--user", "--map-root-user", "--mount", "sh", "-c", CHROOT, str(root)]
    try_out("busybox", command)
    yield {"command": command}, root / "root" / ".cache" / "osiris" / "place"


# ssh.

SSHD_CONFIG = """Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication {passwords}
KbdInteractiveAuthentication no
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
def ssh(folder, key="key", passwords="no", known=True):
    """A server on loopback. It prints a banner. With another `key` the client is a stranger to it."""
    need("ssh", "sshd", "ssh", "ssh-keygen")
    folder = folder.absolute()
    folder.mkdir(exist_ok=True)
    for name in ("host_key", "key", "stranger"):
        subprocess.run([program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copy(folder / "key.pub", folder / "authorized_keys")
    write(folder / "banner", "Welcome to the box.\nosiris-relay 1\nosiris-log\n")
    port = free_port()
    values = {"port": port, "folder": folder, "user": getpass.getuser(), "key": key, "passwords": passwords}
    write(folder / "known_hosts", f"[127.0.0.1]:{port} {read(folder / 'host_key.pub')}" if known else "")
    write(folder / "sshd_config", SSHD_CONFIG.format(**values))
    write(folder / "ssh_config", SSH_CONFIG.format(**values))
    if os.getuid() == 0:
        # For the separation of privileges, which only root has.
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    with open(folder / "sshd.log", "w") as log:
        server = subprocess.Popen([program("sshd"), "-D", "-e", "-f", folder / "sshd_config"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until(lambda: accepts(port) or server.poll() is not None, "sshd listens")
        if server.poll() is not None:
            refuse("ssh", read(folder / "sshd.log"))
        place = folder / "it's \"the\" `place` & more"
        yield {"command": [program("ssh"), "-F", str(folder / "ssh_config"), "box"], "folder": str(place)}, place
    finally:
        end(server)


# Slurm.

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
SelectTypeParameters=CR_CPU
ReturnToService=2
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 Port={daemon} CPUs=8 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@contextlib.contextmanager
def slurm(folder):
    """A cluster of one node, which shares the file system."""
    need("slurm", "slurmctld", "slurmd", "munged", "srun", "sinfo", "squeue", "scancel")
    if os.getuid() != 0:
        refuse("slurm", "slurmd must be root")
    folder = folder.absolute()
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

    def has_ended():
        return any(server.poll() is not None for server in servers)

    def is_idle():
        done = subprocess.run([program("sinfo"), "-h", "-o", "%T"], env=variables, capture_output=True, text=True, timeout=PATIENCE)
        return has_ended() or done.stdout.strip() == "idle"

    try:
        begin("munged", "-F", "--force", f"--socket={folder}/munge.socket", f"--key-file={folder}/munge.key", f"--pid-file={folder}/munge.pid",
              f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed")
        wait_until(lambda: has_ended() or (folder / "munge.socket").exists(), "munged listens")
        begin("slurmctld", "-D", "-f", config)
        begin("slurmd", "-D", "-f", config, "-N", host)
        wait_until(is_idle, "the node is idle")
        if has_ended():
            refuse("slurm", "\n".join(read(path) for path in folder.glob("*.log")))
        yield {"command": [program("env"), f"SLURM_CONF={config}", program("srun"), "-n1", "--quiet"], "folder": str(folder / "place"),
               "files": "shared"}, folder / "place"
        # A step whose srun was killed goes on, and its slurmstepd would survive slurmd.
        subprocess.run([program("scancel"), "--user", getpass.getuser()], env=variables, check=True)
        wait_until(lambda: not subprocess.run([program("squeue"), "-h"], env=variables, capture_output=True, text=True).stdout, "no job is left")
        wait_until(lambda: f"{folder}/spool/" not in read("/proc/net/unix"), "no slurmstepd is left")
    finally:
        for server in reversed(servers):
            end(server)


ALL = {"pipes": pipes, "empty": empty, "busybox": busybox, "ssh": ssh, "slurm": slurm}
