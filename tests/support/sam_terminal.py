"""A program that asks its questions at a terminal, and a test that types the answers as a person does."""

import errno
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.clients import end_group

PATIENCE_S = 60.0
# Wide, so that no question is broken into two lines.
_ROWS, _COLUMNS = 50, 250
# ECMA-48 control sequences: colours and cursor moves.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Terminal:
    """Use `at_terminal`. Questions are looked for behind the one that was answered last."""

    def __init__(self, process: "subprocess.Popen[bytes]", master: int) -> None:
        self._process = process
        self._master = master
        self._raw = b""
        self._answered = 0
        self._open = True

    @property
    def text(self) -> str:
        """What the screen has shown so far, without colours."""
        return _CONTROL.sub("", self._raw.decode(errors="replace")).replace("\r\n", "\n")

    def answer(self, question: str, words: str) -> None:
        """Wait for `question`, a piece of a line, and type `words` and Enter. Fails when it does not come."""
        deadline = time.monotonic() + PATIENCE_S
        while (place := self.text.find(question, self._answered)) < 0:
            if not self._more(deadline):
                pytest.fail(f"was not asked {question!r}; on the screen:\n{self.text[self._answered :]}")
        self._answered = place + len(question)
        os.write(self._master, f"{words}\n".encode())

    def ended(self, seconds: float = PATIENCE_S) -> int:
        """Its exit code. Everything it wrote is in `text` then."""
        deadline = time.monotonic() + seconds
        while self._more(deadline):
            pass
        if self._open:
            pytest.fail(f"has not ended; on the screen:\n{self.text[self._answered :]}")
        return self._process.wait(PATIENCE_S)

    def _more(self, deadline: float) -> bool:
        """Whether something came before the deadline. A terminal's other end is closed with the last process."""
        if not self._open or not select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return False
        try:
            came = os.read(self._master, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # Linux says so in place of an end of file
                raise
            came = b""
        self._raw += came
        self._open = bool(came)
        return self._open


@contextmanager
def at_terminal(folder: Path, words: Sequence[str | Path], variables: Mapping[str, str]) -> Iterator[Terminal]:
    """Start a program at a terminal of its own. In the end nothing of its process group runs any more."""
    master, slave = pty.openpty()
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        process = subprocess.Popen(
            words,
            cwd=folder,
            env={**variables, "TERM": "xterm"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
    except BaseException:
        os.close(master)
        raise
    finally:
        os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        end_group(process)
        os.close(master)
