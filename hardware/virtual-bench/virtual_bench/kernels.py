"""Debian's kernels: the image to boot, and their modules, with those that Debian leaves out."""

import hashlib
import lzma
import os
import re
import shutil
import struct
import subprocess
import tarfile
from pathlib import Path

from . import debian
from .places import HERE, BenchError, cache, say

# Sources in linux-source, without .c; headers beside them.
SOURCES = {
    "drivers/hwmon": ["ina2xx.c", "ina3221.c", "ina238.c"],
    "drivers/gpio": ["gpio-sim.c", "gpio-mockup.c", "gpiolib.h"],
    "drivers/iio/dummy": [
        "iio_simple_dummy.c",
        "iio_simple_dummy_buffer.c",
        "iio_simple_dummy_events.c",
        "iio_simple_dummy.h",
        "iio_dummy_evgen.c",
        "iio_dummy_evgen.h",
    ],
    "drivers/iio": [
        "industrialio-configfs.c",
        "industrialio-sw-device.c",
        "industrialio-sw-trigger.c",
    ],
    "drivers/iio/trigger": ["iio-trig-hrtimer.c", "iio-trig-sysfs.c"],
    "kernel/irq": ["irq_sim.c"],
    "drivers/usb/gadget/legacy": ["raw_gadget.c"],
    "drivers/power/supply": ["test_power.c"],
}


class Kernel:
    """A kernel that can be booted: `image`, and `modules` as /lib/modules/RELEASE wants them."""

    def __init__(self, arch: str):
        self.arch = arch
        self.release = debian.kernel_release(arch)
        self.folder = cache() / f"kernel-{self.release}"
        self.image = self.folder / ("vmlinux" if arch == debian.HOST else "vmlinuz")
        # As it came, for boot loaders and kexec: `image` may be unpacked.
        self.packed = self.folder / "vmlinuz"
        self.modules = self.folder / "modules"
        if not (self.folder / "complete").exists() or not self.packed.exists():
            self._fetch()

    def _fetch(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        scratch = self.folder / "package"
        debian.unpack([f"linux-image-{self.release}"], self.arch, scratch)
        packed = scratch / "boot" / f"vmlinuz-{self.release}"
        if self.arch == debian.HOST:
            say("unpacking the kernel")
            self.image.write_bytes(unpacked_kernel(packed.read_bytes()))
        shutil.copy(packed, self.packed)
        tree = scratch / "lib" / "modules" / self.release
        if not tree.exists():
            tree = scratch / "usr" / "lib" / "modules" / self.release
        shutil.move(tree / "kernel", self.modules)
        for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
            shutil.copy(tree / name, self.folder)
        shutil.rmtree(scratch)
        (self.folder / "complete").touch()

    def files(self, extra: Path | None = None) -> dict[str, Path]:
        """Every module's file by its name, `-` and `_` being the same."""
        found = {}
        for folder in [self.modules] + ([extra] if extra else []):
            for path in folder.rglob("*.ko"):
                found[path.stem.replace("-", "_")] = path
        return found


def unpacked_kernel(image: bytes) -> bytes:
    """The vmlinux inside a bzImage: it boots by PVH, without unpacking itself under emulation.

    Offsets from Documentation/x86/boot.rst: setup_sects 0x1F1, payload_offset 0x248,
    payload_length 0x24C, relative to the protected-mode code."""
    if image[0x202:0x206] != b"HdrS":
        raise BenchError("the kernel package holds no bzImage")
    start = ((image[0x1F1] or 4) + 1) * 512
    offset, length = struct.unpack_from("<II", image, 0x248)
    payload = image[start + offset : start + offset + length]
    if payload[:6] == b"\xfd7zXZ\0":
        return lzma.LZMADecompressor().decompress(payload)
    if payload[:4] == b"\x28\xb5\x2f\xfd":
        done = subprocess.run(["zstd", "-dcq"], input=payload, capture_output=True)
        return done.stdout
    raise BenchError(f"the kernel is packed in an unknown way: {payload[:6].hex()}")


def extra_modules(kernel: Kernel) -> Path:
    """Builds, once, the modules that Debian's kernel lacks; gives their folder."""
    sources = Path("/usr/src/linux-source-6.1.tar.xz")
    headers = Path(f"/usr/src/linux-headers-{kernel.release}")
    for needed in (sources, headers):
        if not needed.exists():
            raise BenchError(f"{needed}: not there; install it: scripts/setup virtual-bench")
    makefile = (HERE / "modules" / "Makefile").read_bytes()
    recipe = Path(__file__).read_bytes()
    key = hashlib.sha256(makefile + recipe + str(sources.stat().st_size).encode()).hexdigest()[:12]
    folder = cache() / f"modules-{kernel.release}-{key}"
    if (folder / "complete").exists():
        return folder
    say("building the kernel modules that Debian leaves out (a minute)")
    shutil.rmtree(folder, ignore_errors=True)
    build = folder / "build"
    build.mkdir(parents=True)
    wanted = {
        f"linux-source-6.1/{directory}/{name}": name
        for directory, names in SOURCES.items()
        for name in names
    }
    with tarfile.open(sources) as archive:
        for member in archive:
            name = wanted.pop(member.name, None)
            if name:
                (build / name).write_bytes(archive.extractfile(member).read())
            if not wanted:
                break
    if wanted:
        raise BenchError(f"{sources} lacks {', '.join(sorted(wanted))}")
    _patch_irq_sim(build / "irq_sim.c")
    shutil.copy(HERE / "modules" / "Makefile", build)
    done = subprocess.run(
        ["make", "-C", str(headers), f"M={build}", f"-j{os.cpu_count()}", "modules"],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise BenchError(f"the modules could not be built:\n{done.stdout}\n{done.stderr}")
    for module in build.glob("*.ko"):
        subprocess.run(["strip", "--strip-debug", str(module)], check=True)
        shutil.move(module, folder)
    shutil.rmtree(build)
    (folder / "complete").touch()
    return folder


def _patch_irq_sim(path: Path) -> None:
    """irq_sim is built into kernels, never a module: one helper of its is not exported, so the
    exported one with the same effect takes its place."""
    text = path.read_text()
    text, count = re.subn(
        r"handle_simple_irq\(irq_to_desc\((\w+)\)\)", r"generic_handle_irq_safe(\1)", text
    )
    if not count:
        raise BenchError("irq_sim.c: another source than expected; see modules.py")
    path.write_text('#include <linux/module.h>\n' + text + '\nMODULE_LICENSE("GPL");\n')
