"""`penstock up --json` as a real process: started, listened to, asked, ended, and nothing of it left."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, TypeVar

import psutil
import pytest

from support.calls import PATIENCE_S, Call, Reply
from support.gate import Gate, Visit
from support.projects import MARK, Project

T = TypeVar("T")
PENSTOCK = (str(Path(sys.executable).with_name("penstock")),)
# Variables of whoever runs `up` that must not reach a function.
HOST_VARIABLES = {
    "AWS_ACCESS_KEY_ID": "host-access-key",
    "AWS_SECRET_ACCESS_KEY": "host-secret-key",
    "AWS_SESSION_TOKEN": "host-session-token",
    "AWS_PROFILE": "host-profile",
    "AWS_REGION": "host-region",
    "PYTHONPATH": "/host-python-path",
    "LD_LIBRARY_PATH": "/host-libraries",
    "HOST_SECRET": "host-secret",
}


def eventually(check: Callable[[], T | None], what: str, seconds: float = PATIENCE_S) -> T:
    """The first true result of `check`; fails the test when there is none within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (result := check()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)
    return result


class Event(TypedDict, total=False):
    """One line of `up --json`. `event` says which of the others are there."""

    event: str
    text: str
    function: str
    state: str
    environment: str
    ready: int
    wanted: int
    slots: int
    maxConcurrency: int
    error: str
    urls: dict[str, str]
    awsEndpoint: str
    condition: str
    attempts: int
    keptIn: list[str]
    outputs: dict[str, str]
    path: str
    status: int
    durationMs: float
    before: int
    after: int
    reason: str
    instance: str
    type: str
    zone: str
    bytes: int
    requestId: str
    note: str
    openRequests: int
    fault: str
    effect: str
    errorType: str
    errorMessage: str
    output: list[str]


@dataclass(frozen=True, slots=True)
class Held:
    """A request and its visit at the gate, where it waits."""

    call: Call
    visit: Visit

    def release(self) -> Reply:
        """Let it go on; its answer."""
        self.visit.release()
        return self.call.rest()


class Up:
    """Use `running`. Everything it said so far is in `events` and `stderr`."""

    def __init__(self, process: "subprocess.Popen[str]", mark: str, errors: Path) -> None:
        self.process = process
        self.mark = mark
        self.events: list[Event] = []
        self._errors = errors
        self._news = threading.Condition()
        self._silent = False
        self._seen: set[psutil.Process] = set()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.events.append(json.loads(line))
                self._news.notify_all()
        with self._news:
            self._silent = True
            self._news.notify_all()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stderr(self) -> str:
        return self._errors.read_text()

    def __repr__(self) -> str:
        """What a failed assertion shows."""
        return f"Up({self.stderr[-100:]!r}, {self.events[-2:]})"

    # --- what it says ---

    def wait_for(self, event: str, after: int = 0, **fields: object) -> Event:
        """The first event, of those `after` the first so many, with these fields. Fails when it cannot come."""

        def found() -> Event | None:
            wanted = {"event": event, **fields}
            return next((one for one in self.events[after:] if wanted.items() <= one.items()), None)

        with self._news:
            self._news.wait_for(lambda: found() or self._silent, PATIENCE_S)
        result = found()
        if result is None:
            pytest.fail(f"no {event} {fields} from up; it said {self.events[after:]} {self.stderr}")
        return result

    def said(self, event: str, **fields: object) -> list[Event]:
        wanted = {"event": event, **fields}
        return [one for one in list(self.events) if wanted.items() <= one.items()]

    @property
    def url(self) -> str:
        """Waits until it serves."""
        return next(iter(self.wait_for("ready")["urls"].values()))

    @property
    def aws_endpoint(self) -> str:
        """Of `--aws-port`. Waits until it serves."""
        return self.wait_for("ready")["awsEndpoint"]

    @property
    def environments(self) -> list[str]:
        """Ids of those that serve, in the order in which they became Ready. Waits until it serves."""
        self.wait_for("ready")
        gone = {one["environment"] for state in ("died", "draining") for one in self.said("environment", state=state)}
        ready = [event["environment"] for event in self.said("environment", state="ready")]
        return [environment for environment in ready if environment not in gone]

    # --- requests ---

    def call(self, path: str = "/") -> Call:
        return Call(self.url, path)

    def get(self, path: str = "/") -> Reply:
        return self.call(path).rest()

    def occupy(self, gate: Gate, path: str = "/wait") -> Held:
        """Send a request that stays in the app until it is released.

        A slot is free again only when its worker asks for the next invocation, a moment after the answer before it was
        complete: what is refused in between is sent again.
        """
        return eventually(lambda: self._try_to_occupy(gate, path), f"a free slot for {path}")

    def _try_to_occupy(self, gate: Gate, path: str) -> Held | None:
        call = self.call(path)
        first, _, _ = select.select([gate.fileno(), call.fileno()], [], [], PATIENCE_S)
        if gate.fileno() in first:
            return Held(call, gate.next(path.strip("/")))
        assert call.rest().status == 429
        return None

    # --- its processes ---

    def processes(self) -> list[psutil.Process]:
        """Every process below it."""
        try:
            found = psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        self._seen.update(found)
        return found

    def runtime(self, environment: str) -> psutil.Process:
        """The function's own process in an environment."""
        return self._one(lambda variables: variables.get("AWS_LAMBDA_LOG_STREAM_NAME", "").endswith(environment))

    def adapter(self, environment: str) -> psutil.Process:
        """The extension beside it."""
        address = self.runtime(environment).environ()["AWS_LAMBDA_RUNTIME_API"]
        return self._one(
            lambda variables: (
                variables.get("AWS_LAMBDA_RUNTIME_API") == address and "AWS_LAMBDA_LOG_STREAM_NAME" not in variables
            )
        )

    def init(self, environment: str) -> psutil.Process:
        """The environment's first process: a child of `up`."""
        above = self.runtime(environment).parents()
        return above[[process.pid for process in above].index(self.pid) - 1]

    def _one(self, fits: Callable[[dict[str, str]], bool]) -> psutil.Process:
        found = [process for process in self.processes() if fits(_variables(process))]
        assert found, f"no such process below {self.pid}"
        return found[0]

    # --- the end ---

    def interrupt(self) -> None:
        """Ctrl-C, which a terminal sends to the whole foreground process group."""
        self.processes()  # to be found again should they outlive their parents
        os.killpg(self.pid, signal.SIGINT)

    def send(self, signum: signal.Signals) -> None:
        self.processes()
        self.process.send_signal(signum)

    def ended(self, seconds: float = PATIENCE_S) -> int:
        """Its exit code, once it and its output have ended."""
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        return code

    def stop(self) -> int:
        """Ctrl-C, and its exit code."""
        self.interrupt()
        return self.ended()

    def left(self) -> list[psutil.Process]:
        """Processes it started, or that were started below, which still run."""
        known = [process for process in self._seen if process.is_running() and not _is_zombie(process)]
        marked = [process for process in psutil.process_iter() if _variables(process).get(MARK) == self.mark]
        return list(dict.fromkeys([*known, *marked]))

    def assert_nothing_left(self, seconds: float = 5.0) -> None:
        deadline = time.monotonic() + seconds
        while left := self.left():
            assert time.monotonic() < deadline, f"still running: {left}"
            time.sleep(0.02)

    def close(self) -> None:
        """End it whatever state it is in, and prove that nothing is left."""
        if self.process.poll() is None:
            self.interrupt()
            try:
                self.ended(20.0)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                pytest.fail(f"Ctrl-C did not end up; it said {self.events} {self.stderr}")
        self._reader.join(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.assert_nothing_left()


def _variables(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def shared_cache(factory: pytest.TempPathFactory) -> Path:
    """One cache folder for the test run, not the user's own; workers of pytest-xdist share it."""
    base = factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "penstock-cache"


def variables(project: Project, cache: Path, user: Mapping[str, str]) -> dict[str, str]:
    """Those `up` runs with: a user's, and among them what must not reach a function."""
    project.temporary.mkdir(exist_ok=True)
    return {
        **user,
        **HOST_VARIABLES,
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "TMPDIR": str(project.temporary),
        "XDG_CACHE_HOME": str(cache),
        MARK: project.mark,
    }


def own_variables(project: Project, words: Sequence[str]) -> tuple[str, ...]:
    """The flag that gives the functions those of this project alone, unless `words` have it with others."""
    if "--env-vars" in words or not project.env_vars.exists():
        return ()
    return "--env-vars", str(project.env_vars)


@contextmanager
def running(
    project: Project,
    cache: Path,
    *flags: str,
    environments: int | None = 1,
    port: int = 0,
    user: Mapping[str, str] | None = None,
    template: str | None = "template.yaml",
    scaling: bool = False,
) -> Iterator[Up]:
    """`penstock up` on a project, in a session of its own as in a terminal; in the end stopped and proven gone.

    `user` are more variables to run it with; without a `template`, none is named on the command line. Unless a test is
    about `scaling`, the number of environments stays.
    """
    count = () if environments is None else ("--min-environments", str(environments))
    if not scaling:
        count = (*count, "--no-scaling")
    flags = (*count, *own_variables(project, flags), *flags)
    errors = project.folder / "stderr"
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            [*PENSTOCK, "up", *filter(None, [template]), "--json", "--port", str(port), *flags],
            cwd=project.folder,
            env=variables(project, cache, user or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    up = Up(process, project.mark, errors)
    try:
        yield up
    finally:
        up.close()


def command(project: Project, cache: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run `penstock` with `words` in the project's folder, to its end."""
    return subprocess.run(
        [*PENSTOCK, *words],
        cwd=project.folder,
        env=variables(project, cache, {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
