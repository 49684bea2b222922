"""An execution environment: a group of processes joined to their two APIs. The router's `Target`.

Order of events and error types:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
https://github.com/aws/aws-lambda-runtime-interface-emulator (internal/lambda-managed-instances/rapid)
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Final

from penstock.environment.apis import EnvironmentApis
from penstock.environment.endings import RUNTIME, caused, end_of, invocation_error, out_of_memory
from penstock.environment.fault_injection import FaultInjector
from penstock.environment.faults import Fault, FaultPlan
from penstock.environment.invocation_log import EnvironmentLog
from penstock.environment.lifecycle import Lifecycle, State
from penstock.environment.memory import Usage
from penstock.environment.processes import EnvironmentProcesses
from penstock.environment.runtime_command import find_extensions, runtime_command
from penstock.environment.sandbox import ProcessExit, SandboxError
from penstock.environment.spec import EnvironmentSpec
from penstock.environment.subscriber_sockets import SubscriberSockets
from penstock.environment.variables import runtime_variables
from penstock.model import ids
from penstock.model.clock import Clock
from penstock.model.errors import PlatformError, StartError
from penstock.model.invocation import Invocation
from penstock.model.limits import MAX_EXTENSIONS, SHUTDOWN_RUNTIME_S, SHUTDOWN_TOTAL_S
from penstock.runtime_api import error_body
from penstock.runtime_api.running import Outcome
from penstock.telemetry import records
from penstock.telemetry.log_writer import LogWriter

# How long subscribers may take over the last batches, between the runtime's end and SHUTDOWN, in the emulator above.
_FLUSH_S: Final = 1.0


class Environment:
    """`on_death(environment, error)` is called once when a Ready environment dies by itself. At that moment nothing is
    in flight any more and `free_slots` is 0; its processes are still being ended (`stopped` says when they are gone).
    """

    def __init__(
        self,
        spec: EnvironmentSpec,
        clock: Clock,
        writer: LogWriter,
        on_death: Callable[["Environment", StartError], None],
    ) -> None:
        function = spec.function
        self.environment_id = ids.environment_id()
        self.log_stream = ids.log_stream(function.name, function.version, self.environment_id, clock.epoch())
        self.stopped = asyncio.Event()
        self._spec = spec
        self._clock = clock
        self._on_death = on_death
        self._lifecycle = Lifecycle()
        self._subscriber_sockets = SubscriberSockets(self._open_socket)
        self._apis = EnvironmentApis(
            function,
            spec.account_id,
            clock,
            self,
            self._notice,
            self._report_error,
            self._subscriber_sockets.open,
            spec.bandwidth,
        )
        telemetry = self._apis.telemetry
        self.log = EnvironmentLog(
            writer, function, clock, self.environment_id, self.log_stream, telemetry, spec.log_tails
        )
        self._processes = EnvironmentProcesses(
            spec, self.log, self._apis.runtime, self._process_ended, self._worker_died, self._out_of_memory
        )
        self._faults = self._make_faults(spec.faults) if spec.faults else None
        self.on_worker_death: Callable[[Environment], None] | None = None
        """Called when a worker of the function's runtime died and the others go on; set by who wants to know."""
        self._dead_workers = 0
        self._reported: StartError | None = None
        self._reported_stack: tuple[str, ...] | None = None
        self._ended: StartError | None = None
        self._not_launched: str | None = None
        self._runtime_launched = False
        self._tell_shutdown: Callable[[], object] | None = None
        self._changed = asyncio.Event()
        self._end: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Environment {self.environment_id[:8]} {self.state}, {self.in_flight} in flight>"

    @property
    def state(self) -> State:
        return self._lifecycle.state

    @property
    def notes(self) -> tuple[str, ...]:
        """What the machine did not allow, for the user to know."""
        return self._processes.notes

    def usage(self) -> Usage | None:
        """What its processes hold and have worked; None when that cannot be read. May take milliseconds."""
        return self._processes.usage()

    def tmp_free(self) -> float | None:
        """The share of /tmp that is free; None where that cannot be told."""
        return self._processes.tmp_free()

    def _make_faults(self, plan: FaultPlan) -> FaultInjector:
        def tell(fault: Fault, effect: str) -> None:
            self.log.platform("penstock.fault", records.fault(fault.text, effect))
            plan.tell(self.environment_id, fault, effect)

        return FaultInjector(
            plan,
            self._processes,
            self._clock,
            stall=self._apis.stall,
            cut_subscribers=self._subscriber_sockets.cut,
            tell=tell,
        )

    # --- Target ---

    @property
    def free_slots(self) -> int:
        return self._apis.runtime.idle if self._lifecycle.state is State.READY else 0

    @property
    def slots(self) -> int:
        """Slots it has, free or not: fewer than configured once worker processes died. AWS starts no new ones:
        https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
        """
        return self._spec.function.max_concurrency - self._dead_workers

    @property
    def in_flight(self) -> int:
        return len(self._apis.runtime.running)

    def invoke(self, invocation: Invocation) -> bool:
        if self._lifecycle.state is not State.READY or not self._apis.runtime.invoke(invocation):
            return False
        invocation.environment_id = self.environment_id
        if self._faults:
            self._faults.requested(invocation.request_id)
        return True

    # --- InvocationObserver ---

    def invocation_started(self, invocation: Invocation) -> None:
        self.log.invocation_started(invocation)

    def invocation_ended(self, invocation: Invocation, outcome: Outcome) -> None:
        self.log.invocation_ended(invocation, outcome)
        if self._lifecycle.state is State.DRAINING:
            self._changed.set()

    # --- init ---

    async def start(self) -> None:
        """Bring the environment to Ready. Raises StartError, with the function's last lines, when it cannot be."""
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._spec.init_timeout):
                await self._initialize()
        except asyncio.CancelledError:
            if self.state is State.INITIALIZING:
                self._report_init(began, caused(self._reported, self._interrupted()))
            await self._shut_down("spindown")
            raise
        except (StartError, SandboxError, OSError) as error:  # OSError: no port, no file left; a timeout is one too
            failure = self._explain(error)
            self._report_init(began, failure)
            await self._shut_down("failure")
            # The trace of one worker says it all; the log has it from each of them.
            output = self.log.last_lines if self._reported_stack is None else self._reported_stack
            raise StartError(failure.error_type, failure.message, output) from None
        self._lifecycle.move(State.READY)
        self._processes.give_way()
        self._report_init(began, None)
        if self._faults:
            self._faults.ready()
        if self._dead_workers:
            self._tell_slots()

    async def _initialize(self) -> None:
        function = self._spec.function
        listener = await self._processes.open_sandbox(self.log_stream)
        await self._apis.serve(listener)
        self._lifecycle.move(State.INITIALIZING)
        self.log.platform(
            "platform.initStart",
            records.init_start(
                runtime_version=function.runtime,
                runtime_version_arn="",
                name=function.name,
                version=function.version,
                log_stream=self.log_stream,
                memory_mib=function.memory_mib,
            ),
        )
        names = find_extensions(self._spec.opt_root)
        if len(names) > MAX_EXTENSIONS:
            raise StartError("TooManyExtensions", f"Extension limit ({MAX_EXTENSIONS}) reached: there are {len(names)}")
        for name in names:
            self._apis.extensions.expect(name)
        for name in names:
            await self._launch(name)
        await self._until(lambda: self._apis.extensions.all_registered)
        variables = runtime_variables(function, self._processes.identity)
        command = runtime_command(function, variables, self._spec.task_root, self._spec.opt_root)
        self._runtime_launched = True
        await self._processes.spawn_runtime(RUNTIME, command, variables)
        if self._faults:
            self._faults.initializing()
        await self._until(lambda: self._apis.polled)
        self.log.platform("platform.initRuntimeDone", records.init_runtime_done("success"))
        await self._until(lambda: self._apis.extensions.all_ready)

    async def _launch(self, extension: str) -> None:
        try:
            await self._processes.spawn_extension(extension)
        except StartError:
            self._not_launched = extension
            raise

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait for what the APIs see. Raises StartError when a process ends first."""
        while not condition():
            if self._ended:
                raise self._ended
            self._changed.clear()
            await self._changed.wait()
        if self._ended:
            raise self._ended

    async def _open_socket(self) -> socket.socket:
        return await self._processes.open_socket()

    def _notice(self) -> None:
        self._changed.set()
        if self._tell_shutdown:
            self._clock.call_soon(self._tell_shutdown)

    def _report_error(self, error_type: str, body: bytes) -> None:
        """The first error told is the cause of whatever follows; by itself it ends nothing."""
        if self._reported is None and self._ended is None:
            told = error_body.read(body, error_type)
            self._reported = StartError(error_type, told.text)
            self._reported_stack = told.stack

    def _explain(self, error: Exception) -> StartError:
        return self._ended or caused(self._reported, self._own_words(error))

    def _own_words(self, error: Exception) -> StartError:
        if isinstance(error, StartError):
            return error
        if isinstance(error, TimeoutError):
            waited = f"init took longer than {self._spec.init_timeout:g} seconds"
            return StartError("Sandbox.Timedout", f"{waited}: {self._waited_for()}")
        return StartError("Sandbox.SetupFailed", str(error))

    def _interrupted(self) -> StartError:
        """What init fails with when the platform itself is told to end, by what is still waited for."""
        waiting_for_runtime = self._apis.extensions.all_registered
        return StartError("Runtime.ReadyFailed" if waiting_for_runtime else "Extension.RegistrationFailed", "")

    def _waited_for(self) -> str:
        if not self._apis.extensions.all_registered:
            return "an extension did not register"
        if not self._apis.polled:
            return "the runtime never asked for an invocation; does the app listen on $PORT?"
        return "an extension did not become ready"

    def _report_init(self, began: float, failure: StartError | None) -> None:
        """Init ended: too late to subscribe, but whoever did hears how it went."""
        self._apis.telemetry.close_subscriptions()
        status: records.Status = "success"
        if failure:
            status = "timeout" if failure.error_type == "Sandbox.Timedout" else "error"
            # Nothing is told of a runtime that was not launched, nor of one that was waited for too long.
            if self._runtime_launched and not self._apis.polled and status != "timeout":
                done = records.init_runtime_done(status, failure.error_type)
                self.log.platform("platform.initRuntimeDone", done)
        for extension in self._apis.extensions.extensions:
            state = "LaunchError" if extension.name == self._not_launched else extension.state
            record = records.extension(extension.name, state, extension.events)
            self.log.platform("platform.extension", record)
        duration = self._clock.monotonic() - began
        error_type = failure.error_type if failure else None
        self.log.platform("platform.initReport", records.init_report(status, duration, error_type))

    # --- death and end ---

    def lose(self, why: str) -> None:
        """What it runs on is gone this moment: all its processes die, and what is in flight fails."""
        # Nobody's fault inside; AWS publishes no type for it (assumed).
        self._fail(StartError("Sandbox.Lost", why))
        self._processes.end(self._processes.running)

    def _process_ended(self, name: str, ended: ProcessExit | None) -> None:
        """A process ended, or, with None, the whole sandbox was lost. Any exit code ends the environment."""
        if self._processes.out_of_memory:
            self._out_of_memory()
        else:
            self._fail(end_of(name, ended))

    def _out_of_memory(self) -> None:
        """Nobody is told to end: all processes go at once, as the kernel ends them on AWS."""
        self._fail(out_of_memory())
        self._processes.end(self._processes.running)

    def _fail(self, error: StartError) -> None:
        self._changed.set()
        if self._ended or self.state in (State.SHUTTING_DOWN, State.STOPPED, State.FAILED):
            return
        self._ended = caused(self._reported, error)
        if self.state in (State.READY, State.DRAINING):
            self._die(self._ended)

    def _worker_died(self) -> None:
        """The others serve on. What it was working on runs into its timeout, as on AWS."""
        self._dead_workers += 1
        if self.state in (State.READY, State.DRAINING):
            self._tell_slots()

    def _tell_slots(self) -> None:
        self.log.platform("penstock.workerDied", records.worker_died(self.slots, self._spec.function.max_concurrency))
        if self.on_worker_death:
            self.on_worker_death(self)

    def _die(self, error: StartError) -> None:
        self._end = asyncio.get_running_loop().create_task(self._shut_down("failure"))
        self._lifecycle.move(State.SHUTTING_DOWN)
        for request_id, running in list(self._apis.runtime.running.items()):
            running.fail(invocation_error(error, request_id))
        self._on_death(self, StartError(error.error_type, error.message, self.log.last_lines))

    async def stop(self, drain: float) -> None:
        """Let what is in flight end, at most `drain` seconds, then end the processes. Idempotent."""
        if self.state is State.READY:
            self._lifecycle.move(State.DRAINING)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(drain):
                    while self.in_flight:
                        self._changed.clear()
                        await self._changed.wait()
        if self.stopped.is_set():
            return
        if self._end is None:
            self._end = asyncio.get_running_loop().create_task(self._shut_down("spindown"))
        await asyncio.shield(self._end)

    async def _shut_down(self, reason: str) -> None:
        """The shutdown phase: runtime first, then extensions, 2 seconds in all.

        https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
        """
        if self._faults:
            self._faults.stop()
        if self.state is not State.SHUTTING_DOWN:
            self._lifecycle.move(State.SHUTTING_DOWN)
        self._apis.runtime.abort(PlatformError("Client.ExecutionEnvironmentShutDown"))
        if self._processes.running and any(True for _ in self._apis.extensions.extensions):
            await self._end_in_order(reason)
        await self._processes.kill()
        await self._apis.close()
        self._lifecycle.move(State.STOPPED if reason == "spindown" else State.FAILED)
        self.stopped.set()

    async def _end_in_order(self, reason: str) -> None:
        """With an extension of any kind: the runtime first, then the subscribers of SHUTDOWN, also those that ask for
        their next event only now. Whoever does not obey in time is killed, and so are other extensions at once.
        """
        deadline = self._clock.monotonic() + SHUTDOWN_TOTAL_S
        deadline_ms = int((self._clock.epoch() + SHUTDOWN_TOTAL_S) * 1000)
        await self._processes.terminate(RUNTIME, SHUTDOWN_RUNTIME_S)
        self._processes.end((RUNTIME,))
        await self._apis.telemetry.flush(_FLUSH_S)
        extensions = self._apis.extensions
        self._tell_shutdown = lambda: extensions.shut_down(reason, deadline_ms)
        self._tell_shutdown()
        subscribers = {extension.name for extension in extensions.extensions if "SHUTDOWN" in extension.events}
        self._processes.end(self._processes.running - subscribers)
        await self._processes.wait_for(subscribers, deadline - self._clock.monotonic())
