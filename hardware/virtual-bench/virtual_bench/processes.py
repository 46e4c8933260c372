"""Processes of the bench, found by a mark in their environment: also after a crash, whatever
became of their parents, and never another one that got the same process id."""

import os
import signal
import time
from pathlib import Path

MARK = "KELVIN_VIRTUAL_BENCH_GUEST"


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, MARK: str(folder)}


def find(folder: Path | None = None, below: Path | None = None) -> list[int]:
    """Process ids of one guest's folder, or of all guests whose folders lie below a place."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "environ").read_bytes().split(b"\0")
            state = (entry / "stat").read_bytes().rsplit(b")", 1)[1].split()[0]
        except (OSError, IndexError):
            continue
        if state in (b"Z", b"X"):
            continue
        for word in words:
            key, _, value = word.partition(b"=")
            if key != MARK.encode():
                continue
            path = Path(os.fsdecode(value))
            if path == folder or (below is not None and path.parent == below):
                found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]


def end(pids_of, seconds: float = 5) -> int:
    """Ends what `pids_of()` lists, by SIGTERM, then by SIGKILL; gives how many there were."""
    first = pids_of()
    for number, limit in ((signal.SIGTERM, seconds), (signal.SIGKILL, seconds)):
        deadline = time.monotonic() + limit
        while pids := pids_of():
            for pid in pids:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
    return len(first)
