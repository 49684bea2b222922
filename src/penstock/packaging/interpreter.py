"""Which Python runs a function: the runtime's own version when this machine has it, else the newest one it has."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.model.errors import UserError
from penstock.packaging import child

Version = tuple[int, int]

_PROBE_TIMEOUT_S: Final = 5.0
# sys._base_executable is the interpreter behind a virtual environment; abiflags "t" marks a free-threaded build,
# which Lambda's runtimes are not.
_PROBE: Final = """
import json, os, sys
print(json.dumps([sys.implementation.name, getattr(sys, "abiflags", ""), sys.version_info[:3],
                  os.path.realpath(getattr(sys, "_base_executable", sys.executable)), sys.base_prefix]))
"""
_NAME: Final = re.compile(r"python(3)\.(\d+)")
# Where version managers and CI runners keep interpreters that need not be on PATH.
_FOLDERS: Final = (
    "{pyenv}/versions/*/bin",
    "{home}/.local/share/uv/python/cpython-*/bin",
    "{home}/.local/bin",
    "{tools}/Python/*/*/bin",
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    executable: Path
    """The real file: not a link, not a virtual environment's."""
    prefix: Path
    full_version: str
    """`3.13.0`"""

    @property
    def version(self) -> Version:
        major, minor, *_ = self.full_version.split(".")
        return int(major), int(minor)

    @property
    def name(self) -> str:
        return "python{}.{}".format(*self.version)


def own() -> Interpreter:
    """The interpreter Penstock itself runs on."""
    executable = getattr(sys, "_base_executable", sys.executable)
    return Interpreter(
        Path(os.path.realpath(executable)), Path(sys.base_prefix), "{}.{}.{}".format(*sys.version_info[:3])
    )


async def find(runtime: str, path: str | None = None) -> tuple[Interpreter, str | None]:
    """The interpreter for `runtime` (`python3.13`), and a warning when it is of another version.

    `path` stands in for the search path. Candidates are believed only after they ran: a version manager's stand-in
    may bear the right name and fail. Nothing is ever downloaded.
    """
    wanted = _version(runtime)
    if wanted is None or own().version == wanted:
        return own(), None
    candidates = list(_candidates(os.environ.get("PATH", os.defpath) if path is None else path))
    exact = [candidate for version, candidate in candidates if version == wanted]
    found = await _first(exact, wanted) or await _first(await _uv_find(runtime), wanted)
    if found is not None:
        return found, None
    newest = await _newest(candidates)
    return newest, f"{runtime} is not on this machine: using Python {newest.full_version} ({newest.executable})"


def _version(name: str) -> Version | None:
    match = _NAME.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None


def _candidates(path: str) -> Iterator[tuple[Version, Path]]:
    """Files named python3.<minor>, the search path's first."""
    home = Path.home()
    values = {
        "home": home,
        "pyenv": os.environ.get("PYENV_ROOT", home / ".pyenv"),
        "tools": os.environ.get("RUNNER_TOOL_CACHE", "/opt/hostedtoolcache"),
    }
    folders = [Path(entry) for entry in path.split(os.pathsep) if entry]
    for pattern in _FOLDERS:
        absolute = Path(pattern.format_map(values))
        folders += sorted(Path("/").glob(str(absolute.relative_to("/"))), reverse=True)
    # A version manager's stand-ins are scripts: they come last, since they take longer than the interpreter itself.
    for folder in sorted(dict.fromkeys(folders), key=lambda folder: folder.name == "shims"):
        for candidate in _listed(folder):
            version = _version(candidate.name)
            if version is not None and os.access(candidate, os.X_OK):
                yield version, candidate


def _listed(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder) if name.startswith("python3.")]
    except OSError:
        return []


async def _newest(candidates: Iterable[tuple[Version, Path]]) -> Interpreter:
    ours = own()
    newer = [(version, path) for version, path in candidates if version > ours.version]
    for version in sorted({version for version, _ in newer}, reverse=True):
        found = await _first([path for its, path in newer if its == version], version)
        if found is not None:
            return found
    return ours


async def _first(candidates: Iterable[Path], version: Version) -> Interpreter | None:
    for candidate in candidates:
        found = await probe(candidate)
        if found is not None and found.version == version:
            return found
    return None


async def probe(executable: Path) -> Interpreter | None:
    """What `executable` says about itself; None when it fails, hangs, or is no ordinary CPython."""
    answer = await _answer(str(executable), "-I", "-S", "-c", _PROBE)
    try:
        implementation, abiflags, version, real, prefix = json.loads(answer)
    except ValueError:
        return None
    if implementation != "cpython" or "t" in abiflags:
        return None
    return Interpreter(Path(real), Path(prefix), ".".join(map(str, version)))


async def _uv_find(runtime: str) -> list[Path]:
    """What uv knows of, for places not listed here. It also runs broken interpreters, which makes it slow: last."""
    flags = ("--no-python-downloads", "--no-project", "--no-config", "--offline", "--quiet")
    try:
        answer = await _answer(child.uv(), "python", "find", *flags, runtime.removeprefix("python"))
    except UserError:
        return []
    return [Path(answer)] if answer.startswith("/") else []


async def _answer(*command: str) -> str:
    """The last line printed by a command that succeeds in time; else nothing."""
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            status, lines = await child.run(command, cwd=Path("/"))
    except TimeoutError:
        return ""
    return lines[-1] if lines and status == 0 else ""
