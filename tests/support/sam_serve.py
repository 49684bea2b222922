"""`penstock serve` as a process: started, killed, started again on the same state, and proven gone in the end."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from support.projects import MARK
from support.up import PENSTOCK

START_S = 30.0
END_S = 30.0
_ENDPOINT = re.compile(r"http://127\.0\.0\.1:(\d+)")


class Serve:
    """Use `serving`. `folder` is for its state; `mark` is a variable's value by which its processes are known."""

    def __init__(
        self, folder: Path, cache: Path, mark: str, *flags: str, user: Mapping[str, str] | None = None
    ) -> None:
        self.state = folder / "state"
        self._folder = folder
        self._cache = cache
        self._mark = mark
        self._flags = flags
        self._user = user or {}
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._lines: list[str] = []
        self._found = threading.Event()
        self._seen: set[psutil.Process] = set()
        self.port = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        """Everything it wrote since it was started first."""
        return "".join(self._lines)

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def memory_mib(self) -> float:
        """Resident, of the process itself."""
        return psutil.Process(self.pid).memory_info().rss / (1 << 20)

    def start(self) -> float:
        """At the port of the last time, so that addresses stay. How long it took until it named its endpoint."""
        temporary = self._folder / "tmp"
        temporary.mkdir(exist_ok=True)
        self._found.clear()
        began = time.monotonic()
        self._process = subprocess.Popen(
            [*PENSTOCK, "serve", "--port", str(self.port), "--state", str(self.state), *self._flags],
            cwd=self._folder,
            env={
                **self._user,
                "PATH": os.environ["PATH"],
                "HOME": os.environ["HOME"],
                "TMPDIR": str(temporary),
                "XDG_CACHE_HOME": str(self._cache),
                "COLUMNS": "250",
                MARK: self._mark,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._reader.start()
        if not self._found.wait(START_S) or self._process.poll() is not None:
            self._process.kill()
            self._gone()
            pytest.fail(f"serve did not name its endpoint; it said:\n{self.said}")
        return time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL, to itself alone: what it started has to end by itself."""
        self._look()
        self._running.kill()
        self._gone()
        self.assert_nothing_left()

    def stop(self) -> int:
        """Ctrl-C, and its exit code."""
        self._look()
        os.killpg(self.pid, signal.SIGINT)
        code = self._gone()
        self.assert_nothing_left()
        return code

    def assert_nothing_left(self, seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while left := self._left():
            assert time.monotonic() < deadline, f"still running: {left}"
            time.sleep(0.02)

    def close(self) -> None:
        """End it whatever state it is in."""
        if self._process is None or self._process.returncode is not None:
            return
        if self._process.poll() is None:
            self.stop()
        else:
            self._gone()

    @property
    def _running(self) -> "subprocess.Popen[str]":
        assert self._process is not None
        return self._process

    def _look(self) -> None:
        """Remember what runs below it, to be found again should it outlive its parents."""
        self._seen.update(psutil.Process(self.pid).children(recursive=True))

    def _left(self) -> list[psutil.Process]:
        marked = [one for one in psutil.process_iter() if _variables(one).get(MARK) == self._mark]
        return list(dict.fromkeys([*filter(_runs, self._seen), *marked]))

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.append(line)
            if not self._found.is_set() and (named := _ENDPOINT.search(line)):
                self.port = int(named[1])
                self._found.set()
        self._found.set()

    def _gone(self) -> int:
        process = self._running
        try:
            code = process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.fail(f"Ctrl-C did not end serve; it said:\n{self.said}")
        assert self._reader is not None
        self._reader.join(END_S)
        assert process.stdout is not None
        process.stdout.close()
        return code


@contextmanager
def serving(
    folder: Path, cache: Path, mark: str, *flags: str, user: Mapping[str, str] | None = None
) -> Iterator[Serve]:
    """`folder` is there, `user` are more variables. In the end it is stopped with Ctrl-C and nothing of it is left."""
    serve = Serve(folder, cache, mark, *flags, user=user)
    try:
        serve.start()
        yield serve
    finally:
        serve.close()


def host_and_port(url: str) -> tuple[str, int]:
    """The Host header of a Function URL, and the port: not every resolver knows names below `localhost`."""
    parts = urlsplit(url)
    return parts.netloc, parts.port or 80


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _variables(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}
