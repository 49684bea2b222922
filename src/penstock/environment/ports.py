"""A free TCP port for an app that will bind it itself.

Between choosing and binding lies a gap that a port picked by the kernel would leave open: such ports are the ones it
hands to outgoing connections. So the choice is below that range, and a lock file keeps it from every other
environment on the machine, of this Penstock or another, for as long as it is used.
"""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import Final

# Linux hands out 32768 and up (ip_local_port_range), macOS 49152 and up.
_FIRST: Final = 20_000
_LAST: Final = 32_000
_ATTEMPTS: Final = 200


class PortReservation:
    """`number` is kept from other environments until `release`."""

    def __init__(self, number: int, lock: int) -> None:
        self.number = number
        self._lock = lock

    def release(self) -> None:
        """Give the port back. Releasing twice is no error."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def reserve_port(host: str = "127.0.0.1") -> PortReservation:
    """Raises OSError when no port could be had."""
    folder = Path(tempfile.gettempdir()) / f"penstock-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for _ in range(_ATTEMPTS):
        number = random.randint(_FIRST, _LAST)
        lock = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind((host, number))
        except OSError:
            os.close(lock)
            continue
        return PortReservation(number, lock)
    raise OSError(f"no free port between {_FIRST} and {_LAST}")
