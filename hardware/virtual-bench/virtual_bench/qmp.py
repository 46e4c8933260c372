"""QEMU's machine protocol, just enough to drive a guest."""

import json
import socket
import time
from pathlib import Path

from .places import BenchError


class QMP:
    """One connection; QEMU takes one client at a time on each socket."""

    def __init__(self, folder: Path, name: str = "control", timeout: float = 10):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        path = folder / f"{name}.sock"
        deadline = time.monotonic() + timeout
        while True:
            try:
                # Through the folder's descriptor: the whole path may be too long for a socket.
                import os

                descriptor = os.open(folder, os.O_PATH)
                try:
                    self._socket.connect(f"/proc/self/fd/{descriptor}/{name}.sock")
                finally:
                    os.close(descriptor)
                break
            except (FileNotFoundError, ConnectionRefusedError) as error:
                if time.monotonic() > deadline:
                    raise BenchError(f"{path}: {error.strerror}; is the guest running?") from None
                time.sleep(0.01)
        self._file = self._socket.makefile("rwb")
        greeting = self._read()
        self.version = greeting["QMP"]["version"]["qemu"]
        self.execute("qmp_capabilities")

    def _read(self) -> dict:
        line = self._file.readline()
        if not line:
            raise BenchError("the guest ended the connection")
        return json.loads(line)

    def execute(self, command: str, **arguments):
        """Sends a command, gives its result; events in between are dropped."""
        request = {"execute": command}
        if arguments:
            request["arguments"] = {key.replace("_", "-"): v for key, v in arguments.items()}
        self._file.write(json.dumps(request).encode() + b"\n")
        self._file.flush()
        while True:
            answer = self._read()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise BenchError(f"{command}: {answer['error']['desc']}")

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
