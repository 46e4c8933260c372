"""What the `energy` instrument costs a job: the same job with it and without it, in turn."""
import os
import shutil
import sqlite3
import statistics
import subprocess

CHIP = "sys/class/hwmon/hwmon0"
FILES = {
    f"{CHIP}/name": "ina3221", f"{CHIP}/update_interval": "1",
    "proc/sys/kernel/random/boot_id": "5a2a0e37-7d8e-4b0e-8f0e-3d1b3c1f0a01",
    "proc/sys/kernel/osrelease": "6.6.0", "proc/sys/kernel/version": "#1 SMP",
    "proc/sys/kernel/arch": "x86_64", "proc/sys/kernel/ostype": "Linux",
    "proc/sys/kernel/hostname": "board", "proc/cmdline": "quiet",
    "sys/devices/system/cpu/online": "0-1",
}
FILES.update({f"{CHIP}/in{n}_input": "5000" for n in (1, 2, 3)})
FILES.update({f"{CHIP}/curr{n}_input": "1000" for n in (1, 2, 3)})
# Half a second or so of work, always the same.
WORK = "BEGIN { for (i = 0; i < 6000000; i++) x += i; print x }"


class EnergyBenchmarks:
    """Figures of the energy instrument; the suite has `row`, `work` and `quick`."""

    def energy(self, kelvin=None):
        top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        kelvin = kelvin or os.path.join(top, ".build", "release", "kelvin")
        tree = os.path.join(self.work, "tree")
        for path, text in FILES.items():
            path = os.path.join(tree, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(text + "\n")
        bench = os.path.join(self.work, "energy-bench.yaml")
        with open(bench, "w") as file:
            file.write(
                "boards:\n  rec: {profile: generic-linux, meters: [rails], "
                f"connection: {{local: {{root: {tree}}}}}}}\n"
                "meters:\n  rails: {driver: hwmon, chip: ina3221}\n")
        count = 5 if self.quick else 10
        ways = {
            "without": "[execution_time]",
            "100 Hz": "[execution_time, energy]\n  energy: {rate: 100}",
            "1 kHz": "[execution_time, energy]\n  energy: {rate: 1000}",
        }
        found = {name: [] for name in ways}
        for number in range(2 if self.quick else 5):
            for name, settings in ways.items():
                found[name].append(self.energy_run(kelvin, bench, settings, count))
        plain = found["without"]
        for name in ("100 Hz", "1 kHz"):
            pairs = list(zip(found[name], plain))
            title = f"energy, 6 channels at {name}"

            def median(key):
                return statistics.median([(w[key] - p[key]) / count for w, p in pairs])

            self.row(title + ": Kelvin's CPU a job more", median("cpu") * 1e3, "ms")
            self.row(title + ": wall a job more", median("wall") * 1e3, "ms")
            self.row(
                title + ": the workload's own time, ratio",
                statistics.median([w["time"] / p["time"] for w, p in pairs]), "x")
            self.row(title + ": run.db a job more", median("bytes") / 1024, "KB")
        self.row("the job without energy: its workload", plain[0]["time"] * 1e3, "ms")
        self.row(
            "the job without energy: the workload's time, greatest ratio of two runs",
            max(p["time"] for p in plain) / min(p["time"] for p in plain), "x")

    def energy_run(self, kelvin, bench, settings, count):
        """One run of some jobs: Kelvin's own CPU, wall, the median time of the workload, the size."""
        agenda = os.path.join(self.work, "energy.yaml")
        with open(agenda, "w") as file:
            file.write(
                f"config:\n  augmentations: {settings}\nworkloads:\n"
                f"  - {{name: command, iterations: {count}, params: {{argv: [awk, '{WORK}']}}}}\n")
        directory = os.path.join(self.work, "energy-run")
        shutil.rmtree(directory, ignore_errors=True)
        result = self.run_process(
            [kelvin, "run", agenda, "-d", directory, "-q", "--board", "rec", "--bench", bench])
        assert result["code"] == 0, result["output"][-2000:]
        database = os.path.join(directory, "run.db")
        with sqlite3.connect(database) as connection:
            times = [row[0] for row in connection.execute(
                "select value from results where metric = 'execution_time'")]
        assert len(times) == count
        return {
            "cpu": result["own_cpu"], "wall": result["wall"], "time": statistics.median(times),
            "bytes": os.path.getsize(database),
        }


def main():
    """For a first look: python3 Benchmarks/energy.py KELVIN."""
    import sys
    import tempfile
    import time

    class Alone(EnergyBenchmarks):
        quick = True

        def row(self, name, value, unit, goal="", note=""):
            print(f"  {name:<70} {value:>10.4g} {unit}", flush=True)

        def run_process(self, argv):
            begin = time.monotonic()
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            output = process.stdout.read()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            with open(f"/proc/{process.pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            code = process.wait()
            return {
                "wall": time.monotonic() - begin, "own_cpu": own, "code": code,
                "output": output.decode(errors="replace"),
            }

    with tempfile.TemporaryDirectory(prefix="kelvin-bench-") as work:
        alone = Alone()
        alone.work = work
        alone.energy(sys.argv[1])


if __name__ == "__main__":
    main()
