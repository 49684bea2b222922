"""The processes of one environment, started in its sandbox with their variables and their output read."""

import asyncio
import contextlib
import errno
import functools
import os
import signal
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Literal

from penstock.environment.invocation_log import EnvironmentLog
from penstock.environment.memory import MemoryGuard, Usage
from penstock.environment.output import LineReader, open_output
from penstock.environment.ports import PortReservation, reserve_port
from penstock.environment.sandbox import ProcessExit, Sandbox, SandboxPaths, SandboxSpec, SpawnError
from penstock.environment.spec import EnvironmentSpec
from penstock.environment.variables import EnvironmentIdentity, extension_variables, rewrite_paths
from penstock.environment.worker_streams import MAX_PATH_BYTES, VARIABLE, WorkerStreams
from penstock.model.errors import StartError
from penstock.model.limits import MAX_OPEN_FILES, MIB
from penstock.runtime_api.api import RuntimeApi
from penstock.wire.listener import bind

_OUTPUT_SECONDS: Final = 1.0
"""How long output may still come out of the pipes once every process is gone."""
_SHARED_OUTPUT: Final = "workers share one output, and those that die go unnoticed; a shorter TMPDIR helps"

# Its output stays open as descriptor 3, so that its end is the end of the filling.
_FILLER: Final = ("sh", "-c", 'exec 3>&1; exec cat /dev/zero >"$(mktemp -p /tmp penstock-fault.XXXXXX)" 2>&1')


class EnvironmentProcesses:
    """`on_end(name, exit)` is called when a process ends; with None for all of them when the sandbox is lost.
    `on_worker_death()` is called when a worker of the function's Python runtime ends, `on_out_of_memory()` once when
    all together hold more than the function's MemorySize; ending them is the caller's.
    """

    def __init__(
        self,
        spec: EnvironmentSpec,
        log: EnvironmentLog,
        runtime: RuntimeApi,
        on_end: Callable[[str, ProcessExit | None], None],
        on_worker_death: Callable[[], None] = lambda: None,
        on_out_of_memory: Callable[[], None] = lambda: None,
    ) -> None:
        self.identity = EnvironmentIdentity("", "", spec.region, None)
        self.notes: tuple[str, ...] = ()
        self._spec = spec
        self._log = log
        self._runtime = runtime
        self._on_end = on_end
        self._on_worker_death = on_worker_death
        self._on_out_of_memory = on_out_of_memory
        self._memory: MemoryGuard | None = None
        self._workers: WorkerStreams | None = None
        self._sandbox: Sandbox | None = None
        self._port: PortReservation | None = None
        self._places: Mapping[str, str] = {}
        self._outputs: list[LineReader] = []
        self._running: set[str] = set()
        self._inside = 0  # pid of the process started last, by which the environment's files are seen
        self._ended = asyncio.Event()

    async def open_sandbox(self, log_stream: str) -> socket.socket:
        """Make the sandbox; the socket on which it will find its APIs. Raises SandboxError or OSError."""
        spec = self._spec
        self._memory = MemoryGuard(
            spec.memory_home,
            spec.function.memory_mib * MIB,
            self._on_out_of_memory,
            spec.cpu_home,
            spec.function.vcpus,
        )
        work_dir = spec.work_root / os.urandom(8).hex()
        if spec.runtime_root:
            on_line = functools.partial(self._on_line, "function")
            self._workers = WorkerStreams(work_dir.with_suffix(".sock"), on_line, self._on_worker_death)
            await self._workers.open()
        sandbox_spec = self._sandbox_spec(self._memory)
        self._sandbox = sandbox = await Sandbox.start(sandbox_spec, work_dir, self._exited, self._lost)
        in_memory = spec.function.ephemeral_storage_mib * MIB if sandbox.features.mounts else 0
        self._memory.start(sandbox.pid, in_memory)
        self.notes = sandbox.features.notes
        if not sandbox.features.mounts:
            self._places = _places(sandbox.paths)
        return self._listen(sandbox, log_stream)

    def _sandbox_spec(self, memory: MemoryGuard) -> SandboxSpec:
        spec = self._spec
        return SandboxSpec(
            task_root=spec.task_root,
            opt_root=spec.opt_root,
            lang_root=spec.lang_root,
            runtime_root=spec.runtime_root,
            tmp_mib=spec.function.ephemeral_storage_mib,
            max_open_files=MAX_OPEN_FILES,
            isolated_network=spec.isolated_network,
            keep_visible=spec.keep_visible,
            namespaces=spec.namespaces,
            cgroups=memory.cgroups,
            worker_socket=self._workers.path if self._workers else None,
        )

    def _listen(self, sandbox: Sandbox, log_stream: str) -> socket.socket:
        """The address of the environment's APIs, and the app's port: together with the log stream its identity."""
        spec = self._spec
        listener = sandbox.listener or bind("127.0.0.1", 0)
        # In a network of its own the app has every port to itself, and an ordinary handler listens nowhere.
        is_handler = spec.runtime_root and not spec.function.environment.get("AWS_LAMBDA_EXEC_WRAPPER")
        if not spec.isolated_network and not is_handler:
            self._port = reserve_port()
        host, port = listener.getsockname()[:2]
        app_port = self._port.number if self._port else None
        self.identity = EnvironmentIdentity(f"{host}:{port}", log_stream, spec.region, app_port)
        return listener

    async def spawn_extension(self, name: str) -> None:
        """Start /opt/extensions/`name`. Raises StartError."""
        variables = self._localise(extension_variables(self._spec.function, self.identity))
        await self._spawn(name, "extension", (f"/opt/extensions/{name}",), variables, "Extension.LaunchError")

    async def spawn_runtime(self, name: str, command: Sequence[str], variables: Mapping[str, str]) -> None:
        """Start the runtime. Raises StartError."""
        here = {**self._localise(variables), **self._worker_variables()}
        await self._spawn(name, "function", command, here, "Runtime.InvalidEntrypoint")

    def _worker_variables(self) -> dict[str, str]:
        path = self._sandbox.paths.worker_socket if self._sandbox else None
        if path and len(os.fsencode(path)) > MAX_PATH_BYTES:  # it would end every worker
            self.notes = (*self.notes, f"{self._spec.work_root}: too long a name for a socket: {_SHARED_OUTPUT}")
            return {}
        return {VARIABLE: path} if path else {}

    def _on_line(self, kind: Literal["function", "extension"], line: bytes) -> None:
        self._log.line(kind, line, self._runtime)

    async def _spawn(
        self,
        name: str,
        kind: Literal["function", "extension"],
        command: Sequence[str],
        variables: Mapping[str, str],
        error_type: str,
    ) -> None:
        if self._sandbox is None:
            raise StartError("Sandbox.SetupFailed", "no sandbox")
        output, reader = await open_output(functools.partial(self._on_line, kind))
        self._outputs.append(reader)
        try:
            self._inside = await self._sandbox.spawn(
                name,
                [self._here(part) for part in command],
                variables,
                self._here("/var/task"),
                output,
            )
        except SpawnError as error:
            denied = kind == "extension" and error.errno == errno.EACCES
            raise StartError("PermissionDenied" if denied else error_type, f"cannot start {name}: {error}") from None
        self._running.add(name)

    def _here(self, value: str) -> str:
        return rewrite_paths(value, self._places) if self._places else value

    def _localise(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Without mount namespaces, paths are rewritten and what would be found at home is kept away."""
        if not self._places:
            return dict(variables)
        tmp, opt = self._places["/tmp"], self._places["/opt"]
        private = {"HOME": tmp, "TMPDIR": tmp, "PENSTOCK_OPT_ROOT": opt}
        return {**private, **{name: self._here(value) for name, value in variables.items()}}

    def _exited(self, ended: ProcessExit) -> None:
        if ended.name not in self._running:  # none of the function's
            return
        self._running.discard(ended.name)
        self._ended.set()
        self._on_end(ended.name, ended)

    def _lost(self) -> None:
        names, self._running = self._running, set()
        self._ended.set()
        for name in sorted(names):
            self._on_end(name, None)

    async def fill_tmp(self) -> str | None:
        """Write to /tmp until nothing more fits; None, or why that is not done."""
        if self._sandbox is None or not self._sandbox.features.mounts:
            return "/tmp is not filled: without a mount namespace it is the machine's own disk"
        output, reader = await open_output(lambda line: None)
        self._outputs.append(reader)
        name = f"filler-{os.urandom(4).hex()}"
        try:
            await self._sandbox.spawn(name, _FILLER, {"PATH": "/usr/bin:/bin"}, "/tmp", output)
        except SpawnError as error:
            return f"/tmp is not filled: {error}"
        await reader.closed
        return None

    async def open_socket(self) -> socket.socket:
        """An unconnected TCP socket in the environment's network. Raises OSError."""
        if self._sandbox is None:
            raise OSError(errno.ESRCH, "no sandbox")
        return await self._sandbox.open_socket()

    @property
    def out_of_memory(self) -> bool:
        """Whether the kernel has just ended a process for want of memory."""
        return self._memory is not None and self._memory.is_over()

    def give_way(self) -> None:
        """From now on to the platform, whenever both want the processor."""
        if self._memory:
            self._memory.give_way()

    def usage(self) -> Usage | None:
        """What all processes together hold and have worked; None when that cannot be read. May take milliseconds."""
        return self._memory.usage() if self._memory else None

    def tmp_free(self) -> float | None:
        """The share of /tmp that is free, from 0 to 1; None where it is the machine's own, or cannot be read."""
        if self._sandbox is None or not self._sandbox.features.mounts or not self._inside:
            return None
        try:
            found = os.statvfs(f"/proc/{self._inside}/root/tmp")
        except OSError:
            return None
        return found.f_bavail / found.f_blocks if found.f_blocks else None

    @property
    def running(self) -> frozenset[str]:
        """Names of the processes that were started and have not ended."""
        return frozenset(self._running)

    async def terminate(self, name: str, seconds: float) -> None:
        """SIGTERM a process's group; return when it ended or `seconds` passed."""
        if self._sandbox and name in self._running:
            self._sandbox.signal(name, signal.SIGTERM)
            await self.wait_for((name,), seconds)

    def end(self, names: Collection[str]) -> None:
        """SIGKILL the groups of those that still run."""
        for name in self._running.intersection(names):
            if self._sandbox:
                self._sandbox.signal(name, signal.SIGKILL)

    async def wait_for(self, names: Collection[str], seconds: float) -> None:
        """Return when none of `names` runs any more, or `seconds` passed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                while not self._running.isdisjoint(names):
                    self._ended.clear()
                    await self._ended.wait()

    async def kill(self) -> None:
        """End everything in the sandbox; when it returns nothing runs and all output was read."""
        self._running.clear()
        if self._memory:
            self._memory.stop()
        if self._workers:
            self._workers.close()
        if self._sandbox:
            await self._sandbox.kill()
        if self._memory:
            self._memory.close()
        outputs = [reader.closed for reader in self._outputs] + (self._workers.closed if self._workers else [])
        if outputs:
            await asyncio.wait(outputs, timeout=_OUTPUT_SECONDS)
        if self._port:
            self._port.release()


def _places(paths: SandboxPaths) -> dict[str, str]:
    """Without mounts: where each path of Lambda's really is."""
    places = {"/var/task": paths.task_root, "/opt": paths.opt, "/tmp": paths.tmp}
    if paths.lang:
        places["/var/lang"] = paths.lang
    if paths.runtime:
        places["/var/runtime"] = paths.runtime
    return places
