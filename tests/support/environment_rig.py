"""One real execution environment for a test, without a template: a probe as its runtime, probes as its extensions."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from penstock.cli.clock import LoopClock
from penstock.environment.environment import Environment
from penstock.environment.faults import Fault, FaultPlan, parse_fault
from penstock.environment.memory import CgroupHome, CpuHome
from penstock.environment.spec import EnvironmentSpec
from penstock.model import ids
from penstock.model.errors import InvocationError, StartError
from penstock.model.invocation import Invocation
from penstock.telemetry.log_writer import LogWriter
from support.functions import function
from support.sandbox_rig import INTERPRETERS
from support.sink import RecordingSink
from support.streams import PATIENCE_S, within

_SUPPORT = Path(__file__).parent


@dataclass(frozen=True)
class Shape:
    """What a test wants of the function. `extensions` are names of probes."""

    variables: Mapping[str, str] = field(default_factory=dict)
    extensions: Sequence[str] = ()
    concurrency: int = 2
    memory_mib: int = 2048
    tmp_mib: int = 512
    namespaces: bool = True
    memory_home: CgroupHome | None = None
    cpu_home: CpuHome | None = None
    init_timeout: float = 20.0
    faults: Sequence[str] = ()


class Sink(RecordingSink):
    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()

    def finish(self) -> None:
        super().finish()
        self.ended.set()

    def fail(self, error: InvocationError) -> None:
        super().fail(error)
        self.ended.set()

    async def result(self) -> str:
        """The answer of a function that succeeded."""
        await within(self.ended.wait())
        assert self.error is None, self.error
        return self.body.decode()

    async def failure(self) -> InvocationError:
        await within(self.ended.wait())
        assert self.error is not None
        return self.error


class EnvironmentRig:
    """`death` is set when the environment died by itself."""

    def __init__(self, folder: Path, shape: Shape) -> None:
        loop = asyncio.get_running_loop()
        self.clock = LoopClock(loop)
        self.death: asyncio.Future[StartError] = loop.create_future()
        self.effects: list[str] = []
        """`<fault>: <what it did>` of each fault on purpose."""
        plan = FaultPlan([parse_fault(fault) for fault in shape.faults], self._note_fault)
        self._log = folder / "log.jsonl"
        self._writer = LogWriter(self._log, self.clock)
        self.environment = Environment(
            replace(make_spec(folder, shape), faults=plan),
            self.clock,
            self._writer,
            lambda _, error: self.death.set_result(error),
        )

    def _note_fault(self, environment_id: str, fault: Fault, effect: str) -> None:
        assert environment_id == self.environment.environment_id
        self.effects.append(f"{fault.text}: {effect}")

    async def start(self) -> None:
        await within(self.environment.start())

    async def failed_start(self) -> StartError:
        try:
            await self.start()
        except StartError as error:
            return error
        raise AssertionError("it started")

    def invoke(self, do: str, timeout: int = 30) -> Sink:
        """Hand the event `{"do": do}` to a worker that waits."""
        sink = Sink()
        now = self.clock.monotonic() + timeout
        event = json.dumps({"do": do}).encode()
        request_id = ids.request_id()
        deadline_ms = int((self.clock.epoch() + timeout) * 1000)
        self.last_request_id = request_id
        assert self.environment.invoke(Invocation(request_id, "arn", lambda: event, sink, now, deadline_ms, timeout))
        return sink

    async def slots(self, count: int) -> None:
        """Return when so many workers wait: all but the first may poll a moment after Ready."""
        async with asyncio.timeout(PATIENCE_S):
            while self.environment.free_slots < count:  # noqa: ASYNC110  # there is nothing to be told by
                await asyncio.sleep(0.01)

    async def told_of_faults(self, count: int) -> None:
        """Return when so many faults have happened."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.effects) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def process(self, program: str) -> psutil.Process:
        """The process that runs a script of this name; waits until it is there."""
        async with asyncio.timeout(PATIENCE_S):
            while not (found := [one for one in psutil.Process().children(recursive=True) if _runs(one, program)]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return found[0]

    def records(self, event_type: str) -> list[object]:
        """What the log holds of one type."""
        self._writer.flush()
        lines = [json.loads(line) for line in self._log.read_bytes().splitlines()]
        return [line["record"] for line in lines if line["type"] == event_type]

    def said(self) -> list[dict[str, object]]:
        """What the extensions printed, in order."""
        return [json.loads(str(line)) for line in self.records("extension")]

    async def close(self) -> None:
        await within(self.environment.stop(0.0))
        self._writer.close()


def make_spec(folder: Path, shape: Shape) -> EnvironmentSpec:
    code, opt, lang = (folder / name for name in ("code", "opt", "lang"))
    for path in (code, opt / "extensions", lang, folder / "work"):
        path.mkdir(parents=True)
    _install("probe_runtime.py", code / "bootstrap")
    for name in shape.extensions:
        _install("probe_extension.py", opt / "extensions" / name)
    made = replace(
        function(code, runtime="provided.al2023"),
        memory_mib=shape.memory_mib,
        ephemeral_storage_mib=shape.tmp_mib,
        max_concurrency=shape.concurrency,
        environment=dict(shape.variables),
        log_group="/aws/lambda/app",
    )
    return EnvironmentSpec(
        function=made,
        region="us-east-1",
        account_id="123456789012",
        task_root=code,
        opt_root=opt,
        lang_root=lang,
        keep_visible=INTERPRETERS,
        work_root=folder / "work",
        isolated_network=False,
        namespaces=shape.namespaces,
        init_timeout=shape.init_timeout,
        memory_home=shape.memory_home,
        cpu_home=shape.cpu_home,
    )


def _install(probe: str, path: Path) -> None:
    """As an executable script; `-IS` makes it start fast."""
    path.write_text(f"#!{sys.executable} -IS\n{(_SUPPORT / probe).read_text()}")
    path.chmod(0o755)


def _runs(process: psutil.Process, program: str) -> bool:
    try:
        return any(part.endswith(f"/{program}") for part in process.cmdline())
    except psutil.Error:
        return False


@asynccontextmanager
async def environment(folder: Path, shape: Shape | None = None) -> AsyncIterator[EnvironmentRig]:
    """Not started yet; in the end stopped, whatever became of it."""
    rig = EnvironmentRig(folder, shape or Shape())
    try:
        yield rig
    finally:
        await rig.close()
