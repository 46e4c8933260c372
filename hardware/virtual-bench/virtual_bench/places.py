"""Where things are: the checkout, the cache shared by all checkouts, and the running bench."""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent


def cache() -> Path:
    """What is built once: kernels, modules, initial RAM file systems, snapshots."""
    chosen = os.environ.get("KELVIN_VIRTUAL_BENCH_CACHE")
    if chosen:
        path = Path(chosen)
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        path = Path(base) / "kelvin" / "virtual-bench"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def running() -> Path:
    """One folder for each guest that runs: sockets, logs, process id."""
    chosen = os.environ.get("KELVIN_VIRTUAL_BENCH")
    path = Path(chosen) if chosen else ROOT / ".build" / "virtual-bench"
    path.mkdir(parents=True, exist_ok=True)
    return path.resolve()


class BenchError(Exception):
    """Something that the user can act on; printed without a traceback."""


def say(text: str) -> None:
    """Progress, on standard error."""
    import sys

    print(f"virtual-bench: {text}", file=sys.stderr, flush=True)
