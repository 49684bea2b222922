"""A whole execution environment whose processes are played by the test: the APIs, their sockets, the order of events
and the log are real; of the sandbox there is only what it was told.

async with scripted_environment(tmp_path, monkeypatch, "ext") as rig:
    await rig.spawned("ext")
    await rig.register("ext")
"""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import orjson
import pytest

from penstock.cli.clock import LoopClock
from penstock.environment import processes as processes_module
from penstock.environment.environment import Environment
from penstock.environment.sandbox import ProcessExit, Sandbox, SandboxFeatures, SandboxPaths, SandboxSpec, SpawnError
from penstock.environment.spec import EnvironmentSpec
from penstock.model.errors import StartError
from penstock.model.invocation import Invocation
from penstock.telemetry.log_writer import LogWriter
from support.answers import Answer
from support.functions import function
from support.runtime_rig import ARN, request
from support.sink import RecordingSink
from support.streams import within
from support.url_rig import Line, Worker, until

EXTENSION = "/2020-01-01/extension/"
RUNTIME = "runtime"


class ScriptedSandbox:
    """Processes that do what the test says. Asked to end they do, but for those in `stubborn`."""

    features = SandboxFeatures(mounts=True, pids=True, isolated_network=False, notes=())
    paths = SandboxPaths("/var/task", "/opt", "/tmp", "/var/lang", "/var/runtime")
    listener = None
    pid = 0

    def __init__(self, on_exit: Callable[[ProcessExit], None], refusals: Mapping[str, SpawnError]) -> None:
        self._on_exit = on_exit
        self._refusals = refusals
        self.outputs: dict[str, int] = {}
        self.commands: dict[str, list[str]] = {}
        self.variables: dict[str, dict[str, str]] = {}
        self.signals: list[tuple[str, int]] = []
        self.stubborn: set[str] = set()
        self.killed = False

    async def spawn(self, name: str, argv: Sequence[str], env: Mapping[str, str], cwd: str, output: int) -> int:
        if name in self._refusals:
            os.close(output)
            raise self._refusals[name]
        self.outputs[name] = output
        self.commands[name] = list(argv)
        self.variables[name] = dict(env)
        return 1

    def signal(self, name: str, signum: int) -> None:
        self.signals.append((name, signum))
        if signum == signal.SIGKILL or name not in self.stubborn:
            asyncio.get_running_loop().call_soon(self.exit, name, None, signum)

    def exit(self, name: str, returncode: int | None = None, signum: int | None = None) -> None:
        if name in self.outputs:
            os.close(self.outputs.pop(name))
            self._on_exit(ProcessExit(name, returncode, signum))

    async def open_socket(self) -> socket.socket:
        return socket.socket()

    async def kill(self) -> None:
        self.killed = True
        while self.outputs:
            os.close(self.outputs.popitem()[1])


class ScriptedMemory:
    """A memory guard that knows of an out-of-memory kill when the test says so."""

    cgroups = ()

    def __init__(self) -> None:
        self.over = False

    def start(self, top: int, tmp_bytes: int) -> None:
        pass

    def give_way(self) -> None:
        pass

    def is_over(self) -> bool:
        return self.over

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


class ScriptedEnvironment:
    """`refusals` are processes that cannot be executed, and why; `setup_error` is what making the sandbox raises."""

    def __init__(self, folder: Path, extensions: Sequence[str], init_timeout: float) -> None:
        self.clock = LoopClock(asyncio.get_running_loop())
        self.refusals: dict[str, SpawnError] = {}
        self.setup_error: Exception | None = None
        self.memory = ScriptedMemory()
        self.deaths: list[StartError] = []
        self._sandbox: ScriptedSandbox | None = None
        self._log = folder / "log.jsonl"
        self._writer = LogWriter(self._log, self.clock)
        self._lines: list[Line] = []
        spec = _spec(folder, extensions, init_timeout)
        self.environment = Environment(spec, self.clock, self._writer, lambda _, error: self.deaths.append(error))
        self.starting: asyncio.Task[None] | None = None

    async def make_sandbox(
        self, spec: SandboxSpec, work_dir: Path, on_exit: Callable[[ProcessExit], None], on_lost: Callable[[], None]
    ) -> ScriptedSandbox:
        if self.setup_error:
            raise self.setup_error
        self._sandbox = ScriptedSandbox(on_exit, self.refusals)
        return self._sandbox

    # --- its processes ---

    @property
    def sandbox(self) -> ScriptedSandbox:
        assert self._sandbox is not None
        return self._sandbox

    async def spawned(self, name: str = RUNTIME) -> None:
        """Return when the process was started."""
        await until(lambda: self._sandbox is not None and name in self._sandbox.outputs)

    def say(self, name: str, text: str) -> None:
        os.write(self.sandbox.outputs[name], text.encode() + b"\n")

    async def line(self) -> Line:
        """A connection to the APIs."""
        host, port = next(iter(self.sandbox.variables.values()))["AWS_LAMBDA_RUNTIME_API"].split(":")
        line = Line(*await asyncio.open_connection(host, int(port)))
        self._lines.append(line)
        return line

    async def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        return await (await self.line()).send(request(method, path, headers, body)).answer()

    async def poll(self) -> Worker:
        """A worker of the runtime, waiting."""
        before = self.environment._apis.runtime.idle
        worker = Worker(await self.line()).poll()
        await until(lambda: self.environment._apis.runtime.idle > before)
        return worker

    async def register(self, name: str, *events: str) -> str:
        """The identifier of an extension that registered."""
        headers = {"lambda-extension-name": name}
        answer = await self.call("POST", f"{EXTENSION}register", headers, orjson.dumps({"events": events}))
        assert answer.status == 200, answer.body
        return answer.header("lambda-extension-identifier") or ""

    async def event_next(self, identifier: str) -> Line:
        """An extension's connection, waiting for its next event."""
        headers = {"lambda-extension-identifier": identifier}
        line = (await self.line()).send(request("GET", f"{EXTENSION}event/next", headers))
        extensions = self.environment._apis.extensions.extensions
        await until(lambda: any(one.poll is not None for one in extensions if one.identifier == identifier))
        return line

    # --- the platform ---

    def begin(self) -> Self:
        self.starting = asyncio.get_running_loop().create_task(self.environment.start())
        return self

    async def ready(self) -> Self:
        """With one worker waiting, unless there is one already."""
        await self.spawned()
        if not self.environment._apis.polled:
            self.first = await self.poll()
        assert self.starting is not None
        await within(self.starting)
        return self

    async def failure(self) -> StartError:
        assert self.starting is not None
        with pytest.raises(StartError) as failed:
            await within(self.starting)
        return failed.value

    def invoke(self, request_id: str = "r1", timeout: int = 30) -> RecordingSink | None:
        """The sink, or None when the environment took nothing."""
        sink = RecordingSink()
        deadline = self.clock.monotonic() + timeout
        epoch_ms = int((self.clock.epoch() + timeout) * 1000)
        made = Invocation(request_id, ARN, lambda: b'{"n":1}', sink, deadline, epoch_ms, timeout)
        return sink if self.environment.invoke(made) else None

    def records(self, *types: str) -> list[tuple[str, Any]]:
        """Type and record of what was logged, in order."""
        self._writer.flush()
        lines = [orjson.loads(line) for line in self._log.read_bytes().splitlines()] if self._log.exists() else []
        return [(line["type"], line["record"]) for line in lines if not types or line["type"] in types]

    async def close(self) -> None:
        if self.starting and not self.starting.done():
            self.starting.cancel()
        if self.starting:
            with suppress(asyncio.CancelledError, StartError):
                await within(self.starting)
        for line in self._lines:
            line.hang_up()
        if not self.environment.stopped.is_set():
            await within(self.environment.stop(0.0))
        self._writer.close()


def _spec(folder: Path, extensions: Sequence[str], init_timeout: float) -> EnvironmentSpec:
    opt = folder / "opt"
    (opt / "extensions").mkdir(parents=True)
    for name in extensions:
        (opt / "extensions" / name).touch()
    (folder / "task").mkdir()
    bootstrap = folder / "task" / "bootstrap"
    bootstrap.touch(0o755)
    return EnvironmentSpec(
        function=replace(function(folder / "task", runtime="provided.al2023"), environment={}),
        region="eu-west-1",
        account_id="123456789012",
        task_root=folder / "task",
        opt_root=opt,
        lang_root=folder,
        keep_visible=(),
        work_root=folder / "work",
        isolated_network=False,
        namespaces=True,
        init_timeout=init_timeout,
    )


@asynccontextmanager
async def scripted_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *extensions: str, init_timeout: float = 20.0
) -> AsyncIterator[ScriptedEnvironment]:
    """Not begun yet."""
    rig = ScriptedEnvironment(folder, extensions, init_timeout)
    monkeypatch.setattr(Sandbox, "start", rig.make_sandbox)
    monkeypatch.setattr(processes_module, "MemoryGuard", lambda *_: rig.memory)
    try:
        yield rig
    finally:
        await rig.close()
