"""A soak: many jobs on three virtual boards at once, each with its own run, and a fault in one of five,
drawn from a seed. What counts: every job ends with a verdict that is right and explained, none is lost
or counted twice, no setting is left behind, and the time is what boots and work take anyway."""
import collections
import json
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import threading
import time

import timeline

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BOARDS = ("x86-a", "x86-b", "arm")
GOVERNOR = "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor"
# Seconds for which a power cycle has a board off.
OFF = 0.3
# Seconds of a job's work.
SECONDS = os.environ.get("KELVIN_SOAK_WORK", "1")
# Work with the board's own clock around it.
WORK = (
    f"read b x </proc/uptime; cat {GOVERNOR}; sleep {SECONDS}; echo answer $((6 * 7)); "
    "read e x </proc/uptime; echo took $b $e")


class Guest:
    """A virtual board, and what can be done to it behind Kelvin's back."""

    def __init__(self, name, record):
        self.name = name
        self.folder = record["folder"]
        with open(os.path.join(self.folder, "guest.json")) as file:
            self.port = json.load(file)["ssh_port"]
        self.console = record["console"]
        # Kept open, and its events with their times, where times are asked for.
        self.machine = None
        self.cables = []

    def watch(self):
        """Keeps from now on when the machine was reset, and when its console said what."""
        self.machine = timeline.Machine(self.connect)
        self.words = timeline.ConsoleTimes(os.path.join(self.folder, "console.log"))

    def entry(self):
        console = (
            "telnet: {host: %s, port: %s}" % tuple(self.console.split(":")[1:])
            if self.console.startswith("telnet:") else f"socket: {{path: {self.console}}}")
        return (
            f"  {self.name}:\n"
            f"    profile: virtual-{'arm' if self.name == 'arm' else 'x86'}\n"
            f"    connection: {{ssh: {{host: 127.0.0.1, port: {self.port}, "
            f"config: {self.folder}/ssh_config}}}}\n"
            f"    console: {{{console}}}\n"
            f"    power: {{qmp: {self.folder}/qmp.sock}}\n"
            f"    boot: {{timeout: 2 min, off: {OFF} s}}\n")

    def connect(self):
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(10)
        # The whole path may be too long for a socket's address.
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            link.connect(f"/proc/self/fd/{folder}/control.sock")
        finally:
            os.close(folder)
        return link

    def qmp(self, *commands):
        """Orders to QEMU, by the socket that is not Kelvin's."""
        if self.machine:
            for command, arguments in commands:
                self.machine.order(command, arguments)
            return
        link = self.connect()
        stream = link.makefile("rw")
        stream.readline()
        for command, arguments in (("qmp_capabilities", None), *commands):
            order = {"execute": command}
            if arguments:
                order["arguments"] = arguments
            stream.write(json.dumps(order) + "\n")
            stream.flush()
            while "return" not in (reply := json.loads(stream.readline())):
                if "error" in reply:
                    raise RuntimeError(f"{self.name}: {command}: {reply['error']}")
        link.close()

    def shell(self, script, seconds=20):
        """A command on the board, by a login of its own."""
        return subprocess.run(
            ["ssh", "-F", os.path.join(self.folder, "ssh_config"), "-p", str(self.port),
             "-o", "ConnectTimeout=5", "127.0.0.1", script],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, text=True)

    # MARK: Faults

    def panic(self):
        self.quietly("echo c > /proc/sysrq-trigger")

    def reboot(self):
        self.quietly("reboot -f")

    def freeze(self):
        self.qmp(("stop", None))

    def reset(self):
        self.qmp(("system_reset", None))

    def unplug(self):
        """The cable is out for longer than the heartbeat's period."""
        begin = time.monotonic()
        self.qmp(("set_link", {"name": "net", "up": False}))
        time.sleep(15)
        self.qmp(("set_link", {"name": "net", "up": True}))
        self.cables.append((begin, time.monotonic()))

    def meddle(self):
        """Another program changes what the job has set."""
        self.quietly(f"echo ondemand > {GOVERNOR}")

    def quietly(self, script):
        try:
            self.shell(script, seconds=8)
        except subprocess.TimeoutExpired:
            pass


FAULTS = ("panic", "reboot", "freeze", "reset", "unplug", "meddle")


class BoardRun(threading.Thread):
    """One run on one board, with faults."""

    def __init__(self, suite, guest, jobs, seed, bench):
        super().__init__(name=guest.name)
        self.suite, self.guest, self.jobs, self.bench = suite, guest, jobs, bench
        self.random = random.Random(seed)
        self.faults = {
            job: self.random.choice(FAULTS) for job in range(1, jobs + 1)
            if self.random.random() < 0.2}
        self.directory = os.path.join(suite.work, f"soak-{guest.name}")
        self.recoveries = []
        self.injected = []
        # When Kelvin told of the begin and the end of attempts.
        self.marks = []
        self.error = None

    def agenda(self):
        path = os.path.join(self.suite.work, f"soak-{self.guest.name}.yaml")
        with open(path, "w") as file:
            file.write(
                "config:\n"
                "  augmentations: [execution_time]\n"
                "  max_retries: 3\n"
                "  runtime_params: {governor: powersave}\n"
                "workloads:\n"
                "  - name: command\n"
                f"    iterations: {self.jobs}\n"
                "    params:\n"
                f"      argv: [sh, -c, '{WORK}']\n"
                "      metrics:\n"
                "        answer: 'answer ([0-9]+)'\n"
                "        began: 'took ([0-9.]+)'\n"
                "        ended: 'took [0-9.]+ ([0-9.]+)'\n")
        return path

    def run(self):
        try:
            self.carry_out()
        except Exception as error:  # told by the suite, which has the other boards, too
            self.error = f"{self.guest.name}: {error!r}"

    def carry_out(self):
        self.begin = time.monotonic()
        process = subprocess.Popen(
            [os.path.join(TOP, ".build", "release", "kelvin"), "run", self.agenda(), "--board",
             self.guest.name, "--bench", self.bench, "-d", self.directory, "--log-format", "json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if not line.startswith("{"):
                continue
            event = json.loads(line)
            if event["event"] in ("job started", "attempt ended"):
                self.marks.append((time.monotonic(), event["event"]))
            if event["event"] == "recovery ended":
                self.recoveries.append(event)
            if event["event"] != "stage" or event["stage"] != "running":
                continue
            fault = self.faults.pop(event["job"], None)
            if fault:
                self.injected.append((event["job"], fault))
                threading.Timer(
                    self.random.uniform(0, 0.8), getattr(self.guest, fault)).start()
        self.code = process.wait()
        self.end = time.monotonic()

    def judge(self):
        """What is wrong with the run's results; empty when nothing is."""
        problems = []
        database = sqlite3.connect(f"file:{self.directory}/run.db?mode=ro", uri=True)
        jobs = database.execute("SELECT position, verdict, reason FROM jobs").fetchall()
        attempts = database.execute(
            "SELECT job, number, verdict, reason FROM attempts ORDER BY job, number").fetchall()
        answers = dict(database.execute(
            "SELECT job, count(*) FROM results WHERE metric = 'answer' AND value = 42 AND is_last "
            "GROUP BY job").fetchall())
        if len(jobs) != self.jobs:
            problems.append(f"{len(jobs)} jobs of {self.jobs}")
        for position, verdict, reason in jobs:
            if verdict is None:
                problems.append(f"job {position + 1} has no verdict")
            elif verdict == "ok" and answers.get(position) != 1:
                problems.append(f"job {position + 1} is ok without its answer")
            elif verdict != "ok" and not reason:
                problems.append(f"job {position + 1}: {verdict} without a reason")
        hit = {job - 1: fault for job, fault in self.injected}
        for job, number, verdict, reason in attempts:
            if verdict == "ok":
                continue
            # A fault may still be there when the next job begins.
            if job not in hit and job - 1 not in hit:
                problems.append(f"job {job + 1} attempt {number}: {verdict} without a fault: {reason}")
            if verdict == "failed: workload":
                problems.append(f"job {job + 1} attempt {number}: the workload is blamed: {reason}")
        governor = self.guest.shell(f"cat {GOVERNOR}").stdout.strip()
        if governor != "schedutil":
            problems.append(f"left behind: governor '{governor}'")
        return [f"{self.guest.name}: {problem}" for problem in problems]

    def timeline(self):
        """The run's time, painted with what it could not do without."""
        machine, console = self.guest.machine, list(self.guest.words.times)
        resets, stops = machine.times("RESET"), machine.times("STOP")
        line = timeline.Timeline(self.begin, self.end)
        timeline.board_times(
            line, resets, stops, machine.times("RESUME"), console, self.guest.cables, OFF)
        self.attempts = timeline.read_attempts(self.directory)
        losses = resets + stops + [begin for begin, _ in self.guest.cables]
        losses += [at for at, word in console if word != b" login: "]
        timeline.paint_work(line, self.attempts, losses)
        return line

    def shares(self, line):
        pieces = timeline.stages_of(self.attempts, self.marks, self.begin, self.end)
        return timeline.own_shares(line, pieces, dict(self.injected))

    def keep(self, folder):
        """Everything that the times were made from."""
        with open(os.path.join(folder, f"soak-{self.guest.name}.json"), "w") as file:
            json.dump({
                "begin": self.begin, "end": self.end, "marks": self.marks,
                "injected": self.injected, "recoveries": self.recoveries,
                "machine": self.guest.machine.events, "cables": self.guest.cables,
                "console": [(at, word.decode()) for at, word in self.guest.words.times],
                "attempts": self.attempts}, file, indent=1)
        shutil.copy(
            os.path.join(self.directory, "run.db"),
            os.path.join(folder, f"soak-{self.guest.name}.db"))


class SoakBenchmarks:
    def soak(self):
        """Faults in one job of five, on three virtual boards."""
        jobs = 12 if self.quick else 167
        seed = int(os.environ.get("KELVIN_SOAK_SEED", "20261126"))
        environment = {
            **os.environ, "KELVIN_VIRTUAL_BENCH": os.path.join(self.work, "soak-guests")}
        script = os.path.join(TOP, "scripts", "virtual-bench")

        def bench(*arguments):
            done = subprocess.run(
                [script, *arguments], env=environment, cwd=TOP, capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(f"bench: virtual-bench {' '.join(arguments)}:\n{done.stderr}")
            return done.stdout

        os.environ["KELVIN_STATE"] = os.path.join(self.work, "soak-state")
        try:
            bench("start", *BOARDS, "--any-port", "--for", "60m")
            records = {r["name"]: r for r in json.loads(bench("status", "--format", "json"))}
            guests = [Guest(name, records[name]) for name in BOARDS]
            for guest in guests:
                guest.watch()
            path = os.path.join(self.work, "soak-bench.yaml")
            with open(path, "w") as file:
                file.write("boards:\n" + "".join(guest.entry() for guest in guests))
            runs = [
                BoardRun(self, guest, jobs, seed + index, path)
                for index, guest in enumerate(guests)]
            for run in runs:
                run.start()
            for run in runs:
                run.join()
            problems = [run.error for run in runs if run.error]
            problems += [text for run in runs if not run.error for text in run.judge()]
            injected = sum(len(run.injected) for run in runs)
            self.row("soak: jobs", jobs * len(runs), "jobs", ">= 500",
                     f"{SECONDS} s of work each, seed {seed}")
            self.row("soak: faults", injected, "faults", "1 of 5", ", ".join(
                f"{fault} {sum(f == fault for run in runs for _, f in run.injected)}"
                for fault in FAULTS))
            self.row("soak: wrong verdicts, lost or doubled results", len(problems), "", "0")
            for problem in problems:
                print("    " + problem)
            self.tell_times([run for run in runs if not run.error])
        finally:
            subprocess.run([script, "stop"], env=environment, cwd=TOP, capture_output=True)

    def tell_times(self, runs):
        own, away = collections.defaultdict(collections.Counter), {}
        counts = collections.Counter(fault for run in runs for _, fault in run.injected)
        counts[""] = sum(run.jobs - len(run.injected) for run in runs)
        folder = os.environ.get("KELVIN_SOAK_KEEP")
        if folder:
            os.makedirs(folder, exist_ok=True)
        for run in runs:
            line = run.timeline()
            sums = line.sums()
            rest = sums.pop("")
            self.row(
                f"soak: {run.guest.name}, time by the unavoidable", (run.end - run.begin) / sums.total(),
                "x", "<= 1.1", f"{run.end - run.begin:.0f} s: "
                + ", ".join(f"{label} {sums[label]:.0f}" for label in sorted(sums))
                + f"; Kelvin's {rest:.0f}; {len(run.recoveries)} recoveries")
            shares = run.shares(line)
            for fault in shares[0]:
                own[fault].update(shares[0][fault])
                away.setdefault(fault, collections.Counter()).update(shares[1][fault])
            if folder:
                run.keep(folder)
        for fault, count in sorted(counts.items()):
            if not count:
                continue
            self.row(
                f"soak: Kelvin's own, a job with {fault or 'no fault'}", own[fault].total() / count,
                "s", "", ", ".join(
                    f"{stage} {own[fault][stage] / count:.2f}" for stage in timeline.STAGES
                    if own[fault][stage] / count >= 0.005)
                + "; beside " + ", ".join(
                    f"{label} {away[fault][label] / count:.2f}" for label in sorted(away[fault])))
