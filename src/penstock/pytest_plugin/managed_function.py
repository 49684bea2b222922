"""What the fixture `managed_function` hands to a test: `penstock up` as a process of its own, on free ports."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

from penstock.pytest_plugin.up_events import UpEvents
from penstock.telemetry.log_reader import LogReader

# Open requests when a test run ends have nobody left to read their answers.
_DRAIN_S: Final = 1
# On top of draining: SIGTERM and SHUTDOWN take an environment at most two seconds.
_STOP_S: Final = 15.0
_LOG_PAUSE_S: Final = 0.05
_TAIL: Final = 30
"""Lines of what `penstock up` said that are shown when it fails."""


@dataclass(frozen=True, slots=True)
class _State:
    """Where `penstock up` keeps the logs of a stack, and whether they stay when it has ended."""

    folder: Path
    keep: bool


def read_start_timeout(text: str) -> float:
    """Seconds. Raises UsageError, which pytest shows in one line."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise pytest.UsageError(f"penstock_start_timeout={text!r} is not a number of seconds above 0")
    return seconds


class ManagedFunction:
    """A template whose functions are up. Ends with `stop`, at the end of a `with`, or with the test run.

    `urls` and `outputs` are by logical id; `aws_endpoint` is for `boto3.client("lambda", endpoint_url=...)`.
    """

    def __init__(self, process: "subprocess.Popen[str]", state: "_State") -> None:
        self._process = process
        self._events = UpEvents(process)
        self._state = state

    def wait_until_ready(self, seconds: float) -> str | None:
        """None once it serves; else why it does not. The fixture has waited already."""
        return self._events.wait_until_ready(seconds)

    @property
    def urls(self) -> Mapping[str, str]:
        return self._events.ready["urls"]

    @property
    def outputs(self) -> Mapping[str, str]:
        return self._events.ready["outputs"]

    @property
    def aws_endpoint(self) -> str:
        return self._events.ready["awsEndpoint"]

    @property
    def url(self) -> str:
        """The Function URL, when there is exactly one. Else raises ValueError."""
        if len(self.urls) != 1:
            known = ", ".join(self.urls) or "none"
            raise ValueError(f"the template has no single Function URL (it has: {known}): use urls[logical id]")
        return next(iter(self.urls.values()))

    def logs(self, function: str | None = None) -> list[str]:
        """The lines that functions and their extensions wrote so far, or those of one logical id. A line is here a
        moment after it was written: `wait_for_log` waits.
        """
        paths = sorted(self._state.folder.glob("logs/*.jsonl"))
        lines: list[str] = []
        for path in paths:
            if function in (None, path.stem):
                lines += _lines_of(path)
        return lines

    def wait_for_log(self, text: str, seconds: float = 5.0) -> str:
        """The first line that holds `text`. Raises TimeoutError when none comes."""
        deadline = time.monotonic() + seconds
        while True:
            for line in self.logs():
                if text in line:
                    return line
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"no log line holds {text!r} within {seconds:g} s; there are: {self.logs()[-_TAIL:]}"
                )
            time.sleep(_LOG_PAUSE_S)

    def stop(self) -> None:
        """Ends everything that was brought up. A second call does nothing."""
        _end(self._process)
        self._events.close()
        if not self._state.keep:
            shutil.rmtree(self._state.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class ManagedFunctions:
    """`managed_function("template.yaml", environments=1)`. What `root` and the settings hold comes from pytest."""

    def __init__(self, root: Path, options: Sequence[str], start_timeout: float) -> None:
        self._root = root
        self._options = options
        self._start_timeout = start_timeout
        self._running: list[ManagedFunction] = []

    def __call__(
        self,
        template: str | os.PathLike[str] = "template.yaml",
        *,
        environments: int | None = 1,
        parameters: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        stack_name: str | None = None,
    ) -> ManagedFunction:
        """Returns once it serves; fails the test when it cannot start, with the function's own last lines.

        `template` is seen from pytest's root folder. `environments` is their number for each function, None for the
        template's own. `parameters` are the template's, `variables` change environment variables that it names,
        `options` are more of `penstock up`. A `stack_name` of the caller's keeps its logs in `.penstock`.
        """
        path = self._root / template
        stack = stack_name or f"test-{uuid.uuid4().hex[:12]}"
        command = [*self._options, *options, "--stack-name", stack]
        if environments is not None:
            command += ["--min-environments", str(environments)]
        for name, value in (parameters or {}).items():
            command += ["--parameter-overrides", f"{name}={value}"]
        with tempfile.TemporaryDirectory(prefix="penstock-test-") as folder:
            if variables:
                file = Path(folder) / "variables.json"
                file.write_text(json.dumps({"Parameters": dict(variables)}))
                command += ["--env-vars", str(file)]
            state = _State(_state_folder(path, stack), keep=stack_name is not None)
            function = self._start(path, command, Path(folder) / "stderr", state)
        self._running.append(function)
        return function

    def close(self) -> None:
        """Ends every one that still runs."""
        threads = [threading.Thread(target=function.stop) for function in self._running]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._running = []

    def _start(self, template: Path, options: Sequence[str], errors: Path, state: "_State") -> ManagedFunction:
        module = ["-P", "-m", "penstock.pytest_plugin.up_process"]
        fixed = [
            "up",
            str(template),
            "--json",
            "--no-scaling",
            "--port",
            "0",
            "--aws-port",
            "0",
            "--drain",
            str(_DRAIN_S),
        ]
        with errors.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, *module, *fixed, *options],
                cwd=self._root,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,  # a Ctrl-C is for the test run, which then ends us
            )
        function = ManagedFunction(process, state)
        try:
            failure = function.wait_until_ready(self._start_timeout)
        except BaseException:  # Ctrl-C
            function.stop()
            raise
        if failure is not None:
            function.stop()
            told = errors.read_text().splitlines()[-_TAIL:]
            pytest.fail("\n".join([f"penstock up {template}: {failure}", *told]), pytrace=False)
        return function


def _end(process: "subprocess.Popen[str]") -> None:
    """Ends `penstock up`, and with it all that it started."""
    assert process.stdin is not None
    process.stdin.close()  # it ends with us, see up_process
    try:
        process.wait(_DRAIN_S + _STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()  # its environments end with it
        process.wait()


def _state_folder(template: Path, stack: str) -> Path:
    """Beside the template, or beside the folder that `sam build` wrote."""
    folder = template.absolute().parent if template.is_file() else template.absolute()
    if folder.parts[-2:] == (".aws-sam", "build"):
        folder = folder.parent.parent
    return folder / ".penstock" / stack


def _lines_of(path: Path) -> list[str]:
    reader = LogReader(path)
    try:
        return [line.record for line in reader.new_lines() if isinstance(line.record, str)]
    finally:
        reader.close()
