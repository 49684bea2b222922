"""A function's requirements.txt, installed by uv once for each content."""

import platform
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Final

from penstock.model.errors import Place, UserError
from penstock.packaging import child, requirements
from penstock.packaging.interpreter import Interpreter, own
from penstock.packaging.store import Entry, Store

FILE: Final = "requirements.txt"

_RESOLVED: Final = re.compile(r"Resolved (\d+ packages?)")
# uv says `error: ...` and `  cause: ...` below it; older versions drew a cross and a tree.
_CROSS: Final = "\N{MULTIPLICATION SIGN}"
_FRAME: Final = re.compile(rf"^[\s{_CROSS}╰─▶│├]+")
_TOLD_LINES: Final = 8
_TOLD_CHARS: Final = 800


async def install(
    file: Path, interpreter: Interpreter, store: Store, function: str, progress: Callable[[str], None]
) -> Entry:
    """The installed content of requirements file `file` for `interpreter`; nothing is run when it was done before.

    Raises UserError with uv's own words.
    """
    # The executable is part of the name because console scripts hold it in their first line.
    name = requirements.digest(
        file, str(interpreter.executable), interpreter.full_version, sys.platform, platform.machine()
    )
    return await store.entry(name, partial(_install, file, interpreter, function, progress))


async def _install(
    file: Path, interpreter: Interpreter, function: str, progress: Callable[[str], None], target: Path
) -> None:
    def on_line(line: str) -> None:
        if resolved := _RESOLVED.match(line):
            progress(f"Installing {resolved[1]} for {function} ({interpreter.name})")

    progress(f"Resolving the requirements of {function}")
    await fill(target, file, interpreter, f"the requirements of {function}", on_line=on_line)


async def fill(
    target: Path,
    file: Path,
    interpreter: Interpreter,
    what: str,
    *,
    flags: Sequence[str] = (),
    on_line: Callable[[str], None] = lambda _: None,
) -> None:
    """Install requirements file `file` into the folder `target`. Raises UserError: "cannot install `what`: ..."."""
    # Copies: what a function does to its files must not reach uv's own cache.
    options = ("--python", str(interpreter.executable), "--compile-bytecode", "--link-mode", "copy")
    await _run_uv(target, file, what, (*options, *flags), on_line)


async def download(target: Path, file: Path, what: str, flags: Sequence[str]) -> None:
    """The same for a Python and a machine that need not be these, which `flags` name; without bytecode."""
    await _run_uv(target, file, what, ("--python", str(own().executable), *flags), lambda _: None)


async def _run_uv(target: Path, file: Path, what: str, flags: Sequence[str], on_line: Callable[[str], None]) -> None:
    command = (
        *(child.uv(), "pip", "install", "--target", str(target), "-r", file.name),
        *("--no-progress", "--color", "never", *flags),
    )
    status, lines = await child.run(command, cwd=file.parent, on_line=on_line)
    if status != 0:
        raise UserError(f"cannot install {what}: {_reason(lines, status)}", Place(file))
    (target / ".lock").unlink(missing_ok=True)


def _reason(lines: list[str], status: int) -> str:
    """uv's error in one line, without its frame, its hints and the steps that went well."""
    start = next((at for at, line in enumerate(lines) if line.lstrip().startswith(("error", _CROSS))), 0)
    told_lines = takewhile(lambda line: not line.lstrip().startswith("hint:"), lines[start:])
    words = [word for line in told_lines if (word := _FRAME.sub("", line).strip("^ "))]
    if len(words) > _TOLD_LINES:
        # What failed is said first, and what it said itself comes last.
        words = [*words[: _TOLD_LINES // 2], "...", *words[-_TOLD_LINES // 2 :]]
    told = re.sub(r" cause: ", ": ", " ".join(" ".join(words).split())).removeprefix("error: ")
    return told[:_TOLD_CHARS] or f"uv ended with status {status} and said nothing"
