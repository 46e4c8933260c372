"""Debian's packages: which kernel is current, and files out of packages that are not installed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from .places import BenchError, cache, say

HOST = "amd64"


def _apt(arch: str) -> list[str]:
    """apt's options for an architecture: another one than this machine's gets lists of its own."""
    if arch == HOST:
        return []
    state = cache() / f"apt-{arch}"
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    return [
        f"-oAPT::Architecture={arch}",
        f"-oAPT::Architectures::={arch}",
        f"-oDir::State={state}",
        "-oDir::State::status=/dev/null",
        f"-oDir::Cache={state / 'cache'}",
    ]


def _run(argv: list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def refresh(arch: str) -> None:
    """Fetches the package lists of another architecture, once a day."""
    if arch == HOST:
        return
    stamp = cache() / f"apt-{arch}" / "fetched"
    options = _apt(arch)
    import time

    if not stamp.exists() or time.time() - stamp.stat().st_mtime > 86_400:
        say(f"fetching Debian's package lists for {arch}")
        _run(["apt-get", *options, "-qq", "update"])
        stamp.touch()


def kernel_release(arch: str) -> str:
    """The release of Debian's current kernel, such as `6.1.0-56-amd64`.

    On this machine's architecture the kernel whose headers are installed, since modules are built
    against them."""
    if arch == HOST:
        found = sorted(
            Path("/usr/src").glob(f"linux-headers-*-{arch}"),
            key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)],
        )
        if not found:
            raise BenchError("no kernel headers; install them: scripts/setup virtual-bench")
        return found[-1].name.removeprefix("linux-headers-")
    refresh(arch)
    text = _run(["apt-cache", *_apt(arch), "depends", f"linux-image-{arch}"])
    match = re.search(rf"linux-image-([0-9]\S*-{arch})", text)
    if not match:
        raise BenchError(f"apt-cache knows no kernel behind linux-image-{arch}")
    return match.group(1)


def _locate(package: str, arch: str) -> re.Match | None:
    """Where Debian has a package, and the file's name; package lists that are missing or too old
    are fetched once."""
    for attempt in (1, 2):
        done = subprocess.run(
            ["apt-get", *_apt(arch), "download", "--print-uris", package],
            capture_output=True,
            text=True,
        )
        match = re.search(r"^'(\S+)' (\S+) \d+", done.stdout, re.M)
        if match or attempt == 2:
            return match
        as_root = [] if os.geteuid() == 0 or arch != HOST else ["sudo"]
        _run([*as_root, "apt-get", *_apt(arch), "-qq", "update"])
    return None


def unpack(packages: list[str], arch: str, into: Path) -> None:
    """Downloads packages and unpacks them all into one folder."""
    refresh(arch)
    archives = cache() / "packages"
    archives.mkdir(exist_ok=True)
    fetched = []
    for package in packages:
        match = _locate(package, arch)
        if not match:
            raise BenchError(f"{package}: Debian has no such package for {arch}")
        name = match.group(2)
        if not (archives / name).exists():
            say(f"downloading {name}")
            scratch = archives / f"partial-{os.getpid()}"
            scratch.mkdir()
            try:
                _run(["apt-get", *_apt(arch), "-qq", "download", package], cwd=scratch)
                (scratch / name).rename(archives / name)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        fetched.append(archives / name)
    into.mkdir(parents=True, exist_ok=True)
    for archive in fetched:
        _run(["dpkg", "-x", str(archive), str(into)])
