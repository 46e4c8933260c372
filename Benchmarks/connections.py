"""The benchmarks of connections: commands, values, files and consoles, against the peers that people
use today, in turn in one run."""
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time

import boards
from boards import ADBBoard, LocalBoard, SSHBoard

TOP = boards.TOP
BUILD = os.path.join(TOP, ".build", "bench")
OURS = os.path.join(TOP, ".build", "release", "kelvin-benchmarks")
KELVIN = os.path.join(TOP, ".build", "release", "kelvin")
PEERS = os.path.join(BUILD, "peers-connections")


def median(values):
    return statistics.median(values)


def p90(values):
    return sorted(values)[int(len(values) * 0.9)]


def load():
    with open("/proc/loadavg") as file:
        return file.read().split()[0]


def ours(*words):
    """A mode of kelvin-benchmarks; its last line is the result."""
    result = subprocess.run(
        [OURS, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, words))}: {result.stderr[-2000:]}")
    return json.loads(result.stdout.strip().splitlines()[-1])


def timed(argv, count=1, env=None):
    """Runs a peer's process so often: wall seconds of each."""
    times = []
    for _ in range(count):
        begin = time.monotonic()
        result = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})})
        times.append(time.monotonic() - begin)
        if result.returncode != 0:
            sys.exit(f"bench: {' '.join(argv)}: {result.stderr.decode()[-2000:]}")
    return times


def venv(*packages):
    """Python with packages from PyPI, which are named with their versions."""
    python = os.path.join(PEERS, "bin", "python")
    stamp = os.path.join(PEERS, " ".join(packages))
    if not os.path.exists(stamp):
        print(f"bench: installing {' '.join(packages)} from PyPI...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", PEERS], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
        open(stamp, "w").close()
    return python


class ConnectionBenchmarks:
    """Part of the suite; needs `quick`, `has_peers`, `work` and `row`."""

    @contextlib.contextmanager
    def board(self, kind):
        if not kind.can_run():
            print(f"  skipped: needs {kind.missing}")
            yield None
            return
        board = kind()
        try:
            yield board
        finally:
            board.close()

    # MARK: sampling

    def sampling_ssh(self):
        """The sampler on a board, which is this machine behind sshd, in turn with C's loop."""
        seconds = "3" if self.quick else "20"
        files = [path for path in self.FILES if os.access(path, os.R_OK)]
        listing = os.path.join(self.work, "files")
        with open(listing, "w") as file:
            file.write("\n".join(files) + "\n")

        def c():
            words = [os.path.join(BUILD, "sampler-c"), seconds, "1000000"] + files
            return json.loads(subprocess.run(
                words, capture_output=True, text=True, check=True).stdout.splitlines()[-1])

        ways = {"keep": "kept on the board", "stream": "sent at once"}
        pairs = {way: [] for way in ways}
        with self.board(SSHBoard) as board:
            if not board:
                return
            for _ in range(2 if self.quick else 5):
                for way in ways:
                    reference = c()
                    pairs[way].append((reference, ours(
                        "board-sample", way, seconds, "1000000", listing, *board.words)))
            shell = ours("board-sample", "shell", seconds, "1000000", listing, *board.words)
        for way, what in ways.items():
            name = f"{len(files)} channels at 1 kHz behind ssh, {what}"
            results = [pair[1] for pair in pairs[way]]
            self.row(f"{name}: CPU a tick", median(
                [r["cpu_ns"] / max(1, r["ticks"]) for r in results]) / 1e3, "us")
            self.row(f"{name}: CPU a tick, ratio to C", median(
                [o["cpu_ns"] / o["ticks"] / (r["cpu_ns"] / r["ticks"]) for r, o in pairs[way]]),
                "x", "<= 1.2x")
            self.row(f"{name}: overruns", sum(r["overruns"] for r in results), "", "no more than C",
                     note=f"C: {sum(pair[0]['overruns'] for pair in pairs[way])}")
            self.row(f"{name}: samples lost", sum(r["lost"] for r in results), "", "0")
            self.row(f"{name}: times are true to", median(
                [r["clock_bound_ns"] for r in results]) / 1e3, "us")
            self.row(f"{name}: bytes on the link in the window", max(r["bytes"] for r in results),
                     "", "0" if way == "keep" else "")
            self.row(f"{name}: wake-ups of sshd in the window",
                     max(r["link_wakeups"] for r in results), "")
        self.row("the same through the board's shell: ticks left out",
                 100 * shell["overruns"] / max(1, shell["ticks"]), "%")

    # MARK: commands

    def command_ssh(self):
        with self.board(SSHBoard) as board:
            if not board:
                return
            board.open_master()
            peers = {"ssh over a ControlMaster": (board.client("true"), {})}
            if self.has_peers:
                python = venv("paramiko==3.5.1", "devlib==1.3.4", "adbutils==2.8.9")
                script = os.path.join(TOP, "Benchmarks", "peers.py")
                for name in ("paramiko", "devlib"):
                    peers[name] = ([python, script, name, str(board.port), board.key], None)
            self.commands("ssh", board, peers)

    def command_adb(self):
        with self.board(ADBBoard) as board:
            if not board:
                return
            peers = {"adb shell": (board.client("shell", "true"), board.environment)}
            if self.has_peers:
                python = venv("paramiko==3.5.1", "devlib==1.3.4", "adbutils==2.8.9")
                script = os.path.join(TOP, "Benchmarks", "peers.py")
                peers["adbutils"] = (
                    [python, script, "adbutils", str(board.server), board.serial], None)
            self.commands("adb", board, peers)

    def command_local(self):
        with self.board(LocalBoard) as board:
            if board:
                self.commands("local shell", board, {})

    def commands(self, way, board, peers):
        """A script for the persistent shell; a program that it starts; a program in a shell of its
        own with all that it leaves ended. A peer's command is `true`, in its usual way."""
        rounds = 2 if self.quick else 5
        count = 200 if self.quick else 1000
        kinds = {"script": ("a shell command", count, "0.2 ms"),
                 "program": ("a program started", count, ""),
                 "whole": ("a program and its descendants", count // 10, "")}
        times = {name: [] for name in [*kinds, *peers]}
        cpu = {name: [] for name in kinds}
        target = {name: [] for name in kinds}
        for _ in range(rounds):
            for kind, (_, number, _) in kinds.items():
                before = board.group.nanoseconds()
                result = ours("command", kind, number, *board.words)
                after = board.group.nanoseconds()
                times[kind] += [t / 1e6 for t in result["ns"]]
                cpu[kind].append(result["cpu_ns"] / number / 1e3)
                if before is not None:
                    target[kind].append((after - before) / number / 1e3)
            for name, (argv, env) in peers.items():
                if env is None:
                    output = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
                    times[name] += json.loads(output.strip().splitlines()[-1])
                else:
                    times[name] += [t * 1e3 for t in timed(argv, 10 if self.quick else 30, env)]
        note = f"load {load()}"
        for kind, (name, _, goal) in kinds.items():
            self.row(f"{way}: {name}, median", median(times[kind]), "ms", goal, note)
            self.row(f"{way}: {name}, p90", p90(times[kind]), "ms")
            self.row(f"{way}: {name}, Kelvin's CPU", median(cpu[kind]), "us")
            if target[kind]:
                self.row(f"{way}: {name}, the target's CPU", median(target[kind]), "us",
                         note="with its login")
        for name in peers:
            self.row(f"{way}: {name}, median", median(times[name]), "ms")
            self.row(f"{way}: {name}, p90", p90(times[name]), "ms")
            self.row(f"{way}: {name} / Kelvin's shell command",
                     median(times[name]) / median(times["script"]), "x")
            self.row(f"{way}: {name} / Kelvin's program",
                     median(times[name]) / median(times["program"]), "x")

    # MARK: values

    def values(self):
        """100 values of sysfs read, 100 files written, and 20 settled, of which 10 differ, each in one
        round trip."""
        paths = []
        for root, _, names in os.walk("/sys/class/net/lo/statistics/"):
            paths += [os.path.join(root, name) for name in sorted(names)]
        for root, _, names in os.walk("/sys/kernel/mm/transparent_hugepage"):
            paths += [os.path.join(root, name) for name in sorted(names)]
        paths = [p for p in paths if os.access(p, os.R_OK)]
        paths = (paths * 100)[:100]
        reading = os.path.join(self.work, "values-read")
        with open(reading, "w") as file:
            file.write("\n".join(paths))
        directory = os.path.join(self.work, "values")
        os.makedirs(directory, exist_ok=True)
        writing = os.path.join(self.work, "values-write")
        with open(writing, "w") as file:
            for number in range(100):
                path = os.path.join(directory, f"v{number}")
                open(path, "w").close()
                file.write(path + "\n")
        settling = os.path.join(self.work, "values-settle")
        with open(writing) as source, open(settling, "w") as file:
            file.writelines(source.readlines()[:20])
        for way, kind in (("local shell", LocalBoard), ("ssh", SSHBoard), ("adb", ADBBoard)):
            with self.board(kind) as board:
                if not board:
                    continue
                for what, list, words, goal in (
                        ("read", reading, "100 values read", ""),
                        ("write", writing, "100 values written", ""),
                        ("settle", settling, "20 values settled", "< 5 ms")):
                    results = [ours("values", what, list, 10 if self.quick else 30, *board.words)
                               for _ in range(2 if self.quick else 5)]
                    times = [t / 1e6 for r in results for t in r["ns"]]
                    name = f"{way}: {words}"
                    self.row(f"{name}, median", median(times), "ms", "", f"load {load()}")
                    self.row(f"{name}, p90", p90(times), "ms")
                    self.row(f"{name}, Kelvin's CPU",
                             median([r["cpu_ns"] / len(r["ns"]) for r in results]) / 1e6, "ms",
                             goal)
                    if board.is_counted:
                        self.row(f"{name}, processes started there",
                                 max(r["started"] for r in results), "")

    # MARK: files

    def files_ssh(self):
        with self.board(SSHBoard) as board:
            if not board:
                return
            board.open_master()

            def peer(kind, is_tree, source, destination):
                batch = os.path.join(self.work, "batch")
                verb = "put" if kind == "push" else "get"
                with open(batch, "w") as file:
                    if is_tree:
                        file.write(f"{verb} -r {source} {destination}\n")
                    else:
                        file.write(f"{verb} {source} {destination}\n")
                return board.sftp(batch), {}

            self.files("ssh", board, "sftp", peer)

    def files_adb(self):
        with self.board(ADBBoard) as board:
            if not board:
                return

            def peer(kind, is_tree, source, destination):
                return board.client(kind, source, destination), board.environment

            self.files("adb", board, "adb", peer)

    def files(self, way, board, peer_name, peer):
        """A large file and many small ones, to the board and from it; the page cache holds them all.
        A peer's time is its whole process, over a link that is already there; Kelvin's that of the
        calls, over a link that is already there."""
        size = (64 if self.quick else 256) << 20
        big = os.path.join(self.work, "big")
        if not os.path.exists(big):
            with open(big, "wb") as file:
                for _ in range(size >> 20):
                    file.write(os.urandom(1 << 20))
        small = os.path.join(self.work, "small")
        names = [f"f{number:03}" for number in range(500)]
        os.makedirs(small, exist_ok=True)
        for name in names:
            with open(os.path.join(small, name), "wb") as file:
                file.write(os.urandom(4096))
        for kind in ("push", "pull"):
            for what, is_tree in ((f"{size >> 20} MB", False), ("500 files of 4 KiB", True)):
                times, peers, cpu, target = [], [], [], []
                for round in range(3 if self.quick else 5):
                    source = small if is_tree else big
                    places = [os.path.join(board.files, f"{who}-{kind}-{is_tree}")
                              for who in ("ours", "theirs")]
                    for place in places:
                        subprocess.run(["rm", "-rf", place], check=True)
                    list = os.path.join(self.work, "copies")
                    with open(list, "w") as file:
                        for name in names if is_tree else [""]:
                            file.write(os.path.join(source, name).rstrip("/") + "\t"
                                       + os.path.join(places[0], name).rstrip("/") + "\n")
                    if is_tree:
                        os.mkdir(places[0])
                        if peer_name == "sftp" and kind == "push":
                            os.mkdir(places[1])
                    before = board.group.nanoseconds()
                    result = ours("copy", kind, list, *board.words)
                    after = board.group.nanoseconds()
                    times.append(result["ns"][0] / 1e9)
                    cpu.append(result["cpu_ns"] / 1e9)
                    if before is not None:
                        target.append((after - before) / 1e9)
                    argv, env = peer(kind, is_tree, source, places[1])
                    peers += timed(argv, 1, env)
                    if round == 0:
                        subprocess.run(["diff", "-rq", source, places[0]], check=True)
                name = f"{way}: {kind} of {what}"
                if is_tree:
                    self.row(f"{name}, Kelvin, median", median(times), "s", "", f"load {load()}")
                    self.row(f"{name}, {peer_name}, median", median(peers), "s")
                else:
                    self.row(f"{name}, Kelvin, median", size / 1e6 / median(times), "MB/s", "",
                             f"load {load()}")
                    self.row(f"{name}, {peer_name}, median", size / 1e6 / median(peers), "MB/s")
                self.row(f"{name}, Kelvin's CPU", median(cpu), "s")
                if target:
                    self.row(f"{name}, the target's CPU", median(target), "s")
                self.row(f"{name}, Kelvin's speed / {peer_name}'s",
                         median([b / a for a, b in zip(times, peers)]), "x", ">= 1x")

    # MARK: consoles

    def console_command(self):
        """A command over a line of a baud rate, of which output and script are the payload, against
        the time that payload and 120 bytes are on the line; and what the same shell needs for the
        script alone, in a shell of its own, and for one check of a line."""
        # As the agent checks a line: a process that prints to a substitution.
        check = self.in_dash("h=$(exec cksum </dev/null)")
        self.row("console: one check of a line in dash, its process", check * 1e3, "ms",
                 note=f"load {load()}")
        for baud in (115_200, 921_600):
            for size in (6, 100, 400, 1000, 10_000, 40_000):
                relay = subprocess.Popen(
                    [os.path.join(BUILD, "baud-relay-c"), str(baud), "dash", "-i"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                try:
                    name = relay.stdout.readline().strip()
                    count = 3 if size >= 10_000 else 10 if self.quick else 30
                    result = ours("console", name, baud, size, count)
                finally:
                    relay.stdin.close()
                    relay.wait()
                ideal = (result["payload"] + 120) * 10 / baud
                times = [t / 1e9 for t in result["ns"]]
                what = f"console at {baud}: {size} bytes of output"
                self.row(f"{what}, median", median(times) * 1e3, "ms",
                         note=f"load {load()}; {result['sent']}+{result['received']} B")
                self.row(f"{what}, p90", p90(times) * 1e3, "ms")
                self.row(f"{what}, CPU", result["cpu_ns"] / len(times) / 1e3, "us")
                self.row(f"{what}, ratio to the line's time", median(times) / ideal, "x",
                         "<= 1.6x", f"{result['queries']} asked again")
                own = self.in_dash(f"(exec sh -c 'seq 100000 | head -c {size}' >{self.work}/out)")
                self.row(f"{what}, the script alone", own * 1e3, "ms")
                self.row(f"{what}, the same without it", (median(times) - own) / ideal, "x")

    @staticmethod
    def in_dash(script, count=100):
        """Seconds that dash needs for a script, again and again."""
        words = f"i=0; while [ $i -lt {count} ]; do {script}; i=$((i+1)); done"
        begin = time.monotonic()
        subprocess.run(["dash", "-c", words], check=True)
        return (time.monotonic() - begin) / count

    def console_stream(self):
        """A console that says 1 MB/s, 64 bytes at a time, read by `kelvin bench console` from the
        owner of ports, which logs it."""
        seconds = 5 if self.quick else 20
        places = [os.path.join(self.work, name) for name in ("run", "state")]
        environment = {**os.environ, "XDG_RUNTIME_DIR": places[0], "XDG_STATE_HOME": places[1]}
        for place in places:
            os.makedirs(place, 0o700, exist_ok=True)
        writer = subprocess.Popen(
            [os.path.join(BUILD, "pty-writer-c"), "1000000", str(seconds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        owner = reader = None

        try:
            name = writer.stdout.readline().strip()
            opened = subprocess.run(
                [KELVIN, "bench", "up", "--console", f"stream=pty:{name}"], env=environment,
                capture_output=True, text=True)
            if opened.returncode != 0:
                sys.exit(f"bench: kelvin bench up: {opened.stderr}")
            with open("/dev/null", "w") as null:
                reader = subprocess.Popen(
                    [KELVIN, "bench", "console", "stream", "--read-only", "--from", "first"],
                    env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=null)
            owner = next(
                int(p) for p in os.listdir("/proc") if p.isdigit() and self.is_owner(p, places[0]))
            time.sleep(0.5)
            before = self.cpu_of(owner), self.cpu_of(reader.pid)
            begin = time.monotonic()
            writer.stdin.write("go\n")
            writer.stdin.flush()
            received = 0
            expected = 1_000_000 * seconds // 64 * 64
            while received < expected and time.monotonic() < begin + 2 * seconds:
                received += len(os.read(reader.stdout.fileno(), 1 << 20))
            wall = time.monotonic() - begin
            after = self.cpu_of(owner), self.cpu_of(reader.pid)
            lost = int(writer.stdout.readline())
            owners = (after[0] - before[0]) / wall * 100
            readers = (after[1] - before[1]) / wall * 100
            self.row("console streaming at 1 MB/s: the owner of ports", owners, "% of a core", "",
                     f"load {load()}")
            self.row("console streaming at 1 MB/s: kelvin bench console", readers, "% of a core")
            self.row("console streaming at 1 MB/s: both", owners + readers, "% of a core", "< 5 %")
            self.row("console streaming at 1 MB/s: bytes missing",
                     expected - received, "B", "0", f"{lost} found the terminal full")
            self.row("console streaming at 1 MB/s: both, CPU a byte",
                     (owners + readers) / 100 * wall / max(1, received) * 1e9, "ns")
            for pause, how in ((0, "as it comes"), (2000, "each 2 ms")):
                result, lost = self.stream_to_c(seconds, pause)
                self.row(f"console streaming at 1 MB/s: C that logs it {how}, without a reader",
                         result["cpu_ns"] / result["wall_ns"] * 100, "% of a core", "",
                         f"load {load()}; {lost} found the terminal full")
                self.row("console streaming at 1 MB/s: the same, CPU a byte",
                         result["cpu_ns"] / max(1, result["bytes"]), "ns", "",
                         f"{result['batches']} batches")
        finally:
            if reader:
                reader.kill()
                reader.wait()
            writer.kill()
            writer.wait()
            if owner:
                os.kill(owner, 15)

    def stream_to_c(self, seconds, pause):
        """The same stream, to a C program that does the least that a logger does."""
        writer = subprocess.Popen(
            [os.path.join(BUILD, "pty-writer-c"), "1000000", str(seconds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        reader = None
        try:
            name = writer.stdout.readline().strip()
            reader = subprocess.Popen(
                [os.path.join(BUILD, "pty-reader-c"), name, str(1_000_000 * seconds // 64 * 64),
                 str(pause), os.path.join(self.work, f"log-{pause}")],
                stdout=subprocess.PIPE, text=True)
            reader.stdout.readline()
            writer.stdin.write("go\n")
            writer.stdin.flush()
            result = json.loads(reader.stdout.readline())
            return result, int(writer.stdout.readline())
        finally:
            for process in (reader, writer):
                if process:
                    process.kill()
                    process.wait()

    @staticmethod
    def is_owner(process, place):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                words = file.read()
            with open(f"/proc/{process}/environ", "rb") as file:
                return b"owner" in words.split(b"\0") and place.encode() in file.read()
        except OSError:
            return False

    @staticmethod
    def cpu_of(process):
        """Seconds of CPU time of all threads, to the nanosecond."""
        total = 0
        for thread in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{thread}/schedstat") as file:
                total += int(file.read().split()[0])
        return total / 1e9


NAMES = ["sampling_ssh", "command_local", "command_ssh", "command_adb", "values", "files_ssh", "files_adb",
         "console_command", "console_stream"]
