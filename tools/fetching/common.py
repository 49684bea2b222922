"""What the clients have in common: the cache, commands under care, folders that are complete when they are there."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PINS: Final = Path(__file__).parents[1] / "clients"
PROGRESS_EVERY_S: Final = 30.0
LOOK_EVERY_S: Final = 0.2

# Signals that came. Noted and not raised: an exception between the start of a command and our care for it would orphan
# it.
STOPPED: Final[list[int]] = []

# Where npm writes of itself, below the cause.
_ASIDE: Final = re.compile(r"npm error (Log files were not written|A complete log of this run)")
# What cargo, npm and uv begin the first line of their trouble with.
_ERROR: Final = re.compile(r"(npm )?error\b|\u00d7", re.IGNORECASE)


class Missing(Exception):
    """A client is not there; the text is one line that says why."""


class Misplaced(Exception):
    """A variable that names a client is set and wrong; the text is one line that says so."""


@dataclass(frozen=True, slots=True)
class Client:
    """`find` and `fetch` return its path; both raise Missing and Misplaced."""

    name: str
    title: str
    find: Callable[[Mapping[str, str]], Path]
    fetch: Callable[[Mapping[str, str]], Path]


@dataclass(frozen=True, slots=True)
class Command:
    """`log` takes what it writes; `limit_s` bounds it; `progress` puts into words how far it is."""

    words: Sequence[str | Path]
    log: Path
    limit_s: float
    progress: Callable[[], str]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def cache(environ: Mapping[str, str]) -> Path:
    """https://specifications.freedesktop.org/basedir-spec/latest/: a relative path counts as unset."""
    if given := environ.get("PENSTOCK_CLIENTS"):
        return Path(given).absolute()
    base = Path(environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "penstock" / "clients"


def pinned(environ: Mapping[str, str], name: str, *pins: Path) -> Path:
    """The folder in the cache for what these pins come to: other pins, another folder."""
    digest = hashlib.sha256(b"".join(pin.read_bytes() for pin in pins)).hexdigest()
    return cache(environ) / f"{name}-{digest[:12]}"


def own_binary(environ: Mapping[str, str], variable: str) -> Path | None:
    """The executable that a variable names. Raises Misplaced when it is none."""
    if not (given := environ.get(variable)):
        return None
    path = Path(given).absolute()
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise Misplaced(f"{variable}={given} is not an executable file")
    return path


def program(environ: Mapping[str, str], name: str, origin: str) -> str:
    """Raises Missing when it is not on PATH; `origin` says who has it."""
    found = shutil.which(name, path=environ.get("PATH"))
    if found is None:
        raise Missing(f"there is no {name} on PATH ({origin} has it)")
    return found


@contextmanager
def complete(folder: Path) -> Iterator[Path]:
    """A folder to fill beside `folder`, which takes its name in one move at the end: its presence is the stamp.

    Raises Missing where the cache cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f"{folder.name}.", dir=folder.parent, ignore_cleanup_errors=True
        ) as new:
            yield Path(new)
            if not folder.exists():  # another run may have been faster
                Path(new).rename(folder)
                folder.chmod(0o755)
    except OSError as error:
        raise Missing(f"{error.strerror}: {error.filename}") from None


def run(command: Command, folder: Path, environ: Mapping[str, str]) -> None:
    """Run it in `folder` to its end. Raises Missing when it fails or takes too long, and OSError."""
    with command.log.open("w") as output:
        process = subprocess.Popen(
            command.words,
            cwd=folder,  # no configuration of the repository's surroundings
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = _attend(process, command)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if code != 0:
        name = Path(command.words[0]).name
        raise Missing(f"{reason(command.log)} ({name}'s exit code is {code}, its words are in {command.log})")


def _attend(process: "subprocess.Popen[bytes]", command: Command) -> int:
    """Wait for the exit code, saying now and then how far it is. Raises Missing when it takes too long."""
    began = said = time.monotonic()
    while (now := time.monotonic()) < began + command.limit_s:
        if STOPPED:
            sys.exit(128 + STOPPED[0])
        if now > said + PROGRESS_EVERY_S:
            said = now
            say(command.progress())
        try:
            return process.wait(LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            continue
    name = Path(command.words[0]).name
    raise Missing(f"{name} was stopped after {command.limit_s:g} s; `make clients` tries again (see {command.log})")


def reason(log: Path) -> str:
    """The first error that a command told of, and the cause at the bottom of it."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    lines = [line for line in lines if not _ASIDE.match(line)]
    error = next((line for line in lines if _ERROR.match(line)), "it failed")
    return error if lines[-1:] in ([], [error]) else f"{error}; {lines[-1]}"
