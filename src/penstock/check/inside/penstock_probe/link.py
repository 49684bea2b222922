"""The connection to whoever checks: one JSON object a line, each answered with one.

    > {"hello": {"pid": 7}}
    < {"do": "look"}     > {"slots": {"main.hits": ["value", "int", 9, -1, 5, []]}, "worked": 0.002}
    < {"do": "watch"}    > {"loop": true}
    < {"do": "stop"}     > {"delays": [0.0001], "blocks": {}}

A process that forks has no thread of ours while it does, and its child connects anew: workers of one server are many.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import socket
import threading
import time

from .look import Looker
from .loop_watch import LoopWatch, find_loop
from .own_modules import OwnModules

# sockaddr_un holds 108 bytes, the closing NUL among them: unix(7).
_MAX_PATH_BYTES = 107
_JOIN_S = 1.0


class Link:
    """`path` is that of a UNIX socket, `tokens` a pattern of bytes, `root` the task root."""

    def __init__(self, path: str, tokens: str, root: str) -> None:
        self._path = path
        self._tokens = re.compile(tokens.encode(), re.IGNORECASE)
        self._root = root
        self._reset()

    def _reset(self) -> None:
        self._own = OwnModules(self._root)
        self._looker = Looker(self._tokens)
        self._watch: LoopWatch | None = None
        self._socket: socket.socket | None = None
        self._unread = b""
        self._pausing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        os.register_at_fork(before=self._pause, after_in_parent=self._go_on, after_in_child=self._begin_anew)
        self._begin()

    def _begin(self) -> None:
        self._wakes, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="penstock-check", daemon=True)
        self._thread.start()

    # --- forks ---

    def _pause(self) -> None:
        """No thread of ours may hold a lock while the process is copied."""
        self._pausing = True
        if self._watch is not None:
            self._watch.stop()
        if self._thread is not None:
            self._wake.send(b"x")
            self._thread.join(_JOIN_S)

    def _go_on(self) -> None:
        self._close_wakes()
        self._pausing = False
        self._begin()

    def _begin_anew(self) -> None:
        self._close_wakes()
        if self._socket is not None:
            self._socket.close()  # our copy: the parent keeps its own
        self._reset()
        self._begin()

    def _close_wakes(self) -> None:
        self._wakes.close()
        self._wake.close()

    # --- the thread ---

    def _run(self) -> None:
        # Whoever checks may be gone, and the app goes on.
        with contextlib.suppress(OSError, ValueError):
            if self._socket is None:
                self._socket = _connect(self._path)
                self._send({"hello": {"pid": os.getpid()}})
            while (line := self._next_line()) is not None:
                self._send(self._answer(json.loads(line)))

    def _next_line(self) -> bytes | None:
        """None at the end, and when this thread is to make way for a fork."""
        assert self._socket is not None
        poll = select.poll()
        for one in (self._socket, self._wakes):
            poll.register(one, select.POLLIN)
        while b"\n" not in self._unread:
            if any(fd == self._wakes.fileno() for fd, _ in poll.poll()):
                return None
            data = self._socket.recv(65536)
            if not data:
                return None
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _send(self, value: dict[str, object]) -> None:
        assert self._socket is not None
        self._socket.sendall(json.dumps(value).encode() + b"\n")

    def _answer(self, asked: dict[str, object]) -> dict[str, object]:
        what = asked.get("do")
        try:
            if what == "look":
                return self._look()
            if what == "watch":
                return self._start_watch()
            if what == "stop":
                watch, self._watch = self._watch, None
                return watch.stop() if watch is not None else {"delays": [], "blocks": {}}
        except Exception as error:  # told to whoever checks: the app must not notice
            return {"error": f"{type(error).__name__}: {error}"}
        return {"error": f"unknown: {what!r}"}

    def _look(self) -> dict[str, object]:
        before = time.thread_time()
        slots = self._looker.look(self._own.loaded())
        return {"slots": slots, "worked": time.thread_time() - before}

    def _start_watch(self) -> dict[str, object]:
        found = find_loop()
        if found is not None:
            self._watch = LoopWatch(found, self._own.is_own)
            self._watch.start()
        return {"loop": found is not None}


def _connect(path: str) -> socket.socket:
    """Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = -1
    try:
        if len(os.fsencode(path)) > _MAX_PATH_BYTES:
            folder = os.open(os.path.dirname(path), os.O_RDONLY)
            path = f"/proc/self/fd/{folder}/{os.path.basename(path)}"
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    finally:
        if folder >= 0:
            os.close(folder)
    return connection
