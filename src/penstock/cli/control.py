"""A running `penstock up` takes questions from other commands, on a socket in its folder that only its user can open.

One JSON object a line, and one back: `{"ask": "status"}`.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson

from penstock.model.errors import UserError

Values: TypeAlias = dict[str, Any]

_NAME: Final = "control.sock"
_MAX_LINE: Final = 64 * 1024
_ANSWER_S: Final = 10.0


class ControlServer:
    """`answer(question)` makes the answer; a UserError it raises is told to who asked."""

    def __init__(self, state: Path, answer: Callable[[Values], Values]) -> None:
        self._state = state
        self._answer = answer
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """The newest one of a folder is the one that is asked."""
        with _short(self._state) as path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            before = os.umask(0o177)
            try:
                self._server = await asyncio.start_unix_server(self._take, path, limit=_MAX_LINE)
            finally:
                os.umask(before)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            (self._state / _NAME).unlink(missing_ok=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.LimitOverrunError, ValueError, TimeoutError):
            async with asyncio.timeout(_ANSWER_S):
                line = await reader.readline()
                writer.write(orjson.dumps(self._reply(line)) + b"\n")
                await writer.drain()
        writer.close()

    def _reply(self, line: bytes) -> Values:
        try:
            question = orjson.loads(line)
            return self._answer(question if isinstance(question, dict) else {})
        except orjson.JSONDecodeError:
            return {"error": "that is not JSON"}
        except UserError as error:
            return {"error": str(error)}


def ask(state: Path, question: Values) -> Values:
    """What the `penstock up` of this folder answers. Raises UserError when there is none, or with what it says."""
    try:
        with _short(state) as path, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(_ANSWER_S)
            sock.connect(path)
            sock.sendall(orjson.dumps(question) + b"\n")
            with sock.makefile("rb") as lines:
                found: Values = orjson.loads(lines.readline() or b"{}")
    except (OSError, orjson.JSONDecodeError):
        raise UserError(f"no `penstock up` or `penstock serve` is running for {state.name}") from None
    if "error" in found:
        raise UserError(str(found["error"]))
    return found


@contextlib.contextmanager
def _short(state: Path) -> Iterator[str]:
    """A path to the socket that fits into an address (107 bytes, unix(7)), however deep the folder."""
    if not Path("/proc/self/fd").is_dir():
        yield str(state / _NAME)
        return
    folder = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{_NAME}"
    finally:
        os.close(folder)
