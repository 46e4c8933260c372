"""Where the time of a soak's run went: each moment of it is painted with what it could not do without
(work, boots, a cable that was out), and what stays unpainted is what Kelvin added.

All times are seconds of CLOCK_MONOTONIC on this machine: run.db's, and those of the watchers below."""
import collections
import json
import os
import sqlite3
import threading
import time

# A silent board is known to hang after this, by its definition (the default heartbeat).
PERIOD = 10.0
# Where a run can be when Kelvin itself takes time, in their order.
STAGES = ("start", "settings", "setup", "run", "extract", "teardown", "verdict", "between", "end")


class Machine(threading.Thread):
    """Orders to QEMU by one connection that is kept, and when the machine was reset, stopped, resumed."""

    def __init__(self, connect):
        super().__init__(daemon=True)
        self.events = []
        self.link = connect()
        # It is read from for as long as it lasts.
        self.link.settimeout(None)
        self.stream = self.link.makefile("rw")
        self.stream.readline()
        self.replies = collections.deque()
        self.condition = threading.Condition()
        self.orders = threading.Lock()
        self.start()
        self.order("qmp_capabilities")

    def run(self):
        for line in self.stream:
            message = json.loads(line)
            with self.condition:
                if "event" in message:
                    stamp = message["timestamp"]
                    wall = stamp["seconds"] + stamp["microseconds"] / 1e6
                    self.events.append(
                        (wall - time.time() + time.monotonic(), message["event"]))
                else:
                    self.replies.append(message)
                    self.condition.notify_all()

    def order(self, command, arguments=None):
        order = {"execute": command}
        if arguments:
            order["arguments"] = arguments
        with self.orders:
            self.stream.write(json.dumps(order) + "\n")
            self.stream.flush()
            with self.condition:
                if not self.condition.wait_for(lambda: self.replies, 10):
                    raise RuntimeError(f"QEMU does not answer to {command}")
                reply = self.replies.popleft()
        if "error" in reply:
            raise RuntimeError(f"{command}: {reply['error']}")

    def times(self, *names):
        with self.condition:
            return sorted(at for at, name in self.events if name in names)


class ConsoleTimes(threading.Thread):
    """When a console said certain words, to 20 ms: QEMU's log of it has no times."""

    WORDS = (b" login: ", b"Kernel panic", b"sysrq: Trigger a crash", b"reboot: Restarting system")

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.times, self.is_over = path, [], threading.Event()
        self.start()

    def run(self):
        rest = b""
        with open(self.path, "rb") as file:
            file.seek(0, os.SEEK_END)
            while not self.is_over.wait(0.02):
                new = file.read()
                if not new:
                    continue
                now = time.monotonic()
                text = rest + new
                for word in self.WORDS:
                    # A word that ends in what is new has not been counted yet.
                    begin = max(0, len(rest) - len(word) + 1)
                    if word in text[begin:]:
                        self.times.append((now, word))
                rest = text[-32:]

    def of(self, *words):
        return sorted(at for at, word in list(self.times) if word in words)


class Timeline:
    """Disjoint painted parts of an interval; what is painted first stays."""

    def __init__(self, begin, end):
        self.begin, self.end = begin, end
        self.parts = []

    def paint(self, begin, end, label):
        begin, end = max(begin, self.begin), min(end, self.end)
        if end > begin:
            for first, last in list(free(self.parts, begin, end)):
                self.parts.append((first, last, label))
            self.parts.sort()

    def sums(self, begin=None, end=None):
        """Seconds by label within an interval; what is not painted under ''."""
        begin = self.begin if begin is None else max(begin, self.begin)
        end = self.end if end is None else min(end, self.end)
        sums = collections.Counter()
        for first, last, label in self.parts:
            if min(last, end) > max(first, begin):
                sums[label] += min(last, end) - max(first, begin)
        sums[""] = max(0.0, end - begin - sum(sums.values()))
        return sums


def free(parts, begin, end):
    """What sorted, disjoint parts leave of an interval."""
    at = begin
    for first, last, _ in parts:
        if last <= at:
            continue
        if first >= end:
            break
        if first > at:
            yield at, first
        at = max(at, last)
    if at < end:
        yield at, end


def first_after(times, moment, default):
    return next((at for at in times if at > moment), default)


def board_times(line, resets, stops, resumes, console, cables, off):
    """Paints the times in which a board was away, whoever sent it there."""
    logins = [at for at, word in console if word == b" login: "]
    for begin, end in cables:
        line.paint(begin, end, "cable")
    for reset in resets:
        stop = max((at for at in stops if at < reset), default=None)
        resumed = first_after(resumes, reset, line.end)
        # Reset while it stood still: a switch had it off, and resets it when it switches it on.
        is_off = stop is not None and not any(stop < at < reset for at in resumes)
        begin = resumed if is_off else reset
        if is_off:
            line.paint(max(stop, reset - off), reset, "off")
        again = first_after(resets, reset, line.end)
        line.paint(begin, min(first_after(logins, begin, line.end), again), "boot")
        # From its last word to its reset a board that panics waits for a second.
        word = max((at for at, text in console if text != b" login: " and at < reset), default=None)
        if word is not None and reset - word < 5:
            line.paint(word, reset, "dying")
    for stop in stops:
        line.paint(stop, min(first_after(sorted(resumes + resets), stop, line.end), stop + PERIOD), "hang")


def read_attempts(directory):
    """The attempts of a run: dictionaries, in their order, with `took`, the board's own time of the work."""
    database = sqlite3.connect(f"file:{directory}/run.db?mode=ro", uri=True)
    names = ("setup_start", "setup_end", "run_start", "run_end", "extract_start", "extract_end",
             "teardown_start", "teardown_end")
    columns = ", ".join(f"{name}_ns / 1e9" for name in names)
    took = {}
    for job, attempt, metric, value in database.execute(
            "SELECT job, attempt, metric, value FROM results WHERE metric IN ('began', 'ended')"):
        took.setdefault((job, attempt), {})[metric] = value
    attempts = []
    for job, number, verdict, *times in database.execute(
            f"SELECT job, number, verdict, {columns} FROM attempts ORDER BY id"):
        attempt = dict(zip(names, times), job=job + 1, number=number, verdict=verdict)
        of = took.get((job, number), {})
        if "began" in of and "ended" in of:
            attempt["took"] = of["ended"] - of["began"]
        attempts.append(attempt)
    return attempts


def paint_work(line, attempts, losses):
    """Paints the workload's time: as the board's clock has it; of what was lost, until it was lost."""
    usual = sorted(a["took"] for a in attempts if "took" in a)
    usual = usual[len(usual) // 2] if usual else 1.0
    for attempt in attempts:
        begin, end = attempt["run_start"], attempt["run_end"]
        if begin is None or end is None:
            continue
        if attempt["verdict"] == "ok":
            line.paint(begin, min(end, begin + attempt.get("took", usual)), "work")
            continue
        # Nothing of it works any more once the board is away.
        lost = min((at for at in losses if begin < at < end), default=end)
        line.paint(begin, min(lost, begin + attempt.get("took", usual)), "lost work")


def stages_of(attempts, marks, begin, end):
    """(begin, end, stage, job) of all of a run: `marks` are (time, 'job started' or 'attempt ended')."""
    starts = [at for at, event in marks if event == "job started"]
    ends = [at for at, event in marks if event == "attempt ended"]
    pieces, at, job = [], begin, None
    for number, attempt in enumerate(attempts):
        if number >= len(starts) or number >= len(ends):
            break
        pieces.append((at, starts[number], "start" if number == 0 else "between", attempt["job"]))
        at, job = starts[number], attempt["job"]
        for stage, first, last in (
                ("setup", "setup_start", "setup_end"), ("run", "run_start", "run_end"),
                ("extract", "extract_start", "extract_end"),
                ("teardown", "teardown_start", "teardown_end")):
            if attempt[first] is None or attempt[last] is None:
                continue
            # What lies before the first stage is the settings'.
            pieces.append((at, attempt[first], "settings" if stage == "setup" else stage, job))
            pieces.append((attempt[first], attempt[last], stage, job))
            at = attempt[last]
        pieces.append((at, ends[number], "verdict", job))
        at = ends[number]
    pieces.append((at, end, "end", job))
    return pieces


def own_shares(line, pieces, faults):
    """Kelvin's own seconds: {fault or '': {stage: seconds}}, and all seconds by label of faulty jobs."""
    own = collections.defaultdict(collections.Counter)
    away = collections.defaultdict(collections.Counter)
    for begin, end, stage, job in pieces:
        fault = "" if stage in ("start", "end") else faults.get(job, "")
        sums = line.sums(begin, end)
        own[fault][stage] += sums.pop("")
        away[fault].update(sums)
    return own, away
