"""The aarch64 board's device tree: QEMU's own, with two clusters that differ, operating points for
cpufreq-dt, and what the energy model wants.

Clocks are fixed, so the frequency that the kernel believes in is not one that any hardware has:
`scaling_cur_freq` follows, `cpuinfo_cur_freq` does not."""

import hashlib
import re
import subprocess
from pathlib import Path

from .places import BenchError, cache

MACHINE = "virt,gic-version=3"
CPU = "cortex-a57"
TOPOLOGY = "4,sockets=1,clusters=2,cores=2"
MEMORY = 256

# capacity-dmips-mhz, dynamic-power-coefficient, operating points in MHz with microvolts.
LITTLE = {"capacity": 446, "power": 100, "points": {600: 700_000, 1000: 800_000, 1400: 900_000}}
# An interconnect of i.MX8 for devfreq: its driver asks for nothing but a clock and operating points.
BUS = (100, 200, 400)
BIG = {"capacity": 1024, "power": 400, "points": {800: 750_000, 1500: 850_000, 2400: 1_000_000}}


def blob() -> Path:
    """The compiled tree."""
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    path = cache() / f"arm-{key}.dtb"
    if path.exists():
        return path
    dumped = path.with_suffix(".dumped")
    machine = f"{MACHINE},dumpdtb={dumped}"
    _run(["qemu-system-aarch64", "-M", machine, "-cpu", CPU, "-smp", TOPOLOGY, "-m", str(MEMORY),
          "-nodefaults", "-display", "none"])
    source = _run(["dtc", "-I", "dtb", "-O", "dts", "-q", str(dumped)])
    compiled = subprocess.run(
        ["dtc", "-I", "dts", "-O", "dtb", "-q", "-o", str(path)],
        input=patched(source), text=True, capture_output=True,
    )
    dumped.unlink()
    if compiled.returncode != 0:
        path.unlink(missing_ok=True)
        raise BenchError(f"dtc: {compiled.stderr}")
    return path


def patched(source: str) -> str:
    """Adds the clusters' properties and tables to the text of QEMU's tree."""
    phandles = [int(text, 16) for text in re.findall(r"phandle = <(0x[0-9a-f]+)>", source)]
    free = max(phandles) + 1
    clusters = []
    tables = ""
    for number, (name, cluster) in enumerate((("little", LITTLE), ("big", BIG))):
        clock, table = free + 2 * number, free + 2 * number + 1
        clusters.append((cluster, clock, table))
        top = max(cluster["points"])
        tables += (
            f"\tclock-{name} {{ compatible = \"fixed-clock\"; #clock-cells = <0>; "
            f"clock-frequency = <{top * 1_000_000}>; phandle = <{clock}>; }};\n"
            f"\topp-{name} {{ compatible = \"operating-points-v2\"; opp-shared; "
            f"phandle = <{table}>;\n"
        )
        for megahertz, microvolts in cluster["points"].items():
            tables += (
                f"\t\topp-{megahertz} {{ opp-hz = /bits/ 64 <{megahertz * 1_000_000}>; "
                f"opp-microvolt = <{microvolts}>; clock-latency-ns = <100000>; }};\n"
            )
        tables += "\t};\n"

    clock, table = free + 4, free + 5
    tables += (
        f"\tclock-bus {{ compatible = \"fixed-clock\"; #clock-cells = <0>; "
        f"clock-frequency = <{BUS[-1] * 1_000_000}>; phandle = <{clock}>; }};\n"
        f"\topp-bus {{ compatible = \"operating-points-v2\"; phandle = <{table}>;\n"
    )
    for megahertz in BUS:
        tables += f"\t\topp-{megahertz} {{ opp-hz = /bits/ 64 <{megahertz * 1_000_000}>; }};\n"
    tables += (
        "\t};\n"
        f"\tinterconnect {{ compatible = \"fsl,imx8m-nic\"; clocks = <{clock}>; "
        f"operating-points-v2 = <{table}>; }};\n"
    )

    def cpu(match: re.Match) -> str:
        cluster, clock, table = clusters[0 if int(match.group(2)) < 2 else 1]
        return (
            match.group(1)
            + f"\n\t\t\tcapacity-dmips-mhz = <{cluster['capacity']}>;"
            + f"\n\t\t\tdynamic-power-coefficient = <{cluster['power']}>;"
            + f"\n\t\t\tclocks = <{clock}>;\n\t\t\toperating-points-v2 = <{table}>;"
            + "\n\t\t\t#cooling-cells = <2>;"
        )

    text, count = re.subn(r"(\tcpu@(\d) \{)", cpu, source)
    if count != 4:
        raise BenchError(f"QEMU's device tree has {count} CPUs, not 4; see devicetree.py")
    end = text.rindex("};")
    return text[:end] + tables + text[end:]


def _run(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"{argv[0]}: {done.stderr}")
    return done.stdout
