"""Initial RAM file systems: newc archives of what one kind of guest needs, and nothing else."""

import hashlib
import io
import re
import shutil
import stat
import subprocess
from pathlib import Path

from . import debian, kernels
from .places import HERE, BenchError, cache, say

BOARD_MODULES = """
9p 9pnet_virtio virtio_pci virtio_net virtio_rng virtio_console i6300esb softdog ramoops
acpi-cpufreq cpufreq_userspace cpufreq_powersave cpufreq_ondemand cpufreq_conservative
battery ac acpi_power_meter
""".split()

ARM_MODULES = """
9p 9pnet_virtio virtio_pci virtio_mmio virtio_net virtio_rng virtio_console i6300esb softdog
cpufreq-dt cpufreq_userspace cpufreq_powersave cpufreq_ondemand cpufreq_conservative
""".split()

# There for a test to load: a disk, swap in memory, an interface without a cable, USB devices.
SPARE_MODULES = """
virtio_blk ext4 crc32c_generic zram dummy xhci-pci usbhid hid-generic
""".split()

# A device whose frequency devfreq sets.
ARM_SPARE_MODULES = "imx-bus governor_userspace governor_simpleondemand".split()

HOST_MODULES = """
dummy_hcd libcomposite configfs usb_f_acm usb_f_fs usb_f_hid usb_f_mass_storage usb_f_ecm
usb_f_ss_lb gadgetfs i2c-stub i2c-dev lm75 ina2xx-adc industrialio
industrialio-triggered-buffer kfifo_buf cdc-acm usb-storage uas usbhid hid-generic sd_mod
uhid uinput evdev ftdi_sio usbserial ch341 cp210x pl2303 usbmon usbtmc i6300esb softdog 9p
9pnet_virtio virtio_net virtio_pci virtio_blk virtio_console virtio_rng xhci-pci ehci-pci uhci-hcd
intel_rapl_common intel_rapl_msr msr vfat ext4 crc32c_generic loop dummy tun overlay nls_ascii nls_cp437
battery
ac acpi_power_meter acpi-cpufreq cpufreq_userspace cpufreq_powersave cpufreq_ondemand
cpufreq_conservative cdc_ether
gpio-mockup gpio-sim iio-trig-hrtimer iio-trig-sysfs iio_dummy iio_dummy_evgen ina2xx ina3221
ina238 industrialio-configfs industrialio-sw-device industrialio-sw-trigger irq_sim raw_gadget
test_power
""".split()


class Archive:
    """A newc cpio archive in memory (Documentation/driver-api/early-userspace/buffer-format.rst)."""

    def __init__(self):
        self._out = io.BytesIO()
        self._inode = 0
        self._folders = set()

    def _entry(self, name: str, mode: int, data: bytes, device: tuple[int, int] = (0, 0)) -> None:
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(encoded), 0)
        self._out.write(b"070701" + b"".join(b"%08X" % field for field in fields) + encoded)
        self._pad()
        self._out.write(data)
        self._pad()

    def _pad(self) -> None:
        self._out.write(b"\0" * (-self._out.tell() % 4))

    def folder(self, path: str) -> None:
        path = path.strip("/")
        if not path or path in self._folders:
            return
        self.folder(str(Path(path).parent) if "/" in path else "")
        self._folders.add(path)
        self._entry(path, stat.S_IFDIR | 0o755, b"")

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        path = path.strip("/")
        self.folder(str(Path(path).parent) if "/" in path else "")
        self._entry(path, stat.S_IFREG | mode, data)

    def link(self, path: str, target: str) -> None:
        path = path.strip("/")
        self.folder(str(Path(path).parent) if "/" in path else "")
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def device(self, path: str, major: int, minor: int, mode: int = 0o600) -> None:
        path = path.strip("/")
        self.folder(str(Path(path).parent) if "/" in path else "")
        self._entry(path, stat.S_IFCHR | mode, b"", (major, minor))

    def tree(self, source: Path, path: str) -> None:
        """A folder with all that is in it."""
        self.folder(path)
        for item in sorted(source.rglob("*")):
            name = f"{path.strip('/')}/{item.relative_to(source)}"
            if item.is_symlink():
                self.link(name, str(item.readlink()))
            elif item.is_dir():
                self.folder(name)
            else:
                self.file(name, item.read_bytes(), 0o755 if item.stat().st_mode & 0o111 else 0o644)

    def bytes(self) -> bytes:
        self._entry("TRAILER!!!", 0, b"")
        self._out.write(b"\0" * (-self._out.tell() % 512))
        return self._out.getvalue()


class Programs:
    """Programs and the libraries that they load, out of this machine or of unpacked packages."""

    def __init__(self, archive: Archive, root: Path | None = None):
        self.archive = archive
        self.root = root
        self._added = set()

    def add(self, source: str, path: str | None = None) -> None:
        """Adds a program; `path` is where it goes, its own path by default."""
        found = self._find(source)
        self._put(found, path or source)
        for library in self._libraries(found):
            name = str(library if self.root is None else "/" + str(library.relative_to(self.root)))
            # Debian's merged /usr: both names lead to one place in the guest.
            self._put(library, re.sub(r"^/usr(/lib)", r"\1", name))

    def _find(self, source: str) -> Path:
        path = Path(source) if self.root is None else self.root / source.lstrip("/")
        if not path.exists():
            raise BenchError(f"{path}: not there; scripts/setup virtual-bench installs it")
        return path

    def _put(self, source: Path, path: str) -> None:
        if path in self._added:
            return
        self._added.add(path)
        self.archive.file(path, source.resolve().read_bytes(), 0o755)

    def _libraries(self, program: Path) -> list[Path]:
        if self.root is None:
            done = subprocess.run(["ldd", str(program)], capture_output=True, text=True)
            return [Path(path) for path in re.findall(r"(/\S+)", done.stdout) if "so" in path]
        # Another architecture: follow NEEDED by hand.
        found, queue = {}, [program]
        while queue:
            text = subprocess.run(
                ["readelf", "-ld", str(queue.pop())], capture_output=True, text=True
            ).stdout
            names = re.findall(r"\(NEEDED\).*\[(\S+)\]", text)
            names += [
                Path(name).name for name in re.findall(r"interpreter: (\S+)\]", text)
            ]
            for name in names:
                if name in found:
                    continue
                places = [path for path in self.root.rglob(name)]
                if not places:
                    raise BenchError(f"{program.name} needs {name}, which no package here holds")
                found[name] = places[0]
                queue.append(places[0].resolve())
        return list(found.values())


def busybox(archive: Archive, program: Path, names: list[str]) -> None:
    """busybox with a link for each of its programs, `names` as it lists them itself."""
    archive.file("bin/busybox", program.read_bytes(), 0o755)
    for name in names:
        archive.link(f"bin/{name}", "/bin/busybox")
    for name in ("init", "modprobe", "mdev", "getty", "reboot", "poweroff", "halt", "depmod"):
        # The kernel itself asks for /sbin/modprobe.
        archive.link(f"sbin/{name}", "/bin/busybox")


def applets() -> list[str]:
    listed = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True).stdout.split()
    return [name for name in listed if name not in ("busybox", "init")]


def modules(
    archive: Archive, kernel: kernels.Kernel, wanted: list[str], extra: Path | None
) -> None:
    """The wanted modules and what they depend on, with the indexes that modprobe reads."""
    files = kernel.files(extra)
    scratch = cache() / f"scratch-{kernel.release}"
    shutil.rmtree(scratch, ignore_errors=True)
    root = scratch / "lib" / "modules" / kernel.release
    root.mkdir(parents=True)
    try:
        for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
            shutil.copy(kernel.folder / name, root)
        builtin = {
            Path(line).stem.replace("-", "_")
            for line in (root / "modules.builtin").read_text().split()
        }
        done, queue = set(), [name.replace("-", "_") for name in wanted]
        while queue:
            name = queue.pop()
            if name in done or name in builtin:
                continue
            if name not in files:
                raise BenchError(f"kernel {kernel.release} has no module {name}")
            done.add(name)
            path = files[name]
            shutil.copy(path, root)
            depends = subprocess.run(
                ["modinfo", "-F", "depends", str(path)], capture_output=True, text=True
            ).stdout.strip()
            queue += [word.replace("-", "_") for word in depends.split(",") if word]
        subprocess.run(["depmod", "-b", str(scratch), kernel.release], check=True)
        archive.tree(root, f"lib/modules/{kernel.release}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _key(*parts: str) -> str:
    """Names an image after everything that goes into it."""
    digest = hashlib.sha256()
    recipes = [Path(__file__), Path(kernels.__file__), Path(debian.__file__)]
    for path in sorted((HERE / "guest").rglob("*")) + recipes:
        if path.is_file():
            digest.update(path.read_bytes())
    for part in parts:
        digest.update(part.encode())
    return digest.hexdigest()[:12]


def _cached(name: str, kernel: kernels.Kernel, make, *parts: str) -> Path:
    path = cache() / f"{name}-{kernel.release}-{_key(name, *parts)}.cpio"
    if not path.exists():
        say(f"making the initial RAM file system '{name}'")
        for old in cache().glob(f"{name}-*.cpio"):
            old.unlink()
        partial = path.with_suffix(".partial")
        partial.write_bytes(make())
        partial.rename(path)
    return path


def x86_board(kernel: kernels.Kernel) -> Path:
    """Busybox, dropbear and the modules of a board."""

    def make() -> bytes:
        archive = Archive()
        _common(archive)
        busybox(archive, Path("/bin/busybox"), applets())
        programs = Programs(archive)
        programs.add("/usr/sbin/dropbear")
        programs.add("/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server")
        programs.add("/sbin/kexec")
        _names(archive, programs)
        archive.file("bin/vb-work", built("vb-work", "gcc"), 0o755)
        archive.file("etc/vb-modules", ("\n".join(BOARD_MODULES) + "\n").encode())
        modules(archive, kernel, BOARD_MODULES + SPARE_MODULES, None)
        return archive.bytes()

    return _cached("x86-board", kernel, make)


def arm_board(kernel: kernels.Kernel) -> Path:
    """The same for aarch64, out of Debian's arm64 packages."""

    def make() -> bytes:
        root = cache() / "arm64-root"
        shutil.rmtree(root, ignore_errors=True)
        debian.unpack(
            ["busybox-static", "dropbear-bin", "openssh-sftp-server", "libc6", "libcrypt1",
             "libtomcrypt1", "libtommath1", "zlib1g", "libgmp10"],
            "arm64",
            root,
        )
        archive = Archive()
        _common(archive)
        busybox(archive, root / "bin" / "busybox", applets())
        programs = Programs(archive, root)
        programs.add("/usr/sbin/dropbear")
        programs.add("/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server")
        for program in ("vb-work", "vb-report"):
            archive.file(f"bin/{program}", built(program, "aarch64-linux-gnu-gcc"), 0o755)
        archive.file("etc/vb-modules", ("\n".join(ARM_MODULES) + "\n").encode())
        modules(archive, kernel, ARM_MODULES + SPARE_MODULES + ARM_SPARE_MODULES, None)
        shutil.rmtree(root, ignore_errors=True)
        return archive.bytes()

    return _cached("arm-board", kernel, make)


def host(kernel: kernels.Kernel) -> Path:
    """What stands in for a bench host before this machine's own files are mounted: udevd with its
    rules, and modules for gadgets and sensors."""
    extra = kernels.extra_modules(kernel)

    def make() -> bytes:
        archive = Archive()
        _common(archive)
        busybox(archive, Path("/bin/busybox"), applets())
        programs = Programs(archive)
        programs.add("/usr/sbin/dropbear")
        programs.add("/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server")
        _names(archive, programs)
        programs.add("/bin/udevadm")
        programs.add("/bin/kmod")
        archive.file("lib/systemd/systemd-udevd", Path("/bin/udevadm").read_bytes(), 0o755)
        archive.link("bin/systemd-udevd", "/lib/systemd/systemd-udevd")
        for helper in sorted(Path("/lib/udev").iterdir()):
            if helper.is_file() and helper.stat().st_mode & 0o111:
                programs.add(str(helper))
        archive.tree(Path("/lib/udev/rules.d"), "lib/udev/rules.d")
        for name in ("passwd", "group", "nsswitch.conf"):
            archive.file(f"etc/udev-{name}", Path(f"/etc/{name}").read_bytes())
        archive.file("etc/vb-modules", ("\n".join(HOST_MODULES) + "\n").encode())
        modules(archive, kernel, HOST_MODULES, extra)
        return archive.bytes()

    return _cached("host", kernel, make, extra.name)


def _common(archive: Archive) -> None:
    for folder in "dev etc mnt proc root run sys tmp usr var var/log var/run".split():
        archive.folder(folder)
    archive.device("dev/console", 5, 1)
    archive.device("dev/null", 1, 3, 0o666)
    for path in sorted((HERE / "guest").rglob("*")):
        if path.is_file() and path.suffix != ".c":
            is_script = path.read_bytes()[:2] == b"#!"
            name = str(path.relative_to(HERE / "guest"))
            archive.file(name, path.read_bytes(), 0o755 if is_script else 0o644)


def _names(archive: Archive, programs: Programs) -> None:
    """What the C library loads at run time to look users up."""
    for library in ("libnss_files.so.2", "libnss_compat.so.2"):
        path = Path("/lib/x86_64-linux-gnu") / library
        if path.exists():
            archive.file(str(path), path.resolve().read_bytes(), 0o755)


def built(name: str, compiler: str) -> bytes:
    """Compiles one of the guest's own small programs, statically."""
    source = HERE / "guest" / f"{name}.c"
    target = cache() / f"{name}-{compiler}-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}"
    if not target.exists():
        done = subprocess.run(
            [compiler, "-O2", "-Wall", "-Werror", "-static", "-o", str(target), str(source)],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise BenchError(f"{source}: {done.stderr}")
    return target.read_bytes()
