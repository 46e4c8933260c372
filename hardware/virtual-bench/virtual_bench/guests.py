"""The guests: what each is, how it is started, and what its folder holds while it runs."""

import dataclasses
import hashlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import time
from pathlib import Path

from . import devicetree, initramfs, kernels, processes
from .keys import Keys
from .places import HERE, BenchError, cache, running, say
from .qmp import QMP

LIVE_VALUES = 0x0F000000

# Where the values that a test sets live start: see acpi/bench.dsl.
LIVE_START = [2982, 12345, 11400, 9000, 40000, 1, 0, 0]
LIVE_NAMES = [
    "temperature-dK", "power-mW", "battery-mV", "battery-rate-mW", "battery-mWh",
    "battery-state", "limit-cpu0", "limit-cpu1",
]


@dataclasses.dataclass(frozen=True)
class Definition:
    """A guest that this bench knows."""

    name: str
    kind: str  # x86, arm, uboot or host
    console: str  # socket, telnet or pty
    ssh_port: int | None = None
    console_port: int | None = None
    note: str = ""


GUESTS = {
    guest.name: guest
    for guest in (
        Definition("x86-a", "x86", "socket", 42201, note="two cpufreq policies, ACPI devices"),
        Definition("x86-b", "x86", "telnet", 42202, 42212, note="the same, console by telnet"),
        Definition("arm", "arm", "socket", 42203, note="aarch64, big.LITTLE, energy model"),
        Definition("uboot", "uboot", "pty", note="Debian's U-Boot for aarch64, console on a pty"),
        Definition("host", "host", "socket", 42200, note="bench host: USB gadgets, sensors, udevd"),
    )
}
BOARDS = [name for name, guest in GUESTS.items() if guest.kind != "host"]


class Guest:
    """One guest and its folder."""

    def __init__(self, definition: Definition, name: str | None = None):
        self.definition = definition
        self.name = name or definition.name
        self.folder = running() / self.name

    @staticmethod
    def named(name: str) -> "Guest":
        """A guest by its name, which may be that of a copy (`start host --as NAME`)."""
        record = running() / name / "guest.json"
        if record.exists():
            record = json.loads(record.read_text())
            definition = GUESTS[record["definition"]]
            console = record.get("console_kind", definition.console)
            return Guest(dataclasses.replace(definition, console=console), name)
        if name not in GUESTS:
            raise BenchError(f"'{name}': no such guest; there are {', '.join(GUESTS)}")
        return Guest(GUESTS[name])

    # MARK: state

    def pids(self) -> list[int]:
        return processes.find(self.folder)

    @property
    def is_running(self) -> bool:
        return bool(self.pids())

    def record(self) -> dict:
        path = self.folder / "guest.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def _write_record(self, **values) -> None:
        path = self.folder / "guest.json"
        scratch = path.with_suffix(".partial")
        scratch.write_text(json.dumps({**self.record(), **values}, indent=1))
        scratch.rename(path)

    # MARK: start

    def start(self, *, any_port: bool, seconds: int, fresh: bool, wait: bool = True) -> float:
        """Starts the guest, waits for its login; gives the seconds that took."""
        boot = self._prepared()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / "share").mkdir()
        ports = {
            "ssh": self._port(self.definition.ssh_port, any_port),
            "console": self._port(self.definition.console_port, any_port)
            if self.definition.console != "telnet" or self.definition.console_port
            else self._port(0, True),
            # For an adbd that somebody starts on the board, on its own port 5555.
            "adb": self._port(0, True) if self.definition.ssh_port else None,
        }
        self._write_record(
            definition=self.definition.name,
            kind=self.definition.kind,
            console=self._console_address(ports["console"]),
            console_kind=self.definition.console,
            ssh_port=ports["ssh"],
            adb_port=ports["adb"],
            started=time.time(),
            ends=time.time() + seconds,
        )
        if ports["ssh"]:
            text = Keys().configuration(ports["ssh"])
            (self.folder / "ssh_config").write_text(text)
        begun = time.monotonic()
        snapshot = Snapshot(self, boot) if self.definition.kind == "host" and not fresh else None
        argv = self._command(boot, ports)
        if snapshot and snapshot.exists:
            snapshot.restore(argv, seconds)
        else:
            self._launch(argv, seconds)
            if wait:
                self.wait_for_console(self._login(), 120)
            if self.definition.kind == "host":
                self._make_ready(swift_libraries()[:1] if snapshot else [])
            if snapshot:
                snapshot.save()
        if self.definition.console == "pty":
            self._link_pty()
        took = time.monotonic() - begun
        self._write_record(start_seconds=round(took, 2))
        return took

    def _prepared(self) -> dict:
        """What the guest boots, made once."""
        kind = self.definition.kind
        if kind == "uboot":
            image = Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin")
            if not image.exists():
                raise BenchError(f"{image}: not there; scripts/setup virtual-bench installs it")
            return {"firmware": image}
        kernel = kernels.Kernel("arm64" if kind == "arm" else "amd64")
        make = {"x86": initramfs.x86_board, "arm": initramfs.arm_board, "host": initramfs.host}
        boot = {"kernel": kernel, "initrd": make[kind](kernel), "keys": Keys()}
        if kind == "arm":
            boot["dtb"] = devicetree.blob()
        else:
            boot["acpi"] = acpi_table()
        return boot

    def _port(self, wanted: int | None, any_port: bool) -> int | None:
        if wanted is None:
            return None
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", 0 if any_port else wanted))
            except OSError:
                raise BenchError(
                    f"{self.name}: port {wanted} of 127.0.0.1 is taken by another program "
                    f"(`ss -ltnp sport = :{wanted}` tells which); end it, or start with --any-port"
                ) from None
            return probe.getsockname()[1]

    def _console_address(self, port: int | None) -> str:
        match self.definition.console:
            case "telnet":
                return f"telnet:127.0.0.1:{port}"
            case "pty":
                return str(self.folder / "console.pty")
            case _:
                return str(self.folder / "console.sock")

    def _command(self, boot: dict, ports: dict) -> list[str]:
        kind = self.definition.kind
        machine = {"x86": self._x86, "host": self._host, "arm": self._arm, "uboot": self._uboot}
        console = {
            "socket": "socket,id=console,path=console.sock,server=on,wait=off",
            "telnet": "socket,id=console,host=127.0.0.1,port=%s,server=on,wait=off,telnet=on"
            % ports["console"],
            "pty": "pty,id=console",
        }[self.definition.console]
        command = machine[kind](boot)
        command += ["-nodefaults", "-no-user-config", "-display", "none", "-name", self.name]
        command += ["-chardev", f"{console},logfile=console.log,logappend=on"]
        command += ["-serial", "chardev:console"]
        # One client each: the user's power switch, the plant, and this script.
        for name in ("qmp", "plant", "control"):
            command += ["-chardev", f"socket,id={name},path={name}.sock,server=on,wait=off"]
            command += ["-mon", f"chardev={name},mode=control"]
        if ports["ssh"]:
            forward = f"hostfwd=tcp:127.0.0.1:{ports['ssh']}-:22"
            forward += f",hostfwd=tcp:127.0.0.1:{ports['adb']}-:5555"
            if kind == "uboot":
                forward += f",tftp={self.folder / 'share'}"
                command += ["-device", "virtio-rng-pci"]
            command += ["-netdev", f"user,id=net,restrict=on,{forward}"]
            # U-Boot 2023.01 takes this address, whatever the device's is: with another, the network
            # would go on sending to U-Boot when Linux runs.
            address = ",mac=52:52:52:52:52:52" if kind == "uboot" else ""
            command += ["-device", f"virtio-net-pci,netdev=net,romfile={address}"]
        if kind in ("x86", "arm", "host"):
            command += ["-device", "virtio-rng-pci", "-device", "i6300esb"]
            command += ["-action", "watchdog=reset"]
            command += self._share("share", self.folder / "share", False)
            initrd = self.folder / "initrd"
            overlay = boot["keys"].overlay(self.name)
            initrd.write_bytes(boot["initrd"].read_bytes() + overlay)
            command += ["-kernel", str(boot["kernel"].image), "-initrd", "initrd"]
        return command

    def _share(self, tag: str, path: Path, readonly: bool) -> list[str]:
        options = f"local,path={path},mount_tag={tag},security_model=none,multidevs=remap"
        return ["-virtfs", options + (",readonly=on" if readonly else "")]

    def _arguments(self, console: str, more: str = "") -> list[str]:
        role = "host" if self.definition.kind == "host" else "board"
        return [
            "-append",
            f"console={console} panic=1 quiet nokaslr mitigations=off sysrq_always_enabled=1 "
            f"vb.role={role} vb.name={self.name} {more}".strip(),
        ]

    def _x86(self, boot: dict, memory: int = 256) -> list[str]:
        """A PC with two CPUs that pass for Intel's: acpi-cpufreq refuses AMD's."""
        ram = self.folder / "ram"
        if not ram.exists():
            with open(ram, "wb") as file:
                file.truncate(memory << 20)
            self.set_live(dict(zip(LIVE_NAMES, LIVE_START)))
        return [
            "qemu-system-x86_64",
            *("-M", "pc,accel=tcg,memory-backend=ram0", "-m", str(memory), "-smp", "2"),
            *("-cpu", "max,vendor=GenuineIntel,family=6,model=85,stepping=4"),
            "-object",
            f"memory-backend-file,id=ram0,mem-path=ram,size={memory}M,share=on",
            *("-acpitable", f"file={boot['acpi']}"),
            # A host that is busy makes the timer late, and a kernel that checks it would panic.
            *self._arguments("ttyS0,115200", "no_timer_check memmap=64K$0xF000000"),
        ]

    def _host(self, boot: dict) -> list[str]:
        command = self._x86(boot, memory=1024)
        command += self._share("host", Path("/"), True)
        command += ["-device", "qemu-xhci,id=xhci"]
        return command

    def _arm(self, boot: dict) -> list[str]:
        return [
            "qemu-system-aarch64",
            *("-M", devicetree.MACHINE, "-cpu", devicetree.CPU, "-smp", devicetree.TOPOLOGY),
            *("-accel", "tcg", "-m", str(devicetree.MEMORY), "-dtb", str(boot["dtb"])),
            *("-device", "qemu-xhci,id=xhci"),
            *self._arguments("ttyAMA0,115200"),
        ]

    def _uboot(self, boot: dict) -> list[str]:
        if self.definition.ssh_port:
            # What it can boot: the arm board's kernel, and its initial RAM file system.
            kernel = kernels.Kernel("arm64")
            initrd = initramfs.arm_board(kernel).read_bytes() + Keys().overlay(self.name)
            (self.folder / "initrd").write_bytes(initrd)
            (self.folder / "Image").symlink_to(kernel.image)
        return [
            "qemu-system-aarch64",
            *("-M", "virt", "-cpu", "cortex-a57", "-accel", "tcg", "-m", "256"),
            *("-bios", str(boot["firmware"])),
        ]

    def _launch(self, argv: list[str], seconds: int) -> None:
        argv = list(argv)
        serial = argv.index("-serial")
        if self.definition.kind in ("x86", "host"):
            # COM2 and COM3, whose scratch registers are the P-states' control registers.
            argv[serial + 2 : serial + 2] = ["-serial", "null", "-serial", "null"]
        (self.folder / "command").write_text("\n".join(argv) + "\n")
        with open(self.folder / "qemu.log", "wb") as log:
            self._process = subprocess.Popen(
                ["timeout", "-k", "5", str(seconds), *argv],
                cwd=self.folder,
                env=processes.environment(self.folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (self.folder / "console.log").touch()

    def _login(self) -> bytes:
        return b"=> " if self.definition.kind == "uboot" else b" login: "

    def _console_marks(self) -> bytes:
        return (self.folder / "console.log").read_bytes()

    def wait_for_console(self, text: bytes, seconds: float) -> None:
        """Waits until the console has said something."""
        if self.definition.kind == "uboot":
            self._stop_autoboot(seconds)
            return
        deadline = time.monotonic() + seconds
        while text not in self._console_marks():
            if self._process.poll() is not None:
                raise BenchError(f"{self.name}: QEMU ended:\n{self._tail('qemu.log')}")
            if time.monotonic() > deadline:
                raise BenchError(
                    f"{self.name}: no '{text.decode().strip()}' on the console after "
                    f"{seconds:.0f} s; its last words:\n{self._tail('console.log')}"
                )
            time.sleep(0.02)

    def _stop_autoboot(self, seconds: float) -> None:
        """U-Boot counts down whatever happens; ready is when it has begun to."""
        deadline = time.monotonic() + seconds
        while b"U-Boot" not in self._console_marks():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"{self.name}: no U-Boot:\n{self._tail('qemu.log')}")
            time.sleep(0.02)

    def _tail(self, name: str) -> str:
        text = (self.folder / name).read_bytes()[-1500:].decode(errors="replace")
        return text or "(nothing)"

    def _link_pty(self) -> None:
        """A stable name for the pty that QEMU chose."""
        with QMP(self.folder) as qmp:
            for device in qmp.execute("query-chardev"):
                if device["label"] == "console":
                    link = self.folder / "console.pty"
                    link.unlink(missing_ok=True)
                    link.symlink_to(device["filename"].removeprefix("pty:"))
                    return
        raise BenchError(f"{self.name}: QEMU names no pty")

    # MARK: use

    def ssh(self, words: list[str], user: str = "root") -> list[str]:
        """The command line that runs a shell command on the guest."""
        port = self.record().get("ssh_port")
        if not port:
            raise BenchError(f"{self.name}: has no ssh")
        return ["ssh", *Keys().options(), "-p", str(port), f"{user}@127.0.0.1", *words]

    def _make_ready(self, libraries: list[Path]) -> None:
        command = shlex.join(["vb-ready", *map(str, libraries)])
        done = subprocess.run(self.ssh([command]), capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchError(f"{self.name}: did not settle: {done.stdout}{done.stderr}")

    def set_live(self, values: dict[str, int]) -> None:
        """Sets what the guest's ACPI devices read from now on."""
        path = self.folder / "ram"
        if not path.exists():
            raise BenchError(f"{self.name}: has no values that can be set live")
        with open(path, "r+b") as file:
            for name, value in values.items():
                if name not in LIVE_NAMES:
                    raise BenchError(f"'{name}': unknown; there are {', '.join(LIVE_NAMES)}")
                file.seek(LIVE_VALUES + 4 * LIVE_NAMES.index(name))
                file.write(int(value).to_bytes(4, "little"))

    def live(self) -> dict[str, int]:
        with open(self.folder / "ram", "rb") as file:
            file.seek(LIVE_VALUES)
            words = file.read(4 * len(LIVE_NAMES))
        return {
            name: int.from_bytes(words[4 * n : 4 * n + 4], "little")
            for n, name in enumerate(LIVE_NAMES)
        }

    def stop(self) -> bool:
        """Ends everything of this guest; gives whether there was something."""
        count = processes.end(self.pids)
        if self.name != self.definition.name:
            shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("ram", "initrd"):
            (self.folder / name).unlink(missing_ok=True)
        return count > 0


class Snapshot:
    """A bench host that has booted and settled, on disk: RAM, and the state of its devices."""

    def __init__(self, guest: Guest, boot: dict):
        self.guest = guest
        version = subprocess.run(
            ["qemu-system-x86_64", "--version"], capture_output=True, text=True
        ).stdout
        keys = boot["keys"].fingerprint()
        libraries = [f"{path} {path.stat().st_mtime_ns}" for path in swift_libraries()]
        parts = [version, boot["initrd"].name, Path(__file__).read_text(), keys, *libraries]
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
        self.folder = cache() / f"snapshot-{key}"

    @property
    def exists(self) -> bool:
        return (self.folder / "complete").exists()

    def save(self) -> None:
        """Saves a running guest, which goes on afterwards."""
        for old in cache().glob("snapshot-*"):
            shutil.rmtree(old, ignore_errors=True)
        self.folder.mkdir()
        with QMP(self.guest.folder) as qmp:
            qmp.execute("stop")
            self._ignore_shared(qmp)
            qmp.execute("migrate", uri=f"exec:cat > {self.folder / 'state'}")
            self._wait(qmp)
            self._copy(self.guest.folder / "ram", self.folder / "ram")
            qmp.execute("cont")
        (self.folder / "complete").touch()

    def restore(self, argv: list[str], seconds: int) -> None:
        """Starts the guest from the snapshot, on a copy of its RAM."""
        self._copy(self.folder / "ram", self.guest.folder / "ram")
        self.guest._launch([*argv, "-incoming", "defer"], seconds)
        with QMP(self.guest.folder) as qmp:
            self._ignore_shared(qmp)
            qmp.execute("migrate-incoming", uri=f"exec:cat {self.folder / 'state'}")
            self._wait(qmp)
            qmp.execute("cont")

    @staticmethod
    def _ignore_shared(qmp: QMP) -> None:
        capability = {"capability": "x-ignore-shared", "state": True}
        qmp.execute("migrate-set-capabilities", capabilities=[capability])

    @staticmethod
    def _wait(qmp: QMP) -> None:
        deadline = time.monotonic() + 30
        while True:
            status = qmp.execute("query-migrate").get("status")
            if status == "completed":
                return
            if status == "failed" or time.monotonic() > deadline:
                raise BenchError(f"the snapshot could not be moved: {status}")
            time.sleep(0.005)

    @staticmethod
    def _copy(source: Path, destination: Path) -> None:
        done = subprocess.run(
            ["cp", "--sparse=always", "--reflink=auto", str(source), str(destination)],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise BenchError(done.stderr.strip())


def swift_libraries() -> list[Path]:
    """The folder of the Swift runtime and the libraries in it; nothing where there is no Swift."""
    swift = shutil.which("swift")
    if not swift:
        return []
    folder = Path(swift).resolve().parent.parent / "lib" / "swift" / "linux"
    return [folder, *sorted(folder.glob("*.so"))] if folder.is_dir() else []


def acpi_table() -> Path:
    """The project's own SSDT, compiled."""
    source = HERE / "acpi" / "bench.dsl"
    path = cache() / f"acpi-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}.aml"
    if not path.exists():
        done = subprocess.run(
            ["iasl", "-p", str(path.with_suffix("")), str(source)], capture_output=True, text=True
        )
        if not path.exists():
            raise BenchError(f"iasl: {done.stdout}{done.stderr}")
    return path
