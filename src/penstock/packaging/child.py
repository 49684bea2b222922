"""Tools that packaging runs (uv, compileall): never outliving us, never asking, their last words kept."""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from uv import find_uv_bin

from penstock.model.errors import UserError

# PR_SET_PDEATHSIG, so that the tool dies even when we are killed with SIGKILL; the setting stays through exec.
# A trampoline and not a preexec_fn, which may deadlock in a process with threads.
# https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
_DIE_WITH_PARENT: Final = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
_KEPT_LINES: Final = 40
_LINE_LIMIT: Final = 1024 * 1024


def uv() -> str:
    """The uv that is installed with us."""
    try:
        return find_uv_bin()
    except FileNotFoundError:
        raise UserError("uv is missing: it is installed together with penstock, reinstall penstock") from None


async def run(
    command: Sequence[str],
    *,
    cwd: Path,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] = lambda _: None,
) -> tuple[int, list[str]]:
    """Run `command` (an absolute path first); its exit status and the last lines it printed, stdout and stderr as one.

    `on_line` sees each line as it comes. When cancelled, the command and its whole process group are killed first.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command),
        cwd=cwd,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        limit=_LINE_LIMIT,
    )
    try:
        _, lines = await asyncio.gather(_feed(process, stdin), _read(process, on_line))
        return await process.wait(), lines
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    """A command may end without reading; uvloop says RuntimeError when its pipe is closed already."""
    assert process.stdin is not None
    with suppress(BrokenPipeError, ConnectionResetError, RuntimeError):
        process.stdin.write(data)
        await process.stdin.drain()
    with suppress(RuntimeError):
        process.stdin.close()


async def _read(process: asyncio.subprocess.Process, on_line: Callable[[str], None]) -> list[str]:
    assert process.stdout is not None
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    while raw := await process.stdout.readline():
        line = raw.decode(errors="replace").rstrip()
        lines.append(line)
        on_line(line)
    return list(lines)
