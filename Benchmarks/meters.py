"""Drivers of meters against C programs that read the same stream."""
import json
import os
import subprocess
import sys
import time

NAMES = ["meters"]
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# The peer's own loop over the same bytes, without a port.
PEER = '''
import json, sys, time
from ppk2_api.ppk2_api import PPK2_API
meter = PPK2_API.__new__(PPK2_API)
import types
class Port:
    baudrate = 0
    def __init__(self, *_): pass
    def close(self): pass
import ppk2_api.ppk2_api as module
module.serial = types.SimpleNamespace(Serial=Port)
meter = PPK2_API("none")
meter.current_vdd = 3300
data = open(sys.argv[1], "rb").read(400_000)
begin = time.process_time()
count = len(meter.get_samples(data)[0])
print(json.dumps({"samples": count, "cpu_ns": (time.process_time() - begin) * 1e9}))
'''


def output_of(argv, **options):
    result = subprocess.run(argv, stdout=subprocess.PIPE, check=True, **options)
    return json.loads(result.stdout.decode().strip().splitlines()[-1])


def median(values):
    return sorted(values)[len(values) // 2]


class MeterBenchmarks:
    """Figures of meters; the suite has `row`, `work` and `quick`."""

    def meters(self):
        self.decoded("PPK2", "ppk2", "2000000", "MS/s")
        self.peer(os.path.join(self.work, "ppk2.bin"))
        self.live("PPK2 live at 100 kS/s", "ppk2", 1e5)
        self.decoded("Energy Probe", "energy-probe", "500000", "M frames of 9 values/s")
        self.live("Energy Probe live at 10 k frames/s", "energy-probe", 1e4)
        self.decoded("Joulescope JS110", "joulescope", "2000124", "MS/s of current and voltage")

    def decoded(self, title, kind, samples, unit):
        """A stream from a file, decoded in pieces as they come from the kernel."""
        ours, reference = self.programs(kind)
        stream = os.path.join(self.work, f"{kind}.bin")
        output_of([ours, kind, "write", stream, samples])
        pairs = []
        for _ in range(3 if self.quick else 7):
            pairs.append((output_of([reference, "decode", stream, "5"]),
                          output_of([ours, kind, "decode", stream, "5"])))
        assert all(a["broken"] == 0 and b["broken"] == 0 for a, b in pairs), pairs[0]
        assert all(a.get("noted") == b.get("noted") for a, b in pairs), pairs[0]
        # Where a successor must confirm a frame, the last one is left out.
        assert all(0 <= a["samples"] - b["samples"] <= 1 for a, b in pairs), pairs[0]
        for index, who in enumerate(("C", "Kelvin")):
            rates = [p[index]["samples"] / p[index]["cpu_ns"] * 1e3 for p in pairs]
            self.row(f"{title} stream decoded, {who}", median(rates), unit)
        self.row(f"{title} stream decoded, speed, ratio to C",
                 median([c["cpu_ns"] / k["cpu_ns"] for c, k in pairs]), "x", ">= 0.9x")

    def programs(self, kind):
        return (os.path.join(TOP, ".build", "release", "kelvin-benchmarks"),
                os.path.join(TOP, ".build", "bench", f"{kind}-c"))

    def peer(self, stream):
        tools = os.path.join(TOP, ".build", "capture-tools")
        if subprocess.run([os.path.join(TOP, "scripts", "capture-tools")]).returncode != 0:
            print("  ppk2-api: skipped, no way to PyPI")
            return
        result = output_of([sys.executable, "-c", PEER, stream],
                           env={**os.environ, "PYTHONPATH": tools})
        self.row("PPK2 stream decoded, ppk2-api 0.9.2",
                 result["samples"] / result["cpu_ns"] * 1e3, "MS/s")

    def live(self, title, kind, rate):
        """A simulated meter on a pseudo terminal, looked at each 3 ms by both."""
        ours, reference = self.programs(kind)
        kelvin = os.path.join(TOP, ".build", "release", "kelvin")
        link = os.path.join(self.work, kind)
        seconds = "3" if self.quick else "10"
        simulator = subprocess.Popen(
            [kelvin, "simulate", kind, "--link", link, "--for", "10 min"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while not os.path.exists(link):
                assert time.monotonic() < deadline and simulator.poll() is None, "no simulator"
                time.sleep(0.05)
            pairs = []
            for _ in range(2 if self.quick else 5):
                pairs.append((output_of([reference, "live", link, seconds]),
                              output_of([ours, kind, "live", link, seconds])))
            for index, who in enumerate(("C", "Kelvin")):
                self.row(
                    f"{title}, {who}, share of a core",
                    median([p[index]["cpu_ns"] / p[index]["samples"] * rate / 1e9 * 100
                            for p in pairs]), "%")
            self.row(f"{title}, CPU, ratio to C",
                     median([(k["cpu_ns"] / k["samples"]) / (c["cpu_ns"] / c["samples"])
                             for c, k in pairs]), "x", "<= 1.3x")
        finally:
            simulator.terminate()
            simulator.wait()
