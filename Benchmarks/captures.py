"""Captures in a run's database: writing them against a C program that writes the same rows to SQLite,
and looking at them against JLS, the format of Joulescope, by its own library from PyPI."""
import json
import os
import subprocess
import sys

NAMES = ["captures"]

# Run by the Python that has pyjls: writes SAMPLES of noise as 32-bit floats, opens and zooms as
# `kelvin-benchmarks zoom` does.
PEER = '''
import json, os, sys, time
import numpy as np
from pyjls import Reader, SignalType, Writer
path, samples, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
generator = np.random.default_rng(1)
pool = [generator.integers(0, 1 << 14, 200_000).astype(np.float32) for _ in range(8)]
cpu = time.process_time()
with Writer(path) as writer:
    writer.source_def(source_id=1, name="bench")
    writer.signal_def(3, source_id=1, signal_type=SignalType.FSR, sample_rate=2_000_000, name="i",
                      units="A")
    for number in range(samples // 200_000):
        writer.fsr_f32(3, number * 200_000, pool[number % 8])
cpu = time.process_time() - cpu
def median(values): return sorted(values)[len(values) // 2]
opens = []
for _ in range(count):
    begin = time.monotonic()
    with Reader(path) as reader:
        reader.signals
    opens.append(time.monotonic() - begin)
zooms = []
with Reader(path) as reader:
    for shift in range(14):
        part = samples >> shift
        times = []
        for number in range(count):
            start = (samples - part) // count * number
            begin = time.monotonic()
            reader.fsr_statistics(3, start, max(1, part // 1000), 1000)
            times.append(time.monotonic() - begin)
        zooms.append({"part": 1 << shift, "wall_ns": median(times) * 1e9})
print(json.dumps({"bytes": os.path.getsize(path), "cpu_ns": cpu * 1e9,
                  "open_ns": median(opens) * 1e9, "zooms": zooms}))
'''


def output_of(argv):
    result = subprocess.run(argv, stdout=subprocess.PIPE, check=True)
    return json.loads(result.stdout.decode().strip().splitlines()[-1])


def peer(build):
    """The Python that has pyjls; None when it cannot be had."""
    venv = os.path.join(build, "jls")
    python = os.path.join(venv, "bin", "python")
    if not os.path.exists(os.path.join(venv, "done")):
        print("bench: installing pyjls from PyPI...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        if subprocess.run([python, "-m", "pip", "install", "-q", "pyjls"]).returncode != 0:
            return None
        open(os.path.join(venv, "done"), "w").close()
    return python


class CaptureBenchmarks:
    """Figures of captures; the suite has `row`, `work` and `quick`."""

    def captures(self, ours=None, reference=None, build=None):
        top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        build = build or os.path.join(top, ".build", "bench")
        ours = ours or os.path.join(top, ".build", "release", "kelvin-benchmarks")
        reference = reference or os.path.join(build, "captures-c")
        samples = 4_000_000 if self.quick else 20_000_000
        pairs = []
        for number in range(3 if self.quick else 5):
            directory = os.path.join(self.work, f"capture-{number}")
            kelvin = output_of([ours, "ingest", str(samples), directory])
            c = output_of([reference, os.path.join(directory, "run.db"),
                           os.path.join(directory, "c.db"), "200000"])
            pairs.append((kelvin, c))

        def median(values):
            return sorted(values)[len(values) // 2]

        name = "2 MS/s of 14-bit noise"
        per_sample = median([k["cpu_ns"] / samples for k, _ in pairs])
        self.row(name + ", Kelvin, CPU", per_sample, "ns/sample")
        self.row(name + ", Kelvin, share of a core", per_sample * 2e6 / 1e9 * 100, "%", "< 25 %")
        self.row(name + ", C writing the same rows, CPU",
                 median([c["cpu_ns"] / samples for _, c in pairs]), "ns/sample")
        self.row(name + ", CPU, ratio to C",
                 median([k["cpu_ns"] / c["cpu_ns"] for k, c in pairs]), "x", "<= 1.5x")
        self.row(name + ", size of run.db", pairs[0][0]["bytes"] / samples, "B/sample",
                 "<= 2.5 B/sample")
        directory = os.path.join(self.work, "capture-0")
        read = output_of([ours, "samples", directory])
        self.row("all samples read and decoded, CPU", read["cpu_ns"] / read["samples"], "ns/sample")
        count = 20 if self.quick else 100
        kelvin = output_of([ours, "zoom", directory, str(count)])
        python = peer(build)
        jls = None
        if python:
            jls = output_of([python, "-c", PEER, os.path.join(self.work, "peer.jls"), str(samples),
                             str(count)])
        self.row("capture opened, wall", kelvin["open_ns"] / 1e6, "ms", "< 5 ms")
        for index, zoom in enumerate(kelvin["zooms"]):
            note = ""
            if jls:
                note = f"JLS {jls['zooms'][index]['wall_ns'] / 1e6:.3g} ms"
            self.row(f"zoom of 1,000 points into 1/{zoom['part']} of {samples // 1_000_000} M, wall",
                     zoom["wall_ns"] / 1e6, "ms", "< 1 ms", note)
        if jls:
            self.row("JLS: opened, wall", jls["open_ns"] / 1e6, "ms")
            self.row("JLS: size", jls["bytes"] / samples, "B/sample")
            self.row("JLS: written, CPU", jls["cpu_ns"] / samples, "ns/sample")
