"""Real clients as processes: where they are, and how a test talks with one while it runs."""

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from support.web_adapter import CLIENTS

PATIENCE_S = 30.0


def need_client(name: str) -> Path:
    """Where `make clients` has put it; skips where it has not, fails where a variable that names it is wrong."""
    words = [sys.executable, str(CLIENTS), "where", name]
    found = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    said = found.stdout.strip() or found.stderr.strip()
    if found.returncode == 1:
        pytest.skip(said)
    assert found.returncode == 0, said
    return Path(said)


def need_program(name: str) -> str:
    """A program that machines have or have not; skips where there is none."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} on this machine")
    return found


def plain_variables(**more: str) -> dict[str, str]:
    """For a client that must find nothing of the user's own: no keys, no profiles, no proxies."""
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **more}


class Conversation:
    """A client that runs. Use `talking`."""

    def __init__(self, process: "subprocess.Popen[bytes]", errors: Path) -> None:
        self._process = process
        self._errors = errors
        self._read = b""

    @property
    def errors(self) -> str:
        return self._errors.read_text(errors="replace")

    def line(self) -> str:
        """The next line it writes, as soon as it is there. Fails the test when none comes."""
        while b"\n" not in self._read:
            if not (more := self._more()):
                pytest.fail(f"the client ended early; it said {self._read!r} {self.errors}")
            self._read += more
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()

    def rest(self) -> bytes:
        """What it writes until its end."""
        while more := self._more():
            self._read += more
        rest, self._read = self._read, b""
        return rest

    def ended(self) -> int:
        """Its exit code."""
        return self._process.wait(PATIENCE_S)

    def _more(self) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        if not select.select([descriptor], [], [], PATIENCE_S)[0]:
            pytest.fail(f"nothing from the client; it said {self._read!r} {self.errors}")
        return os.read(descriptor, 65536)


@contextmanager
def talking(folder: Path, *words: str | Path, variables: Mapping[str, str] | None = None) -> Iterator[Conversation]:
    """Start a client. In the end nothing of its process group runs any more."""
    errors = folder / f"stderr-{time.monotonic_ns()}"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=plain_variables() if variables is None else variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        yield Conversation(process, errors)
    finally:
        end_group(process)
        assert process.stdout is not None
        process.stdout.close()


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill what a process started in a session of its own, with itself, which may have ended."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE_S)
