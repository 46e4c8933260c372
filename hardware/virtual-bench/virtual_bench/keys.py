"""Host keys for the guests, and a key to log in with; made once, readable by their owner only."""

import hashlib
import os
import subprocess
from pathlib import Path

from .initramfs import Archive
from .places import BenchError, cache


class Keys:
    def __init__(self):
        self.folder = cache() / "keys"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.identity = self.folder / "id_ed25519"
        self.host = self.folder / "host_ed25519"
        if not self.identity.exists():
            self._run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "kelvin virtual bench",
                       "-f", str(self.identity)])
        if not self.host.exists():
            self._run(["dropbearkey", "-t", "ed25519", "-f", str(self.host)])
        self.known_hosts = self.folder / "known_hosts"
        if not self.known_hosts.exists():
            text = self._run(["dropbearkey", "-y", "-f", str(self.host)])
            key = next(line for line in text.splitlines() if line.startswith("ssh-ed25519"))
            partial = self.folder / f"known_hosts.{os.getpid()}"
            partial.write_text("* " + " ".join(key.split()[:2]) + "\n")
            partial.rename(self.known_hosts)

    @staticmethod
    def _run(argv: list[str]) -> str:
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchError(f"{argv[0]}: {done.stderr.strip()}")
        return done.stdout

    def fingerprint(self) -> str:
        parts = self.host.read_bytes() + self.identity.with_suffix(".pub").read_bytes()
        return hashlib.sha256(parts).hexdigest()

    def configuration(self, port: int) -> str:
        """A configuration of ssh for one guest, for whoever is not this program."""
        return (
            "Host *\n"
            f"  Port {port}\n"
            "  User root\n"
            f"  IdentityFile {self.identity}\n"
            "  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.known_hosts}\n"
            "  GlobalKnownHostsFile none\n"
            "  StrictHostKeyChecking yes\n"
        )

    def overlay(self, name: str) -> bytes:
        """What makes one guest's file system its own, as a further archive."""
        archive = Archive()
        archive.file("etc/hostname", f"{name}\n".encode())
        key = self.host.read_bytes()
        archive.file("etc/dropbear/dropbear_ed25519_host_key", key, 0o600)
        public = self.identity.with_suffix(".pub").read_bytes()
        archive.file("root/.ssh/authorized_keys", public, 0o600)
        return archive.bytes()

    def options(self) -> list[str]:
        """What ssh needs to reach a guest, and nothing of the user's own settings."""
        return [
            *("-F", "none", "-i", str(self.identity), "-o", "IdentitiesOnly=yes"),
            *("-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "GlobalKnownHostsFile=none"),
            *("-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"),
            *("-o", "ConnectTimeout=20"),
        ]
