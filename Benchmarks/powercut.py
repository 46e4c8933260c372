"""Power cuts while a meter is recorded: what is on the disk at 500 write boundaries.

`kelvin meter record` runs in the bench host and writes to a disk of QEMU's whose every write and flush is
logged in the order in which the disk took them (QEMU's blklogwrites, the kernel's dm-log-writes format). The
log is then replayed up to each boundary into an image, as a cut would have left it; the file system is
repaired as a boot would, and Kelvin reads the run.

  powercut.py FOLDER --kelvin PROGRAM [--seconds S] [--boundaries N] [--rate HZ] [--seed N] [--keep DIR]

FOLDER is a running bench host's.
"""
import argparse
import collections
import dataclasses
import json
import os
import random
import shutil
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from soak import TOP, Guest

SECTOR = 512
IMAGE = "64M"
# Documentation/admin-guide/device-mapper/log-writes.rst, drivers/md/dm-log-writes.c.
MAGIC, FLUSH, DISCARD = 0x6A736677736872, 1, 4

# The chip reads another value twenty times a second; times are of the clock that samples have.
RECORD = """
set -e
kelvin=$1 seconds=$2 rate=$3
modprobe -a virtio_blk ext4
for try in $(seq 100); do [ -b /dev/vda ] && break; sleep 0.1; done
trace=/sys/kernel/tracing
mount -t tracefs none $trace 2>/dev/null || true
echo mono > $trace/trace_clock
echo 1 > $trace/events/block/block_rq_complete/enable
echo 1 > $trace/tracing_on
mkdir -p /tmp/disk; mount -t ext4 /dev/vda /tmp/disk
bus=$(basename $(dirname $(grep -l 'SMBus stub' /sys/class/i2c-adapter/*/name)))
n=${bus#i2c-}
i2cset -y $n 0x40 0xFE 0x4954 w; i2cset -y $n 0x40 0xFF 0x6022 w
modprobe ina2xx; echo ina226 0x40 > /sys/class/i2c-adapter/$bus/new_device
i2cset -f -y $n 0x40 0x02 0xa00f w; i2cset -f -y $n 0x40 0x04 0x2003 w
(i=0; while sleep 0.05; do i=$((i + 1)); i2cset -f -y $n 0x40 0x04 $((i * 7919 % 32768)) w; done) &
load=$!
status=0
"$kelvin" meter record hwmon/ina226 -d /tmp/disk/cap --for "$seconds s" --rate "$rate" >&2 || status=$?
kill $load
umount /tmp/disk
echo 0 > $trace/tracing_on
echo "device $(cat /sys/block/vda/dev)"
cat $trace/trace
echo 0x40 > /sys/class/i2c-adapter/$bus/delete_device
exit $status
"""


@dataclasses.dataclass
class Entry:
    """What the disk was told."""

    sector: int
    count: int
    flags: int
    # Where its bytes are in the log.
    offset: int
    # When it was done, in nanoseconds of the guest's monotonic clock.
    time: int = 0

    @property
    def is_flush(self):
        return bool(self.flags & FLUSH)


class WriteLog:
    """The log of a disk."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        magic, version, _, size = struct.unpack_from("<QQQI", self.bytes)
        if (magic, version, size) != (MAGIC, 1, SECTOR):
            raise RuntimeError(f"{path}: no log of writes ({magic:#x}, {version}, {size})")
        self.entries = []
        place = SECTOR
        while place + SECTOR <= len(self.bytes):
            sector, count, flags, _ = struct.unpack_from("<QQQQ", self.bytes, place)
            place += SECTOR
            if not count and not flags:
                break
            self.entries.append(Entry(sector, count, flags, place))
            if not flags & DISCARD:
                place += count * SECTOR

    def note_times(self, trace):
        """Finds the entries in the kernel's own trace of what was completed."""
        device, times = None, collections.defaultdict(collections.deque)
        for line in trace.splitlines():
            if line.startswith("device "):
                device = line.split()[1].replace(":", ",")
            if "block_rq_complete:" not in line:
                continue
            head, _, tail = line.partition(": block_rq_complete: ")
            words = tail.split()
            # FF is a flush; a write that asks for one is told of again when that is done.
            at = words.index("+")
            place = (int(words[at - 1]), int(words[at + 1])) if words[1] != "FF" else (0, 0)
            if words[0] != device or words[1][0] == "R" or words[1] != "FF" and not place[1]:
                continue
            times[place].append(round(float(head.split()[-1]) * 1e9))
        last = 0
        for entry in self.entries:
            known = times[(0, 0) if entry.is_flush else (entry.sector, entry.count)]
            last = max(last, known.popleft() if known else 0)
            entry.time = last

    def apply(self, entry, image, sectors=None):
        """Writes an entry into an image; the first sectors of it only, where it was cut in two."""
        if entry.is_flush:
            return
        count = entry.count if sectors is None else sectors
        image.seek(entry.sector * SECTOR)
        if entry.flags & DISCARD:
            image.write(bytes(count * SECTOR))
        else:
            image.write(self.bytes[entry.offset:entry.offset + count * SECTOR])


@dataclasses.dataclass
class Found:
    """What Kelvin finds on an image."""

    # Lines of the capture as CSV; nil: no capture is there yet.
    rows: list | None
    # The newest sample's time, in nanoseconds of the guest's monotonic clock.
    newest: int | None
    problems: list
    first: int | None = None


class PowerCuts:
    """Records on a guest, and looks at what cuts would have left."""

    def __init__(self, guest, kelvin, folder, seed):
        self.guest, self.kelvin, self.folder = guest, kelvin, folder
        self.random = random.Random(seed)
        self.disk, self.base = os.path.join(folder, "disk"), os.path.join(folder, "base")
        self.scratch = os.path.join(folder, "scratch")
        self.at_flush = {}

    # MARK: Recording

    def record(self, seconds, rate):
        subprocess.run(
            ["mke2fs", "-q", "-F", "-t", "ext4", "-J", "size=8", "-E",
             "lazy_itable_init=0,lazy_journal_init=0", self.disk, IMAGE], check=True)
        shutil.copy(self.disk, self.base)
        log = os.path.join(self.folder, "log")
        with open(log, "wb") as file:
            file.truncate(0)

        def node(name, path):
            return "blockdev-add", {
                "node-name": name, "driver": "raw", "file": {"driver": "file", "filename": path}}

        self.guest.qmp(
            node("cut-disk", self.disk), node("cut-log", log),
            ("blockdev-add", {"node-name": "cut", "driver": "blklogwrites", "file": "cut-disk",
                              "log": "cut-log"}),
            # Requests as the guest made them, so that its trace and the log tell of the same ones.
            ("device_add", {"driver": "virtio-blk-pci", "drive": "cut", "id": "cut",
                            "request-merging": False, "write-cache": "on"}))
        done = subprocess.run(
            [os.path.join(TOP, "scripts", "virtual-bench"), "exec", "--guest", self.guest.name, "--env",
             "XDG_STATE_HOME=/tmp/state", "--env", "XDG_RUNTIME_DIR=/tmp/state", "--", "bash", "-c",
             RECORD, "record", self.kelvin, f"{seconds:g}", f"{rate:g}"],
            capture_output=True, text=True, cwd=TOP, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise RuntimeError(f"nothing was recorded: {done.stderr}")
        self.said = done.stderr.strip().splitlines()[-1]
        self.log = WriteLog(log)
        self.log.note_times(done.stdout)
        with open(os.path.join(self.folder, "trace"), "w") as file:
            file.write(done.stdout)
        with open(self.base, "rb") as file:
            self.image = bytearray(file.read())
        with open(self.scratch, "wb") as file:
            file.write(self.image)
        with open(self.scratch, "r+b") as file:
            for entry in self.log.entries:
                self.log.apply(entry, file)
        self.whole = self.look()
        if self.whole.problems or not self.whole.rows:
            raise RuntimeError(f"the whole capture is not there: {self.whole.problems}")
        self.first = self.whole.first

    # MARK: Replaying

    def build(self, end, sectors=None, lost=frozenset()):
        """Makes the image at a boundary: all entries up to `end`, its own of `sectors` at most."""
        with open(self.scratch, "r+b") as file:
            file.write(self.image)
            for index, entry in enumerate(self.log.entries[:end + 1]):
                if index not in lost:
                    self.log.apply(entry, file, sectors if index == end else None)

    def last_flush(self, end):
        """The last flush up to an entry; nil: none yet."""
        return next((i for i in range(end, -1, -1) if self.log.entries[i].is_flush), None)

    def kept_at_flush(self, flush):
        """What a cut right behind a flush leaves."""
        if flush is None:
            return Found(None, None, [])
        if flush not in self.at_flush:
            self.build(flush)
            self.at_flush[flush] = self.look()
        return self.at_flush[flush]

    # MARK: Looking

    def look(self):
        """Repairs the image as a boot would, and has Kelvin read the capture."""
        problems = []
        repaired = subprocess.run(["e2fsck", "-fy", self.scratch], capture_output=True, text=True)
        if repaired.returncode not in (0, 1, 2):
            problems.append(f"e2fsck: {repaired.returncode}: {repaired.stdout[-300:]}")
        run = os.path.join(self.folder, "run")
        shutil.rmtree(run, ignore_errors=True)
        os.mkdir(run)
        subprocess.run(
            ["debugfs", "-R", f"rdump /cap {run}", self.scratch], capture_output=True, check=True)
        run = os.path.join(run, "cap")
        if not os.path.exists(os.path.join(run, "run.db")):
            return Found(None, None, problems)
        table = os.path.join(self.folder, "capture.csv")
        done = subprocess.run(
            [self.kelvin, "export", run, "--format", "csv", "-o", table],
            capture_output=True, text=True)
        database = sqlite3.connect(os.path.join(run, "run.db"))
        try:
            says = database.execute("PRAGMA integrity_check").fetchone()[0]
            if says != "ok":
                problems.append(f"SQLite: {says}")
            captures = database.execute("SELECT count(*) FROM captures").fetchone()[0]
            blocks = database.execute("SELECT count(*) FROM blocks").fetchone()[0]
        finally:
            database.close()
        if not captures:
            return Found(None, None, problems)
        if done.returncode != 0:
            if not blocks:
                return Found([], None, problems)
            problems.append(f"kelvin export: {done.returncode}: {done.stderr.strip()}")
            return Found(None, None, problems)
        return self.read(table, problems)

    def read(self, table, problems):
        with open(table) as file:
            lines = file.read().splitlines()
        head = json.loads(lines[0][2:])
        rows = [line for line in lines[2:] if not line.startswith("#")]
        found = Found(rows, None, problems)
        times = [head["start"] + round(float(row.split(",", 1)[0]) * 1e9) for row in rows]
        if times:
            found.newest, found.first = times[-1], times[0]
        return found

    # MARK: Judging

    def judge(self, found, flush):
        """What is wrong with what a cut left: all that was there at the last flush must be."""
        problems = list(found.problems)
        at_least = self.kept_at_flush(flush)
        problems += [f"at the flush before: {problem}" for problem in at_least.problems]
        rows = found.rows or []
        if rows != self.whole.rows[:len(rows)]:
            problems.append(f"{len(rows)} samples that are no beginning of the capture")
        if len(rows) < len(at_least.rows or []) or found.rows is None and at_least.rows is not None:
            problems.append(f"{len(rows)} samples, and {len(at_least.rows or [])} were on the disk")
        return problems

    def cut(self, end, kind):
        """Cuts power once. Kinds: whole (the write at the boundary is done), torn (a part of it is), lost (of
        what came since the last flush, any part is)."""
        entry, flush = self.log.entries[end], self.last_flush(end)
        # First, since it uses the same image.
        self.kept_at_flush(flush)
        sectors, lost = None, set()
        if kind == "torn":
            sectors = self.random.randrange(0, entry.count) if entry.count else None
        elif kind == "lost":
            since = range(0 if flush is None else flush + 1, end + 1)
            lost = {index for index in since if self.random.random() < 0.5}
        self.build(end, sectors, lost)
        found = self.look()
        problems = self.judge(found, flush)
        loss = None
        if self.first <= entry.time <= self.whole.newest:
            loss = (entry.time - (found.newest or self.first)) / 1e9
        return problems, loss

    def boundaries(self, count):
        """Entries at which power is cut, with the kind of cut: one in five while the run is made, the others
        evenly over the time while samples come."""
        writes = [(i, entry.time) for i, entry in enumerate(self.log.entries) if not entry.is_flush]
        parts = (
            [i for i, time in writes if time < self.first],
            [i for i, time in writes if self.first <= time <= self.whole.newest + 1_000_000_000])
        chosen = [
            part[i * len(part) // share]
            for part, share in zip(parts, (count // 5, count - count // 5)) for i in range(share)]
        return [(end, ("whole", "torn", "lost")[i % 3]) for i, end in enumerate(chosen)]

    def control(self):
        """A disk that forgets what it had promised to keep must be told: a flush whose last second of
        writes is not there."""
        flushes = [i for i, entry in enumerate(self.log.entries) if entry.is_flush]
        for flush in reversed(flushes):
            before = [i for i in flushes if self.log.entries[i].time
                      < self.log.entries[flush].time - 2_000_000_000]
            if not before:
                break
            kept, earlier = self.kept_at_flush(flush), self.kept_at_flush(before[-1])
            if len(kept.rows or []) > len(earlier.rows or []):
                self.build(flush, lost=frozenset(range(before[-1] + 1, flush)))
                return bool(self.judge(self.look(), flush))
        return False


def cut_all(cuts, count, say):
    """Cuts at all boundaries; gives the bad ones and the seconds that each lost."""
    bad, losses = [], []
    for end, kind in cuts.boundaries(count):
        problems, loss = cuts.cut(end, kind)
        if loss is not None:
            losses.append(loss)
        if problems:
            bad.append(end)
            say(f"entry {end} ({kind}): " + "; ".join(problems))
    return bad, losses


class PowerCutBenchmarks:
    def powercut(self):
        """Cuts power at 500 write boundaries while Kelvin records a meter of the bench host."""
        seed = int(os.environ.get("KELVIN_SOAK_SEED", "20261127"))
        environment = {
            **os.environ, "KELVIN_VIRTUAL_BENCH": os.path.join(self.work, "powercut-guests")}
        script = os.path.join(TOP, "scripts", "virtual-bench")
        folder = os.path.join(self.work, "powercut")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        os.environ["KELVIN_VIRTUAL_BENCH"] = environment["KELVIN_VIRTUAL_BENCH"]
        try:
            subprocess.run(
                [script, "start", "host", "--any-port", "--for", "30m"], env=environment, cwd=TOP,
                check=True, capture_output=True)
            guest = Guest("host", {
                "folder": os.path.join(self.work, "powercut-guests", "host"), "console": ""})
            cuts = PowerCuts(guest, os.path.join(TOP, ".build", "release", "kelvin"), folder, seed)
            cuts.record(10 if self.quick else 120, 100)
            count = 20 if self.quick else 500
            bad, losses = cut_all(cuts, count, lambda text: print("    " + text, flush=True))
            self.row("power cuts while a meter is recorded: boundaries", count, "", "",
                     f"seed {seed}; {len(cuts.log.entries)} writes and flushes; {cuts.said}")
            self.row("power cuts: unreadable, changed, or without what was flushed", len(bad), "", "0")
            self.row("power cuts: a disk that forgets is noticed", int(cuts.control()), "", "1")
            if losses:
                self.row("power cuts: samples lost, median", statistics.median(losses), "s", "")
                self.row("power cuts: samples lost, greatest", max(losses), "s", "about 1")
        finally:
            subprocess.run([script, "stop"], env=environment, cwd=TOP, capture_output=True)
            del os.environ["KELVIN_VIRTUAL_BENCH"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("guest", metavar="FOLDER")
    parser.add_argument("--kelvin", required=True)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--boundaries", type=int, default=500)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seed", type=int, default=20261127)
    parser.add_argument("--keep", help="where everything stays")
    options = parser.parse_args()
    folder = options.keep or tempfile.mkdtemp(prefix="kelvin-powercut-")
    os.makedirs(folder, exist_ok=True)
    guest = Guest(os.path.basename(os.path.abspath(options.guest)),
                  {"folder": os.path.abspath(options.guest), "console": ""})
    try:
        cuts = PowerCuts(guest, os.path.abspath(options.kelvin), folder, options.seed)
        cuts.record(options.seconds, options.rate)
        print(f"{len(cuts.log.entries)} writes and flushes; {cuts.said}", flush=True)
        bad, losses = cut_all(cuts, options.boundaries, lambda text: print(text, flush=True))
        is_noticed = cuts.control()
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    if losses:
        print(f"{len({end for end, _ in cuts.boundaries(options.boundaries)})} different writes; "
              f"lost: median {statistics.median(losses):.2f} s, greatest {max(losses):.2f} s, of "
              f"{len(losses)} cuts while samples came")
    print("a disk that forgets is " + ("noticed" if is_noticed else "not noticed"))
    print(f"{options.boundaries} cuts, {len(bad)} bad")
    sys.exit(1 if bad or not is_noticed else 0)


if __name__ == "__main__":
    main()
