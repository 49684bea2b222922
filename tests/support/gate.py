"""Where the probe app waits until a test lets it go on, and how a test knows that a process is dead.

A visit is a connection: it ends on the test's side when every process that holds it has died, whatever those processes
did to their pids, groups and sessions.
"""

import json
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Self

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Visit:
    """`pid` as the visitor sees itself; `environment` is the execution environment's id."""

    name: str
    environment: str
    pid: int
    connection: socket.socket

    def release(self) -> None:
        """Let the visitor go on."""
        self.connection.close()

    def is_over(self) -> bool:
        """Whether nobody holds the other end any more."""
        self.connection.setblocking(False)
        try:
            return not self.connection.recv(1)
        except BlockingIOError:
            return False
        except ConnectionError:
            return True


class Gate:
    """Listens on loopback. Used in a `with` statement; all visits are let go at its end."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self._listener.settimeout(PATIENCE_S)
        self._waiting: list[Visit] = []
        self._all: list[Visit] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def fileno(self) -> int:
        """Readable when a visitor comes, for `select`."""
        return self._listener.fileno()

    def next(self, name: str) -> Visit:
        """The next visit of that name. Raises TimeoutError when none comes."""
        while True:
            for visit in self._waiting:
                if visit.name == name:
                    self._waiting.remove(visit)
                    return visit
            self._accept()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(PATIENCE_S)
        line = b""
        while not line.endswith(b"\n"):
            received = connection.recv(1)
            if not received:  # it died before it could say who it was
                connection.close()
                return
            line += received
        said = json.loads(line)
        visit = Visit(str(said["name"]), str(said["environment"]), int(said["pid"]), connection)
        self._all.append(visit)
        self._waiting.append(visit)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        for visit in self._all:
            visit.release()
