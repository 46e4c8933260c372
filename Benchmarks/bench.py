#!/usr/bin/env python3
"""The benchmark suite: whole processes, their CPU time and counts beside wall time, and ratios
against C programs and peers that run in the same session, in turn.

Nothing here judges; docs/benchmarks.md compares the figures with the goals.
"""
import argparse
import json
import os
import platform
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import captures
import connections
import energy
import meters
import powercut
import soak
import stages

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, ".build", "bench")
KELVIN = os.path.join(TOP, ".build", "release", "kelvin")
OURS = os.path.join(TOP, ".build", "release", "kelvin-benchmarks")
TICK = os.sysconf("SC_CLK_TCK")


def run(argv, cwd=None, env=None, own_only=False):
    """Runs a process to its end: wall and CPU seconds, its own CPU apart from its children's
    (from /proc, in clock ticks), peak memory, exit code."""
    begin = time.monotonic()
    process = subprocess.Popen(
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    output = process.stdout.read()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    wall = time.monotonic() - begin
    with open(f"/proc/{process.pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / TICK
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "own_cpu": own,
        "rss_mb": usage.ru_maxrss / 1024, "code": process.returncode,
        "output": output.decode(errors="replace"),
    }


def median(values):
    return statistics.median(values)


def stolen():
    """Seconds of all CPUs that this machine was ready and its hypervisor ran something else (proc(5), stat)."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = file.readline().split()
    return int(fields[8]) / os.sysconf("SC_CLK_TCK")


def json_of(argv):
    result = run(argv)
    if result["code"] != 0:
        sys.exit(f"bench: {' '.join(argv)} failed:\n{result['output']}")
    return json.loads(result["output"].strip().splitlines()[-1])


class Suite(captures.CaptureBenchmarks, connections.ConnectionBenchmarks, energy.EnergyBenchmarks,
            meters.MeterBenchmarks, soak.SoakBenchmarks, stages.StageBenchmarks,
            powercut.PowerCutBenchmarks):
    def __init__(self, quick, has_peers):
        self.quick = quick
        self.has_peers = has_peers
        self.rows = []
        self.work = tempfile.mkdtemp(prefix="kelvin-bench-")

    def row(self, name, value, unit, goal="", note=""):
        self.rows.append(
            {"name": name, "value": value, "unit": unit, "goal": goal, "note": note})
        print(f"  {name:<58} {value:>12.4g} {unit:<10} {goal:<22} {note}", flush=True)

    @staticmethod
    def run_process(argv):
        return run(argv)

    # MARK: start-up

    def startup(self):
        for arguments in (["--version"], ["list", "instruments"], ["--help"]):
            results = [run([KELVIN] + arguments) for _ in range(10 if self.quick else 40)]
            assert all(r["code"] == 0 for r in results), results[0]["output"]
            name = "start-up: kelvin " + " ".join(arguments)
            self.row(name + ", CPU", median([r["cpu"] for r in results]) * 1e3, "ms", "< 30 ms")
            self.row(name + ", wall", median([r["wall"] for r in results]) * 1e3, "ms")
            self.row(name + ", peak memory", median([r["rss_mb"] for r in results]), "MB")

    # MARK: finding equipment

    def scan(self):
        if not shutil.which("umockdev-run"):
            print("  bench scan: skipped, no umockdev-run; scripts/setup test installs it")
            return
        tree = os.path.join(TOP, "Tests/KelvinCommandsTests/Fixtures/devices/bench.umockdev")
        # Timed inside: umockdev takes longer to make the devices than Kelvin to find them.
        script = (
            'for run in $(seq "$1"); do start=${EPOCHREALTIME/./}; "$0" bench scan >/dev/null'
            ' || exit; echo $((${EPOCHREALTIME/./} - start)); done')
        result = run(
            ["umockdev-run", "-d", tree, "--", "bash", "-c", script, KELVIN,
             "10" if self.quick else "40"])
        assert result["code"] == 0, result["output"]
        times = [int(line) / 1e3 for line in result["output"].split()]
        self.row("bench scan: 14 devices, wall", median(times), "ms", "< 100 ms", "umockdev")

    # MARK: the virtual bench

    def virtual(self):
        """Boots, restores, and USB in the bench host, each guest alone."""
        environment = {**os.environ, "KELVIN_VIRTUAL_BENCH": os.path.join(self.work, "guests")}
        script = os.path.join(TOP, "scripts", "virtual-bench")

        def bench(*arguments):
            result = run([script, *arguments], env=environment, cwd=TOP)
            if result["code"] != 0:
                sys.exit(f"bench: virtual-bench {' '.join(arguments)}:\n{result['output']}")
            return result

        def started(guest, *options):
            bench("start", guest, "--any-port", "--for", "10m", *options)
            records = json.loads(bench("status", "--format", "json")["output"])
            return next(r["start_seconds"] for r in records if r["name"] == guest)

        # Images and modules are made once, and are no part of a start.
        bench("build")
        times = 2 if self.quick else 5
        try:
            for guest, goal in (("x86-a", "< 6 s"), ("arm", "< 6 s")):
                values = []
                for _ in range(times):
                    values.append(started(guest))
                    bench("stop", guest)
                self.row(f"virtual bench: {guest}, cold start to login", median(values), "s", goal)
            values = []
            for _ in range(times):
                values.append(started("host", "--fresh"))
                bench("stop", "host")
            self.row("virtual bench: host, cold start to settled", median(values), "s", "< 10 s")
            bench("start", "host", "--any-port", "--for", "10m")
            bench("stop", "host")
            restored, first = [], []
            for _ in range(times):
                begin = time.monotonic()
                restored.append(started("host"))
                first_begin = time.monotonic()
                bench("exec", "--", KELVIN, "--version")
                first.append(restored[-1] + time.monotonic() - first_begin)
                bench("stop", "host")
            self.row("virtual bench: host, restored", median(restored), "s")
            self.row("virtual bench: host, restored to kelvin's first output", median(first), "s",
                     "< 1 s")
            started("host")
            self.usb(bench)
        finally:
            run([script, "stop"], env=environment, cwd=TOP)

    def usb(self, bench):
        """The kernel's own source of bulk data, read by C and by Kelvin in turn."""
        gadgets = os.path.join(TOP, "hardware/virtual-bench/gadgets/configfs.sh")
        bench("exec", "--", "sh", "-ec",
              f". {gadgets}; gadget_source kelvin-source dummy_udc.0 B1; udevadm settle")
        arguments = ["1209", "4", "81", "2" if self.quick else "5"]
        programs = {"C": [os.path.join(BUILD, "usb-bulk-c")], "Kelvin": [OURS, "usb"]}
        results = {name: [] for name in programs}
        for _ in range(2 if self.quick else 5):
            for name, program in programs.items():
                output = bench("exec", "--", *program, *arguments)["output"]
                results[name].append(json.loads(output.strip().splitlines()[-1]))
        rates = {}
        for name, values in results.items():
            rates[name] = [v["bytes"] / v["wall_ns"] * 1e3 for v in values]
            cpu = [v["cpu_ns"] / v["bytes"] for v in values]
            self.row(f"USB bulk stream in the bench host: {name}", median(rates[name]), "MB/s")
            self.row(f"USB bulk stream in the bench host: {name}, CPU", median(cpu), "ns/B")
        ratio = [a / b for a, b in zip(rates["Kelvin"], rates["C"])]
        self.row("USB bulk stream, throughput, ratio to C", median(ratio), "x")
        lost = sum(v.get("lost", 0) for v in results["Kelvin"])
        self.row("USB bulk stream, Kelvin's lost bytes", lost, "B")

    # MARK: the cost of a job

    def agenda(self, count, distinct):
        path = os.path.join(self.work, f"{'specs' if distinct else 'iterations'}-{count}.yaml")
        with open(path, "w") as file:
            file.write("workloads:\n")
            if distinct:
                for number in range(count):
                    file.write(
                        f"  - {{name: command, label: n{number}, params: {{argv: [/bin/true, "
                        f"'{number}']}}}}\n")
            else:
                file.write(
                    "  - {name: command, label: noop, params: {argv: [/bin/true]}, "
                    f"iterations: {count}}}\n")
        return path

    def jobs(self):
        counts = [1, 500] if self.quick else [1, 500, 10_000]
        for distinct in (False, True):
            kind = "specs" if distinct else "iterations"
            base = None
            for count in counts:
                agenda = self.agenda(count, distinct)
                directory = os.path.join(self.work, "run")
                shutil.rmtree(directory, ignore_errors=True)
                result = run([KELVIN, "run", agenda, "-d", directory, "-q"], cwd=self.work)
                assert result["code"] == 0, result["output"][-2000:]
                db = os.path.getsize(os.path.join(directory, "run.db"))
                log = os.path.getsize(os.path.join(directory, "run.log"))
                with sqlite3.connect(os.path.join(directory, "run.db")) as connection:
                    jobs = connection.execute(
                        "select count(*) from jobs").fetchone()[0]
                assert jobs == count
                name = f"no-op jobs: {count} {kind}"
                if base is None:
                    base = result, db + log
                    self.row(name + ", own CPU of the whole run", result["own_cpu"] * 1e3, "ms")
                    self.row(name + ", run.db + run.log", (db + log) / 1024, "KB")
                    continue
                self.row(
                    name + ", own CPU a job",
                    (result["own_cpu"] - base[0]["own_cpu"]) / (count - 1) * 1e3, "ms",
                    "< 0.5 ms")
                self.row(
                    name + ", children's CPU a job",
                    (result["cpu"] - result["own_cpu"]) / count * 1e3, "ms")
                self.row(name + ", wall a job", result["wall"] / count * 1e3, "ms")
                self.row(
                    name + ", run.db + run.log a job", (db + log - base[1]) / (count - 1), "B",
                    "< 2048 B")
                self.row(name + ", peak memory", result["rss_mb"], "MB", "< 64 MB")

    # MARK: launching, against C

    def spawn(self):
        count = "500" if self.quick else "2000"
        pairs = []
        for _ in range(3 if self.quick else 7):
            c = json_of([os.path.join(BUILD, "spawn-c"), count])
            ours = json_of([OURS, "spawn", count])
            pairs.append((c["cpu_ns"] / c["count"], ours["cpu_ns"] / ours["count"]))
        self.row("launch of /bin/true, parent's CPU: C", median([p[0] for p in pairs]) / 1e3, "us")
        self.row(
            "launch of /bin/true, parent's CPU: Kelvin", median([p[1] for p in pairs]) / 1e3, "us")
        self.row("launch of /bin/true, ratio to C", median([p[1] / p[0] for p in pairs]), "x")

    # MARK: sampling, against C

    FILES = [
        "/sys/devices/system/cpu/online", "/sys/kernel/mm/transparent_hugepage/khugepaged/defrag",
        "/sys/class/net/lo/statistics/rx_bytes", "/sys/class/net/lo/statistics/tx_bytes",
        "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "/proc/sys/kernel/pid_max",
    ]

    def pread(self):
        count = "200000" if self.quick else "1000000"
        for path in ("/sys/class/net/lo/statistics/rx_bytes", "/proc/sys/kernel/pid_max"):
            pairs = []
            for _ in range(3 if self.quick else 9):
                c = json_of([os.path.join(BUILD, "pread-c"), path, count])
                ours = json_of([OURS, "pread", path, count])
                pairs.append((c["cpu_ns"] / c["count"], ours["cpu_ns"] / ours["count"]))
            self.row(f"one sample of {path}: C", median([p[0] for p in pairs]), "ns")
            self.row(f"one sample of {path}: Kelvin", median([p[1] for p in pairs]), "ns")
            self.row(
                f"one sample of {path}, ratio to C", median([p[1] / p[0] for p in pairs]), "x",
                "<= 1.2x")

    def sampling(self):
        seconds = "3" if self.quick else "20"
        files = [path for path in self.FILES if os.access(path, os.R_OK)]
        commands = (
            [os.path.join(BUILD, "sampler-c"), seconds, "1000000"] + files,
            [OURS, "sample", seconds, "1000000"] + files)
        pairs = []
        # In turns, and each first as often as the other: overruns come from what a hypervisor takes away, too, which
        # changes from one minute to the next and is told beside them.
        for number in range(2 if self.quick else 6):
            pair = [None, None]
            for index in (0, 1) if number % 2 == 0 else (1, 0):
                before = stolen()
                pair[index] = json_of(commands[index])
                pair[index]["stolen"] = stolen() - before
            pairs.append(tuple(pair))
        for index, who in enumerate(("C", "Kelvin")):
            results = [pair[index] for pair in pairs]
            name = f"{len(files)} channels at 1 kHz, {who}"
            self.row(name + ": CPU a tick", median(
                [r["cpu_ns"] / max(1, r["ticks"]) for r in results]) / 1e3, "us")
            self.row(name + ": ticks", median([r["ticks"] for r in results]), "")
            self.row(
                name + ": overruns", sum(r["overruns"] for r in results), "",
                "" if index == 0 else "no more than C")
            self.row(
                name + ": time that the hypervisor took meanwhile",
                sum(r["stolen"] for r in results), "s")
            self.row(name + ": late ticks", sum(r["late"] for r in results), "")
            self.row(
                name + ": mean lateness",
                median([r["mean_lateness_ns"] for r in results]) / 1e3, "us")
            self.row(
                name + ": greatest lateness", max(r["max_lateness_ns"] for r in results) / 1e3,
                "us", note="SCHED_FIFO" if all(r["realtime"] for r in results) else "no FIFO")
        self.row(
            "6 channels at 1 kHz, CPU ratio to C",
            median([o["cpu_ns"] / c["cpu_ns"] for c, o in pairs]), "x")
        self.row(
            "6 channels at 1 kHz, drift of the last tick against t0 + n T",
            max(abs(o["drift_ns"]) for _, o in pairs) / 1e3, "us", "0")

    # MARK: the store

    def store(self):
        samples = "1000000" if self.quick else "5000000"
        results = [json_of([OURS, "store", samples, self.work]) for _ in range(3)]
        self.row(
            "samples to the store, CPU", median(
                [r["cpu_ns"] / r["samples"] for r in results]), "ns/sample")
        self.row("samples to the store, size", results[0]["bytes"] / results[0]["samples"], "B/sample")

    # MARK: peers

    def peers(self):
        venv = os.path.join(BUILD, "peers")
        wa = os.path.join(venv, "bin", "wa")
        if not os.path.exists(wa):
            print("bench: installing wlauto 3.3.1 from PyPI...", flush=True)
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            subprocess.run(
                [os.path.join(venv, "bin", "pip"), "install", "-q", "setuptools<81",
                 "wlauto==3.3.1", "pandas<3"], check=True)
        home = os.path.join(self.work, "wa-home")
        env = dict(os.environ, WA_USER_DIRECTORY=home, HOME=self.work)
        run([wa, "list", "instruments"], env=env, cwd=self.work)  # makes its user directory
        for arguments in (["--version"], ["list", "instruments"]):
            theirs = [run([wa] + arguments, env=env, cwd=self.work) for _ in range(3)]
            ours = [run([KELVIN] + arguments, cwd=self.work) for _ in range(3)]
            name = "start-up: " + " ".join(arguments)
            self.row(f"{name}, WA, CPU", median([r["cpu"] for r in theirs]) * 1e3, "ms")
            self.row(
                f"{name}, WA / Kelvin",
                median([r["cpu"] for r in theirs]) / median([r["cpu"] for r in ours]), "x")
        count = 20 if self.quick else 100
        script = os.path.join(self.work, "noop.sh")
        with open(script, "w") as file:
            file.write("true\n")
        agenda = os.path.join(self.work, "wa.yaml")
        with open(agenda, "w") as file:
            file.write(
                "config:\n  device: generic_local\n  device_config: {unrooted: true}\n"
                "  augmentations: [~~, execution_time, csv, status]\n"
                "workloads:\n  - name: shellscript\n"
                f"    params: {{script_file: {script}}}\n    iterations: {count}\n")
        ours = run([KELVIN, "run", agenda, "-d", os.path.join(self.work, "ours"), "-q", "-f"],
                   cwd=self.work)
        theirs = run([wa, "run", agenda, "-d", os.path.join(self.work, "theirs"), "-f"],
                     env=env, cwd=self.work)
        if theirs["code"] != 0 or ours["code"] != 0:
            print("bench: one side failed:", ours["output"][-800:], theirs["output"][-800:])
        name = f"{count} no-op shellscript jobs, the same agenda"
        for who, result in (("WA", theirs), ("Kelvin", ours)):
            self.row(f"{name}, {who}: CPU in all", result["cpu"], "s", note=f"exit {result['code']}")
            self.row(f"{name}, {who}: wall", result["wall"], "s")
            self.row(f"{name}, {who}: peak memory", result["rss_mb"], "MB")
        self.row(f"{name}, WA / Kelvin, CPU", theirs["cpu"] / ours["cpu"], "x")


def machine():
    with open("/proc/cpuinfo") as file:
        model = next((l.split(":")[1].strip() for l in file if l.startswith("model name")), "?")
    with open("/proc/loadavg") as file:
        load = file.read().split()[0]
    return {
        "cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_at_start": float(load), "date": time.strftime("%Y-%m-%d"),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, smaller runs")
    parser.add_argument("--peers", action="store_true", help="also run peers from PyPI")
    names = ["startup", "scan", "jobs", "spawn", "pread", "sampling", "store", "energy", "virtual",
             *captures.NAMES, *connections.NAMES, *meters.NAMES]
    # What takes too long to be run with the others.
    parser.add_argument("--only", action="append", choices=names + ["peers", "powercut", "soak", "stages"])
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    suite = Suite(options.quick, options.peers)
    host = machine()
    print(json.dumps(host))
    try:
        for name in options.only or names + (["peers"] if options.peers else []):
            getattr(suite, name)()
    finally:
        shutil.rmtree(suite.work, ignore_errors=True)
        path = os.path.join(BUILD, "results.json")
        with open(path, "w") as file:
            json.dump({"machine": host, "results": suite.rows}, file, indent=1)
        print("results in", path)


if __name__ == "__main__":
    main()
