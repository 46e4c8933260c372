"""Boards for the benchmarks of connections: this machine itself, behind real servers on loopback, each
in a PID namespace of its own, so that what it starts can be counted, and in a control group of its
own, so that what it uses can be told from what the host uses."""
import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Group:
    """A control group that counts CPU time, where one can be made."""

    ROOTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/unified")

    def __init__(self, name):
        self.path = None
        for root in self.ROOTS:
            path = os.path.join(root, f"kelvin-bench-{os.getpid()}-{name}")
            try:
                os.mkdir(path)
            except OSError:
                continue
            self.path = path
            if self.nanoseconds() is not None:
                return
            self.close()

    def enter(self):
        """For a child between fork and exec."""
        if self.path:
            with open(os.path.join(self.path, "cgroup.procs"), "w") as file:
                file.write("0")

    def nanoseconds(self):
        if not self.path:
            return None
        try:
            with open(os.path.join(self.path, "cpuacct.usage")) as file:
                return int(file.read())
        except OSError:
            pass
        try:
            with open(os.path.join(self.path, "cpu.stat")) as file:
                return int(dict(line.split() for line in file)["usage_usec"]) * 1000
        except (OSError, KeyError):
            return None

    def close(self):
        if self.path:
            for _ in range(50):
                try:
                    os.rmdir(self.path)
                    break
                except OSError:
                    time.sleep(0.02)
        self.path = None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not start")
        time.sleep(0.02)


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Board:
    """A server that ends with `close()`, with all that it started."""

    def __init__(self, name):
        self.directory = tempfile.mkdtemp(prefix=f"kelvin-bench-{name}-")
        self.files = os.path.join(self.directory, "files")
        os.mkdir(self.files)
        self.group = Group(name)
        self.processes = []
        self.is_counted = subprocess.run(
            ["unshare", "--pid", "--fork", "--mount-proc", "true"], stderr=subprocess.DEVNULL
        ).returncode == 0

    def start(self, argv, is_board=True, **environment):
        if is_board and self.is_counted:
            argv = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"] + argv
        self.processes.append(subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, **environment}, start_new_session=True,
            preexec_fn=self.group.enter if is_board else None))

    def close(self):
        for process in reversed(self.processes):
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        self.group.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class SSHBoard(Board):
    """OpenSSH's server; its user's login shell is dash, in an empty home."""

    missing = "sshd, ssh and libnss_wrapper: scripts/setup test installs them"

    @staticmethod
    def wrapper():
        return next(iter(glob.glob("/usr/lib/*/libnss_wrapper.so")), None)

    @classmethod
    def can_run(cls):
        return shutil.which("ssh") and os.path.exists("/usr/sbin/sshd") and cls.wrapper()

    def __init__(self):
        super().__init__("ssh")
        self.port = free_port()
        at = lambda name: os.path.join(self.directory, name)
        os.makedirs(at("home/.ssh"), 0o700)
        for key in ("client", "host"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", at(key)], check=True)
        shutil.copy(at("client.pub"), at("home/.ssh/authorized_keys"))
        with open(at("passwd"), "w") as file:
            file.write(f"tester:x:{os.geteuid()}:{os.getegid()}::{at('home')}:/bin/dash\n"
                       "sshd:x:102:65534::/run/sshd:/usr/sbin/nologin\n")
        with open(at("group"), "w") as file:
            file.write(f"tester:x:{os.getegid()}:\nnogroup:x:65534:\n")
        with open(at("sshd_config"), "w") as file:
            file.write(
                f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {at('host')}\nPidFile none\n"
                "Subsystem sftp internal-sftp\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
                f"AuthorizedKeysFile {at('home/.ssh/authorized_keys')}\n")
        with open(at("host.pub")) as key, open(at("known_hosts"), "w") as file:
            file.write(f"[127.0.0.1]:{self.port} {' '.join(key.read().split()[:2])}\n")
        open(at("ssh_config"), "w").close()
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", 0o755, exist_ok=True)
        self.start(
            ["/usr/sbin/sshd", "-D", "-e", "-f", at("sshd_config")], LD_PRELOAD=self.wrapper(),
            NSS_WRAPPER_PASSWD=at("passwd"), NSS_WRAPPER_GROUP=at("group"))
        wait_for("sshd", lambda: listens(self.port))
        self.key = at("client")
        self.words = ["ssh", "host=127.0.0.1", f"port={self.port}", "user=tester",
                      f"key={at('client')}", f"host-key=file:{at('known_hosts')}",
                      f"config={at('ssh_config')}"]
        self.options = ["-F", at("ssh_config"), "-i", at("client"), "-o",
                        f"UserKnownHostsFile={at('known_hosts')}", "-o", "BatchMode=yes",
                        "-o", f"ControlPath={at('mux')}"]

    def open_master(self):
        """A client of OpenSSH that stays, whose channels its peers use."""
        self.start(
            ["ssh", "-N", "-M", *self.options, "-p", str(self.port), "tester@127.0.0.1"],
            is_board=False)
        wait_for("the ssh client", lambda: os.path.exists(os.path.join(self.directory, "mux")))

    def client(self, *words):
        return ["ssh", *self.options, "-p", str(self.port), "tester@127.0.0.1", *words]

    def sftp(self, batch):
        return ["sftp", "-q", "-b", batch, *self.options, "-P", str(self.port),
                "tester@127.0.0.1"]


class ADBBoard(Board):
    """Android's own adbd, as scripts/build-adbd builds it, behind Debian's adb server."""

    missing = "adb, and adbd from scripts/build-adbd"

    @staticmethod
    def adbd():
        named = os.environ.get("KELVIN_ADBD")
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        return named or next(iter(glob.glob(f"{cache}/kelvin/adbd/*/adbd")), None)

    @classmethod
    def can_run(cls):
        return shutil.which("adb") and cls.adbd()

    def __init__(self):
        super().__init__("adb")
        self.port, self.server = free_port(), free_port()
        self.environment = {
            "HOME": self.directory, "ADB_LOCAL_TRANSPORT_MAX_PORT": "5554", "ANDROID_SERIAL": ""}
        self.serial = f"127.0.0.1:{self.port}"
        self.start(
            [self.adbd()], HOME=self.directory, PATH="/usr/sbin:/usr/bin:/sbin:/bin",
            ADBD_PROPERTIES=f"service.adb.listen_addrs=tcp:localhost:{self.port}")
        self.start(
            ["adb", "-P", str(self.server), "nodaemon", "server"], is_board=False,
            **self.environment)
        wait_for("adbd", lambda: listens(self.port))
        wait_for("adb's server", lambda: listens(self.server))
        subprocess.run(
            ["adb", "-P", str(self.server), "connect", self.serial], check=True,
            env={**os.environ, **self.environment}, stdout=subprocess.DEVNULL)
        subprocess.run(
            self.client("wait-for-device"), check=True, env={**os.environ, **self.environment})
        self.words = ["adb", f"server=127.0.0.1:{self.server}", f"serial={self.serial}"]

    def client(self, *words):
        return ["adb", "-P", str(self.server), "-s", self.serial, *words]


class LocalBoard(Board):
    """Shells of this machine, without a link."""

    missing = "dash"

    @classmethod
    def can_run(cls):
        return shutil.which("dash")

    def __init__(self):
        super().__init__("local")
        # The shell would have to be in the namespace.
        self.words = ["sh"] + (
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
            if self.is_counted else []) + ["dash"]
