"""PENSTOCK_UVICORN_HOOK=1: the extension stands by, and uvicorn's process asks it for the right to poll.

One of two processes of an environment polls the Runtime API, never both: the extension, which alone decides, or the
loop inside uvicorn, which asks on this socket and has the right for as long as its connection lives. Where nobody
listens there is nothing to be had, and the app serves its port. `standby` is what the two say to each other.

The name is an abstract one: it belongs to the network the two share, as proxy mode's port does, and is gone with its
process. It holds the environment's own address, since several environments may share a network here.
https://man7.org/linux/man-pages/man7/unix.7.html
"""

import socket
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "PENSTOCK_UVICORN_HOOK"
# A process beside us takes a connection at once or never; `assumed`.
_PATIENCE_S: Final = 2.0


class HandOverError(Exception):
    """Nobody can stand by in this environment."""


def is_wanted(variables: Mapping[str, str]) -> bool:
    """Whether the function has the variable; `options` warns of values other than 0 and 1."""
    return variables.get(VARIABLE) == "1"


def listen(runtime_api: str) -> socket.socket:
    """The extension's end, made before it registers: the runtime starts after that. Raises HandOverError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(_name(runtime_api))
        listener.listen()
    except OSError as error:
        listener.close()
        # Whoever has the name might give away what is ours.
        raise HandOverError(f"{VARIABLE}=1: cannot stand by for {runtime_api}: {error}") from error
    listener.setblocking(False)
    return listener


def connect(runtime_api: str) -> socket.socket | None:
    """The other end; None where nobody stands by."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_PATIENCE_S)
    try:
        connection.connect(_name(runtime_api))
    except OSError:
        connection.close()
        return None
    connection.setblocking(False)
    return connection


def _name(runtime_api: str) -> str:
    return f"\0penstock-uvicorn-{runtime_api}"
