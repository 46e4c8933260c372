"""Faults at every stage of a job's life cycle, on virtual boards: each case is a run of two jobs, and
a fault that hits it in one stage. What counts: the run ends, every verdict is right and explained,
one attempt is lost at most, no result is lost or counted twice, and the board is as it was.

  stages.py BOARD=FOLDER... --kelvin PROGRAM [--case STAGE:FAULT]... [--seed N] [--keep]

BOARD is a name, FOLDER a running guest's; cases are shared among the boards, one at a time on each.
"""
import argparse
import hashlib
import json
import os
import queue
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from soak import TOP, Guest

# In the order in which a run passes them.
STAGES = (
    "before-settings", "settings", "setup", "before-window", "run", "extraction", "teardown",
    "between-jobs", "restoring", "output")
FAULTS = (
    "panic", "reboot", "slow-reboot", "freeze", "watchdog", "power-cut", "ssh-killed",
    "console-unplugged")
# What loses a board; the others leave its system alone.
LOSSES = ("panic", "reboot", "slow-reboot", "freeze", "watchdog", "power-cut")
# By then the attempts' results are in the store.
AFTER_JOBS = ("restoring", "output")
# What a verdict may give as its reason.
REASONS = ("rebooted", "hangs", "does not answer", "lost", "link", "Kernel panic", "back after",
           "watchdog", "sysrq")
GOVERNOR = "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor"
SWAPPINESS = "/proc/sys/vm/swappiness"
FLAG = "/run/kelvin-flag"
# The process of the script that runs, and that a stage was made longer in this boot.
RUNNING, DWELT = "/run/stages-running", "/run/stages-dwelt"
BOOT_ID = "/proc/sys/kernel/random/boot_id"
PAYLOAD = 6 << 20


class Board(Guest):
    """A virtual board, with faults that are made ready beforehand and then take a moment."""

    def __init__(self, name, folder, by_console=False):
        with open(os.path.join(folder, "guest.json")) as file:
            record = json.load(file)
        super().__init__(name, {"folder": folder, "console": record["console"]})
        self.armed = None
        self.by_console = by_console

    def entry(self):
        """Its part of a bench file; reached by ssh, or by nothing but its console."""
        lines = super().entry().replace("virtual-arm", "virtual-x86").splitlines(keepends=True)
        if not self.by_console:
            return "".join(lines)
        return "".join(
            line.replace("}}", ", login: root, password-from: 'env:STAGES_PASSWORD'}}")
            if "console:" in line else line for line in lines if "connection:" not in line)

    def arm(self, fault):
        """Has a login wait for the word, where the fault is the board's own doing."""
        script = {
            "panic": "echo c > /proc/sysrq-trigger",
            "reboot": "reboot -f", "slow-reboot": "reboot -f",
            # Petted until the word comes; bites within two seconds of it.
            "watchdog": "sh -c 'exec 3>/dev/watchdog; while [ ! -e /run/bite ]; do echo >&3; "
                        "sleep 0.2; done' >/dev/null 2>&1 & read x; : > /run/bite",
        }.get(fault)
        if not script:
            return
        if fault == "watchdog":
            self.shell("rmmod i6300esb; modprobe i6300esb heartbeat=2 nowayout=1; rm -f /run/bite")
        else:
            script = "read x; " + script
        self.armed = subprocess.Popen(
            ["ssh", "-F", os.path.join(self.folder, "ssh_config"), "-p", str(self.port),
             "-o", "ConnectTimeout=10", "127.0.0.1", f"echo armed; {script}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if self.armed.stdout.readline() != "armed\n":
            raise RuntimeError(f"{self.name}: {fault} could not be made ready")

    def disarm(self):
        if self.armed:
            self.armed.kill()
            self.armed.wait()
            self.armed = None

    def strike(self, fault, kelvin):
        """Does it. `kelvin` is the process that has the board."""
        if self.armed:
            self.armed.stdin.write("now\n")
            self.armed.stdin.flush()
            if fault == "slow-reboot":
                # Back by itself when it has been given up and is about to be told to boot.
                threading.Timer(1, self.qmp, [("stop", None)]).start()
                threading.Timer(13, self.qmp, [("cont", None)]).start()
        elif fault == "freeze":
            self.qmp(("stop", None))
        elif fault == "power-cut":
            # Without supply until somebody switches it on: stopped, with nothing left of its memory.
            self.qmp(("stop", None), ("system_reset", None))
        elif fault == "ssh-killed":
            for process in descendants(kelvin):
                if process[1].startswith("ssh\0") or "/ssh\0" in process[1][:40]:
                    os.kill(process[0], signal.SIGKILL)
        elif fault == "console-unplugged":
            self.qmp(("chardev-change", {"id": "console", "backend": {"type": "null", "data": {}}}))

    def plug_console(self):
        """The console as it was, at the same address."""
        words = self.console.split(":")
        if words[0] == "telnet":
            address = {"type": "inet", "data": {"host": words[1], "port": words[2]}}
        else:
            address = {"type": "unix", "data": {"path": "console.sock"}}
        data = {"addr": address, "server": True, "wait": False, "telnet": words[0] == "telnet",
                "logfile": "console.log", "logappend": True}
        self.qmp(("chardev-change", {"id": "console", "backend": {"type": "socket", "data": data}}))

    def mend(self, seconds=60):
        """Brings it to where a case may begin: running, booted, settings a boot's own."""
        self.disarm()
        end = time.monotonic() + seconds
        self.qmp(("cont", None))
        while time.monotonic() < end:
            try:
                if self.shell(f"rm -f {DWELT} {RUNNING}", seconds=5).returncode == 0:
                    return
            except subprocess.TimeoutExpired:
                pass
            time.sleep(0.2)
        self.qmp(("system_reset", None))
        while self.shell("true", seconds=10).returncode != 0:
            time.sleep(0.5)

    def log_size(self):
        return os.path.getsize(os.path.join(self.folder, "console.log"))

    def wait_for_mark(self, mark, begin, process):
        """Waits until a script on the board says on its console that it has come to a stage."""
        path = os.path.join(self.folder, "console.log")
        while process.poll() is None:
            with open(path, "rb") as file:
                file.seek(begin)
                if mark.encode() in file.read():
                    return True
            time.sleep(0.01)
        return False


def descendants(root):
    """(process, command line) of all that a process started."""
    parents, lines = {}, {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                parents[int(entry)] = int(file.read().rpartition(b")")[2].split()[1])
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                lines[int(entry)] = file.read().decode(errors="replace")
        except OSError:
            continue
    found, new = set(), {root}
    while new:
        found |= new
        new = {child for child, parent in parents.items() if parent in new} - found
    return [(process, lines[process]) for process in found - {root} if process in lines]


class Case:
    """One fault in one stage."""

    def __init__(self, stage, fault, seed):
        self.stage, self.fault = stage, fault
        self.random = random.Random(f"{seed} {stage} {fault}")
        self.name = f"{stage}:{fault}"
        self.problems = []
        self.note = ""
        self.by_console = False
        self.seconds = 0.0
        self.struck_at = None

    # A watchdog needs its time to bite, and should in the stage that it was meant for.
    @property
    def dwell(self):
        if self.fault == "watchdog":
            return 3.0
        # Still there when the next attempt begins, unless somebody ends it.
        return 20.0 if (self.stage, self.fault) == ("run", "ssh-killed") else 0.8

    def agenda(self, folder, payload, files_count=12):
        """Two jobs with settings, files and results; a stage that is over too soon is made longer."""
        def pause(stage):
            if stage != self.stage:
                return ""
            return (f"[ -e {DWELT} ] || {{ : > {DWELT}; echo @stage-{stage} > /dev/console; "
                    f"sleep {self.dwell:g}; }}; ")

        script = os.path.join(folder, "work.sh")
        with open(script, "w") as file:
            file.write(
                "#!/bin/sh\n"
                f"kill -0 $(cat {RUNNING} 2>/dev/null) 2>/dev/null && echo beside another\n"
                f"echo $$ > {RUNNING}\n"
                f"cat {BOOT_ID} {GOVERNOR} {SWAPPINESS}\n"
                f"[ -e {FLAG} ] && echo flag\n"
                "sha256sum payload | cut -c1-64\n"
                "sleep 0.3\n"
                f"{pause('run')}\n"
                f"cat {BOOT_ID}\n"
                f"rm -f {RUNNING}\n"
                "echo answer $((6 * 7))\n")
        files = [payload]
        for index in range(files_count):
            files.append(os.path.join(folder, f"small-{index}"))
            with open(files[-1], "w") as file:
                file.write(f"{index}\n")
        delays = []
        if self.stage in ("before-settings", "between-jobs"):
            delays.append(f"fixed_between_jobs: {self.dwell:g} s")
        if self.stage == "before-window":
            delays.append(f"fixed_before_start: {self.dwell:g} s")
        augmentations = "execution_time, csv" + (", delay" if delays else "")
        if self.stage == "extraction":
            augmentations += ", dmesg"
        path = os.path.join(folder, "agenda.yaml")
        with open(path, "w") as file:
            file.write(
                "config:\n"
                f"  augmentations: [{augmentations}]\n"
                + ("  delay: {" + ", ".join(delays) + "}\n" if delays else "") +
                "  max_retries: 2\n"
                "  runtime_params:\n"
                "    governor: powersave\n"
                "    sysctl: {vm.swappiness: 7}\n"
                "    commands:\n"
                f"      - apply: \"{pause('settings')}: > {FLAG}\"\n"
                f"        undo: \"{pause('restoring')}rm -f {FLAG}\"\n"
                f"        check: \"[ -e {FLAG} ]\"\n"
                "workloads:\n"
                "  - name: shellscript\n"
                "    iterations: 2\n"
                "    params:\n"
                f"      script_file: {script}\n"
                f"      files: [{', '.join(files)}]\n"
                "      cleanup_assets: true\n"
                "      metrics: {answer: 'answer ([0-9]+)'}\n")
        return path

    # MARK: Striking

    def is_time(self, event):
        """Whether an event of the run is the one after which this case strikes."""
        kind, job = event["event"], event.get("job")
        if kind == "stage" and job == 1:
            return (self.stage, event["stage"]) in (
                ("setup", "setup"), ("before-window", "running"), ("extraction", "extracting"),
                ("teardown", "teardown"))
        if self.stage == "before-settings":
            return kind == "job started" and job == 1
        if self.stage == "between-jobs":
            return kind == "attempt ended" and job == 1
        return self.stage == "output" and kind == "processing outputs"

    def delay(self):
        """Seconds from then to the strike, such that it still is that stage."""
        longest = {
            "before-settings": 0.5, "settings": 0.5, "setup": 0.15, "before-window": 0.5, "run": 0.7,
            "extraction": 0.005, "teardown": 0.03, "between-jobs": 0.5, "restoring": 0.5, "output": 0,
        }[self.stage]
        return self.random.uniform(0, longest)

    def strike(self, board, process):
        if self.struck_at is not None:
            return
        self.struck_at = time.monotonic()
        time.sleep(self.delay())
        board.strike(self.fault, process.pid)
        if self.fault == "console-unplugged":
            time.sleep(2)
            board.plug_console()

    # MARK: Running

    def run(self, board, kelvin, folder):
        # By its console a board is asked once in a minute, and a login takes its time.
        # Files come slowly that way, too: few and small ones show the same.
        self.by_console = board.by_console
        seconds = 420 if board.by_console else 180
        self.folder = os.path.join(folder, self.name.replace(":", "-"))
        os.makedirs(self.folder)
        payload = os.path.join(self.folder, "payload")
        with open(payload, "wb") as file:
            file.write(random.Random(self.name).randbytes(PAYLOAD // (200 if board.by_console else 1)))
        with open(payload, "rb") as file:
            self.checksum = hashlib.sha256(file.read()).hexdigest()
        bench = os.path.join(self.folder, "bench.yaml")
        with open(bench, "w") as file:
            file.write("boards:\n" + board.entry())
        agenda = self.agenda(self.folder, payload, 2 if board.by_console else 12)
        # An owner of ports of its own: a console has one reader. Its socket's name must be short.
        places = tempfile.mkdtemp(prefix="stages-")
        environment = {
            **os.environ, "STAGES_PASSWORD": "kelvin", "KELVIN_STATE": places, "XDG_STATE_HOME": places,
            "XDG_RUNTIME_DIR": places}
        before = self.look(board)
        board.arm(self.fault)
        size = board.log_size()
        begin = time.monotonic()
        process = subprocess.Popen(
            [kelvin, "run", agenda, "--board", board.name, "--bench", bench, "-d",
             os.path.join(self.folder, "run"), "--log-format", "json"],
            env=environment, stdin=subprocess.DEVNULL,
            stdout=open(os.path.join(self.folder, "stdout"), "w"), stderr=subprocess.PIPE, text=True)
        end = threading.Timer(seconds, process.kill)
        end.start()
        if self.stage in ("settings", "run", "restoring"):
            def watch():
                if board.wait_for_mark(f"@stage-{self.stage}", size, process):
                    self.strike(board, process)
            threading.Thread(target=watch, daemon=True).start()
        with open(os.path.join(self.folder, "events"), "w") as kept:
            for line in process.stderr:
                kept.write(line)
                if not line.startswith("{"):
                    continue
                event = json.loads(line)
                if self.is_time(event):
                    self.strike(board, process)
        code = process.wait()
        self.seconds = time.monotonic() - begin
        if not end.is_alive():
            self.problems.append(f"not over after {seconds} s")
        end.cancel()
        if code not in (0, 1):
            self.problems.append(f"ended with {code}")
        if self.struck_at is None:
            self.problems.append("the fault never came")
        try:
            self.judge_results()
            if self.fault == "watchdog" and self.struck_at is not None:
                # It may bite after the run's end, and must not do so while the board is looked at.
                time.sleep(max(0, self.struck_at + 5 - time.monotonic()))
            board.mend()
            self.judge_board(board, before, kelvin, bench, environment)
        finally:
            subprocess.run(
                [kelvin, "bench", "down", "--force"], env=environment, capture_output=True)
            shutil.rmtree(places, ignore_errors=True)

    @staticmethod
    def look(board):
        return board.shell(
            f"cat {GOVERNOR} {SWAPPINESS}; ls -d {FLAG} /tmp/*kelvin* /tmp/.kelvin* 2>/dev/null; "
            "for p in /proc/[0-9]*; do grep -qa KELVIN_RUN= $p/environ 2>/dev/null && "
            "tr '\\0' ' ' <$p/cmdline && echo; done; true").stdout

    # MARK: Judging

    def judge_results(self):
        database = sqlite3.connect(f"file:{self.folder}/run/run.db?mode=ro", uri=True)
        jobs = database.execute(
            "SELECT position, verdict, reason FROM jobs ORDER BY position").fetchall()
        attempts = database.execute(
            "SELECT job, number, verdict, reason FROM attempts ORDER BY job, number").fetchall()
        lost = [attempt for attempt in attempts if attempt[2] != "ok"]
        self.note = "; ".join(f"{job + 1}.{number} {verdict}: {reason}"
                              for job, number, verdict, reason in lost)
        for position, verdict, reason in jobs:
            if verdict != "ok":
                self.problems.append(f"job {position + 1}: {verdict}: {reason}")
        if len(jobs) != 2:
            self.problems.append(f"{len(jobs)} jobs of 2")
        if len(lost) > 1:
            self.problems.append(f"{len(lost)} attempts were lost")
        if lost and self.stage in AFTER_JOBS:
            self.problems.append("an attempt was lost after its end")
        for job, number, verdict, reason in lost:
            # The heartbeat's session went, and the workload's did not: right, and flagged.
            if verdict == "partial" and self.fault == "ssh-killed" and "session is lost" in reason:
                continue
            if verdict not in ("failed: target", "failed: infrastructure"):
                self.problems.append(f"job {job + 1} attempt {number}: {verdict}: {reason}")
            elif not any(word in reason for word in REASONS):
                self.problems.append(f"job {job + 1} attempt {number} is not explained: {reason}")
        # What was hit before its end can have come to no good one.
        if self.fault in LOSSES and not lost and self.stage in (
                "settings", "setup", "before-window", "run"):
            self.problems.append("a false PASS: no attempt was lost")
        # Where the console is the connection, its cable is the link.
        if self.fault == "console-unplugged" and lost and not self.by_console:
            self.problems.append("a console's cable cost an attempt")
        answers = database.execute(
            "SELECT job, count(*) FROM results WHERE metric = 'answer' AND value = 42 AND is_last "
            "GROUP BY job ORDER BY job").fetchall()
        if answers != [(0, 1), (1, 1)]:
            self.problems.append(f"results {answers}")
        for job, number, verdict, _ in attempts:
            if verdict == "ok":
                self.judge_output(job, number)

    def judge_output(self, job, number):
        """What a good attempt printed is whole, of one boot, under its settings, with its files."""
        folder = os.path.join(self.folder, "run", "jobs")
        name = next(n for n in sorted(os.listdir(folder)) if n.startswith(f"{job + 1:04}-"))
        with open(os.path.join(folder, name, f"attempt-{number}", "stdout")) as file:
            lines = file.read().splitlines()
        expected = [lines[0] if lines else "", "powersave", "7", "flag", self.checksum,
                    lines[0] if lines else "", "answer 42"]
        if lines != expected:
            self.problems.append(f"job {job + 1} attempt {number} is ok, and printed {lines}")

    def judge_board(self, board, before, kelvin, bench, environment):
        after = self.look(board)
        if after != before:
            self.problems.append(f"left behind: {after!r}, it was {before!r}")
        done = subprocess.run(
            [kelvin, "target", "restore", board.name, "--dry-run", "--bench", bench],
            env=environment, capture_output=True, text=True)
        if done.stdout != "nothing to put back\n":
            self.problems.append(f"to be put back: {done.stdout}{done.stderr}".strip())
        with open(os.path.join(self.folder, "events")) as file:
            self.problems += [line.strip() for line in file if "it is quarantined" in line]


def run_all(boards, cases, kelvin, folder, report):
    """Shares cases among boards; tells each as it ends."""
    waiting = queue.SimpleQueue()
    for case in cases:
        waiting.put(case)

    def work(board):
        board.mend()
        while True:
            try:
                case = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                case.run(board, kelvin, folder)
            except Exception as error:  # told with the case; the others go on
                case.problems.append(repr(error))
            case.board = board.name
            report(case)

    threads = [threading.Thread(target=work, args=(board,)) for board in boards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def all_cases(seed):
    return [Case(stage, fault, seed) for stage in STAGES for fault in FAULTS]


class StageBenchmarks:
    def stages(self):
        """Every fault in every stage of a job's life, on two virtual boards; a few with --quick."""
        seed = int(os.environ.get("KELVIN_SOAK_SEED", "20261126"))
        environment = {
            **os.environ, "KELVIN_VIRTUAL_BENCH": os.path.join(self.work, "stage-guests")}
        script = os.path.join(TOP, "scripts", "virtual-bench")
        names = ("x86-a", "x86-b")
        cases = all_cases(seed)
        if self.quick:
            cases = random.Random(seed).sample(cases, 6)

        def report(case):
            for problem in case.problems:
                print(f"    {case.name} on {case.board}: {problem}", flush=True)

        try:
            subprocess.run(
                [script, "start", *names, "--any-port", "--for", "90m"], env=environment, cwd=TOP,
                check=True, capture_output=True)
            boards = [
                Board(name, os.path.join(self.work, "stage-guests", name)) for name in names]
            begin = time.monotonic()
            run_all(
                boards, cases, os.path.join(TOP, ".build", "release", "kelvin"),
                os.path.join(self.work, "stages"), report)
            bad = [case for case in cases if case.problems]
            self.row("stages: faults, each in one stage of a run", len(cases), "runs", "",
                     f"seed {seed}, {time.monotonic() - begin:.0f} s on {len(boards)} boards")
            self.row("stages: wrong verdicts, lost or doubled results, things left", len(bad), "", "0",
                     ", ".join(case.name for case in bad))
        finally:
            subprocess.run([script, "stop"], env=environment, cwd=TOP, capture_output=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("boards", nargs="+", metavar="BOARD=FOLDER")
    parser.add_argument("--kelvin", required=True)
    parser.add_argument("--case", action="append", metavar="STAGE:FAULT")
    parser.add_argument(
        "--by-console", action="store_true", help="reach the boards by nothing but their consoles")
    parser.add_argument("--seed", type=int, default=20261126)
    parser.add_argument("--keep", help="where everything stays")
    options = parser.parse_args()
    boards = [Board(*text.split("=", 1), options.by_console) for text in options.boards]
    cases = [case for case in all_cases(options.seed)
             if not options.case or case.name in options.case
             or case.stage in options.case or case.fault in options.case]
    folder = options.keep or tempfile.mkdtemp(prefix="kelvin-stages-")
    os.makedirs(folder, exist_ok=True)

    def report(case):
        print(f"{'bad' if case.problems else 'ok '}  {case.name:<34} {case.board}  "
              f"{case.seconds:5.1f} s  {case.note}", flush=True)
        for problem in case.problems:
            print(f"       {problem}", flush=True)

    run_all(boards, cases, os.path.abspath(options.kelvin), folder, report)
    bad = sum(bool(case.problems) for case in cases)
    print(f"{len(cases)} cases, {bad} bad")
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if bad or not cases else 0)


if __name__ == "__main__":
    main()
