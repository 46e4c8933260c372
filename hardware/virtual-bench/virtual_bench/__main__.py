"""The command line of the virtual bench; see scripts/virtual-bench --help."""

import argparse
import dataclasses
import json
import os
import shlex
import shutil
import subprocess
import sys
import time

from . import guests, processes
from .guests import BOARDS, GUESTS, Guest
from .places import ROOT, BenchError, cache, running, say

EXAMPLES = """\
guests:
""" + "\n".join(f"  {name:8} {guest.note}" for name, guest in GUESTS.items()) + """

examples:
  scripts/virtual-bench start                     all boards and the bench host
  scripts/virtual-bench start x86-a --for 30m     one board, for half an hour at most
  scripts/virtual-bench console x86-a             its console; leave with Ctrl-]
  scripts/virtual-bench ssh x86-a -- uname -a     a command on a board (root's password: kelvin)
  scripts/virtual-bench exec -- lsusb             a command of this machine on the bench host
  scripts/virtual-bench live x86-a power-mW=5000  what the board's power meter says from now on
  scripts/virtual-bench plant x86-a --background  its power follows what it does
  scripts/virtual-bench with x86-a arm -- make test    a command with two boards, which end with it
  scripts/virtual-bench stop                      ends every process that start began
"""


def seconds(text: str) -> int:
    """A duration such as 90, 90s, 30m or 2h."""
    factors = {"s": 1, "m": 60, "h": 3600}
    number, factor = (text[:-1], factors[text[-1]]) if text[-1:] in factors else (text, 1)
    if not number.isdigit() or not 0 < int(number) * factor <= 86_400:
        raise argparse.ArgumentTypeError(f"'{text}': a duration such as 30m or 2h, at most 24h")
    return int(number) * factor


def start(options) -> int:
    names = options.guests or [*BOARDS, "host"]
    for name in names:
        if name not in GUESTS:
            raise BenchError(f"'{name}': no such guest; there are {', '.join(GUESTS)}")
    if options.alias and len(names) != 1:
        raise BenchError("--as names one guest; give exactly one")
    failed = False
    for name in names:
        definition = GUESTS[name]
        if options.console:
            definition = dataclasses.replace(definition, console=options.console)
        if options.network:
            definition = dataclasses.replace(definition, ssh_port=42204)
        guest = Guest(definition, options.alias)
        if guest.is_running:
            say(f"{guest.name}: is up already")
            continue
        try:
            took = guest.start(
                any_port=options.any_port, seconds=options.seconds, fresh=options.fresh
            )
            say(f"{guest.name}: up after {took:.1f} s")
        except BenchError as error:
            failed = True
            say(str(error))
            guest.stop()
    return 1 if failed else 0


def surround(options) -> int:
    """Runs a command while guests are up; ends those that were not up before."""
    separator = options.words.index("--") if "--" in options.words else -1
    names, argv = options.words[:separator], options.words[separator + 1 :]
    if separator < 1 or not argv:
        raise BenchError("write: with GUEST... -- COMMAND...")
    for name in names:
        if name not in GUESTS:
            raise BenchError(f"'{name}': no such guest; there are {', '.join(GUESTS)}")
    begun = []
    try:
        for guest in (Guest(GUESTS[name]) for name in names):
            if guest.is_running:
                continue
            begun.append(guest)
            took = guest.start(any_port=False, seconds=options.seconds, fresh=False)
            say(f"{guest.name}: up after {took:.1f} s")
        child = subprocess.Popen(argv)
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                pass  # The command has it, too, and decides.
    finally:
        for guest in begun:
            guest.stop()


def stop(options) -> int:
    if options.guests:
        for name in options.guests:
            guest = Guest.named(name)
            say(f"{name}: {'stopped' if guest.stop() else 'was not running'}")
        return 0
    count = processes.end(lambda: processes.find(below=running()))
    for folder in running().iterdir():
        for name in ("ram", "initrd"):
            (folder / name).unlink(missing_ok=True)
    say(f"{count} process{'' if count == 1 else 'es'} ended")
    return 0


def status(options) -> int:
    found = []
    for folder in sorted(running().iterdir()):
        if not (folder / "guest.json").exists():
            continue
        guest = Guest.named(folder.name)
        record = guest.record()
        found.append(
            {
                "name": guest.name,
                "running": guest.is_running,
                **record,
                "folder": str(guest.folder),
                "qmp": str(guest.folder / "qmp.sock"),
            }
        )
    if options.format == "json":
        print(json.dumps(found, indent=1))
        return 0
    if not found:
        print("no guest was started; scripts/virtual-bench start")
    for guest in found:
        if guest["running"]:
            left = max(0, guest["ends"] - time.time()) / 60
            ssh = f"  ssh 127.0.0.1:{guest['ssh_port']}" if guest.get("ssh_port") else ""
            print(f"{guest['name']:8} up, {left:.0f} min left  console {guest['console']}{ssh}")
        else:
            print(f"{guest['name']:8} down")
    return 0


def console(options) -> int:
    guest = Guest.named(options.guest)
    if not guest.is_running:
        raise BenchError(f"{guest.name}: is down; scripts/virtual-bench start {guest.name}")
    address = guest.record()["console"]
    if address.startswith("telnet:"):
        _, host, port = address.split(":")
        target = f"TCP:{host}:{port}"
    elif address.endswith(".pty"):
        target = f"{os.path.realpath(address)},raw,echo=0"
    else:
        target = "UNIX-CONNECT:console.sock"
    os.chdir(guest.folder)
    terminal = "STDIO,raw,echo=0,escape=0x1d" if sys.stdin.isatty() else "STDIO"
    os.execvp("socat", ["socat", terminal, target])


def words(options) -> list[str]:
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise BenchError("no command given; put it after --")
    return command


def ssh(options) -> int:
    guest = Guest.named(options.guest)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    # One word is shell text, as with ssh itself; several are an argument vector.
    return subprocess.call(guest.ssh(command if len(command) < 2 else [shlex.join(command)]))


def execute(options) -> int:
    guest = Guest.named(options.guest)
    if not guest.is_running:
        raise BenchError(f"{guest.name}: is down; scripts/virtual-bench start {guest.name}")
    settings = [f"PATH={os.environ['PATH']}", "HOME=/root", *options.env]
    command = ["vb-run", str(int(time.time())), str(ROOT), os.getcwd(), *settings, *words(options)]
    return subprocess.call(guest.ssh([shlex.join(command)]))


def live(options) -> int:
    guest = Guest.named(options.guest)
    values = {}
    for word in options.values:
        name, separator, number = word.partition("=")
        if not separator or not number.isdigit():
            raise BenchError(f"'{word}': write NAME=NUMBER, e.g. power-mW=5000")
        values[name] = int(number)
    if values:
        guest.set_live(values)
    for name, value in guest.live().items():
        print(f"{name}={value}")
    return 0


def plant(options) -> int:
    """Starts the plant of a guest as a process of the bench, or runs it in the foreground."""
    guest = Guest.named(options.guest)
    if guest.definition.kind not in ("x86", "arm"):
        raise BenchError(f"{guest.name}: has no plant; x86 and arm boards have")
    binary = ROOT / ".build" / "release" / "kelvin"
    kelvin = [str(binary)] if binary.exists() else [str(ROOT / "scripts" / "kelvin")]
    command = [*kelvin, "simulate", "plant", str(guest.folder), "--kind", guest.definition.kind]
    command += options.command[1:] if options.command[:1] == ["--"] else options.command
    if not options.background:
        os.execv(command[0], command)
    log = open(guest.folder / "plant.log", "wb")
    started = subprocess.Popen(
        command,
        env=processes.environment(guest.folder),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    deadline = time.monotonic() + 10
    while not (guest.folder / "plant.csv").exists():
        if started.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"no plant: {(guest.folder / 'plant.log').read_text().strip()}")
        time.sleep(0.02)
    say(f"{guest.name}: its plant writes {guest.folder / 'plant.csv'}")
    return 0


def build(options) -> int:
    for name in options.guests or GUESTS:
        Guest(GUESTS[name])._prepared()
    return 0


def clean(_) -> int:
    shutil.rmtree(cache())
    say("kernels, modules, images, keys and snapshots are gone; they are made anew when needed")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/virtual-bench",
        description="Boards and a bench host that are QEMU guests with Debian's kernels.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(function=function)
        return added

    starting = command("start", start, "Starts guests, and waits until each can be used.")
    starting.add_argument("guests", nargs="*", metavar="GUEST", help="default: all")
    starting.add_argument("--for", dest="seconds", type=seconds, default=8 * 3600,
                          help="when they end by themselves; default 8h")
    starting.add_argument("--any-port", action="store_true",
                          help="free ports instead of the fixed ones; status tells which")
    starting.add_argument("--as", dest="alias", metavar="NAME",
                          help="another name, so that one guest can run several times")
    starting.add_argument("--console", choices=["socket", "telnet", "pty"],
                          help="what the console is; telnet takes a free port")
    starting.add_argument("--network", action="store_true",
                          help="gives 'uboot' a network, whose TFTP server (10.0.2.2) serves its share/")
    starting.add_argument("--fresh", action="store_true",
                          help="boot the bench host instead of restoring its snapshot")
    surrounding = command("with", surround, "Runs a command while guests are up: with GUEST... -- "
                          "COMMAND. Those that were not up before end with it.")
    surrounding.add_argument("--for", dest="seconds", type=seconds, default=2 * 3600,
                             help="when they end at the latest; default 2h")
    surrounding.add_argument("words", nargs=argparse.REMAINDER, metavar="GUEST... -- COMMAND...")
    stopping = command("stop", stop, "Ends guests: those named, or all, whoever started them.")
    stopping.add_argument("guests", nargs="*", metavar="GUEST")
    telling = command("status", status, "Says which guests run, and how they are reached.")
    telling.add_argument("--format", choices=["text", "json"], default="text")
    talking = command("console", console, "Connects this terminal to a console; leave by Ctrl-].")
    talking.add_argument("guest", metavar="GUEST")
    shell = command("ssh", ssh, "Runs a command, or a shell, on a guest as root.")
    shell.add_argument("guest", metavar="GUEST")
    shell.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND...")
    running_there = command("exec", execute,
                            "Runs a command of this machine's file system on the bench host.")
    running_there.add_argument("--guest", default="host", metavar="NAME")
    running_there.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    running_there.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND...")
    values = command("live", live, "Shows or sets what a guest's ACPI devices read.")
    values.add_argument("guest", metavar="GUEST")
    values.add_argument("values", nargs="*", metavar="NAME=NUMBER")
    planting = command("plant", plant, "Drives a board's power from what it does.")
    planting.add_argument("guest", metavar="GUEST")
    planting.add_argument("--background", action="store_true",
                          help="go on beside the guest, and end with it")
    planting.add_argument("command", nargs=argparse.REMAINDER,
                          metavar="-- OPTIONS OF kelvin simulate plant...")
    building = command("build", build, "Makes what guests boot, without starting any.")
    building.add_argument("guests", nargs="*", metavar="GUEST")
    command("clean", clean, "Deletes everything that was built or downloaded.")

    options = parser.parse_args()
    try:
        return options.function(options)
    except BenchError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
