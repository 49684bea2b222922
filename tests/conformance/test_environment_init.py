"""Init of an execution environment, its processes scripted: the checklist of AWS's own suites (`rt-<number>`)."""

import errno
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.environment.lifecycle import State
from penstock.environment.sandbox import SandboxError, SpawnError
from support.scripted_environment import EXTENSION, RUNTIME, ScriptedEnvironment, scripted_environment
from support.streams import within


@pytest.fixture
async def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptedEnvironment]:
    """Without extensions."""
    async with scripted_environment(tmp_path, monkeypatch) as rig:
        yield rig


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptedEnvironment]:
    """With one external extension, `ext`."""
    async with scripted_environment(tmp_path, monkeypatch, "ext") as rig:
        yield rig


async def test_rt_3_what_init_error_named_is_the_cause(bare: ScriptedEnvironment) -> None:
    await bare.begin().spawned()
    headers = {"lambda-runtime-function-error-type": "Function.TestError"}
    answer = await bare.call("POST", "/2018-06-01/runtime/init/error", headers, b"{}")
    assert answer.status == 202
    bare.sandbox.exit(RUNTIME, 1)
    assert (await bare.failure()).error_type == "Function.TestError"
    assert bare.environment.state is State.FAILED


async def test_rt_131_the_first_error_told_stays_the_cause(rig: ScriptedEnvironment) -> None:
    await rig.begin().spawned("ext")
    identifier = await rig.register("ext")
    await rig.spawned()
    told = {"lambda-extension-identifier": identifier, "lambda-extension-function-error-type": "Extension.First"}
    assert (await rig.call("POST", f"{EXTENSION}init/error", told)).status == 202
    second = {"lambda-runtime-function-error-type": "Runtime.Second"}
    assert (await rig.call("POST", "/2018-06-01/runtime/init/error", second)).status == 202
    rig.sandbox.exit(RUNTIME, 1)
    assert (await rig.failure()).error_type == "Extension.First"
    [(_, report)] = rig.records("platform.initReport")
    assert (report["status"], report["errorType"]) == ("error", "Extension.First")


async def test_rt_204_init_runtime_done_carries_the_first_error(bare: ScriptedEnvironment) -> None:
    await bare.begin().spawned()
    headers = {"lambda-runtime-function-error-type": "Runtime.ImportModuleError"}
    await bare.call("POST", "/2018-06-01/runtime/init/error", headers)
    bare.sandbox.exit(RUNTIME, 1)
    await bare.failure()
    [(_, done)] = bare.records("platform.initRuntimeDone")
    assert (done["status"], done["errorType"]) == ("error", "Runtime.ImportModuleError")


async def test_rt_132_no_sandbox(bare: ScriptedEnvironment) -> None:
    bare.setup_error = SandboxError("no namespaces")
    failed = await bare.begin().failure()
    assert (failed.error_type, failed.message) == ("Sandbox.SetupFailed", "no namespaces")


@pytest.mark.parametrize("waits_for", ["registration", "first poll", "extension"])
async def test_rt_133_142_init_takes_too_long(waits_for: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted_environment(tmp_path, monkeypatch, "ext", init_timeout=1.0) as rig:
        await rig.begin().spawned("ext")
        if waits_for != "registration":
            await rig.register("ext", "SHUTDOWN")
            await rig.spawned()
        if waits_for == "extension":
            await rig.poll()
        failed = await rig.failure()
        assert failed.error_type == "Sandbox.Timedout"
        [(_, report)] = rig.records("platform.initReport")
        assert report["status"] == "timeout"
        runtime = [record["status"] for _, record in rig.records("platform.initRuntimeDone")]
        assert runtime == (["success"] if waits_for == "extension" else [])
        # How far the extension had come is told all the same.
        [(_, extension)] = rig.records("platform.extension")
        state = "Started" if waits_for == "registration" else "Registered"
        assert (extension["name"], extension["state"]) == ("ext", state)
        assert (rig.environment.state, rig.sandbox.killed) == (State.FAILED, True)


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EACCES, errno.ENOEXEC])
async def test_rt_134_135_runtime_cannot_be_executed(bare: ScriptedEnvironment, code: int) -> None:
    bare.refusals[RUNTIME] = SpawnError(code, "no")
    assert (await bare.begin().failure()).error_type == "Runtime.InvalidEntrypoint"
    assert [record["status"] for _, record in bare.records("platform.initRuntimeDone")] == ["error"]


async def test_rt_136_runtime_dies_in_init_for_want_of_memory(bare: ScriptedEnvironment) -> None:
    await bare.begin().spawned()
    bare.memory.over = True
    bare.sandbox.exit(RUNTIME, None, signal.SIGKILL)
    assert (await bare.failure()).error_type == "Runtime.OutOfMemory"


@pytest.mark.parametrize(
    ("returncode", "signum"), [(0, None), (None, signal.SIGSEGV)], ids=["rt-137 exit 0", "rt-138 signal"]
)
async def test_runtime_dies_in_init(bare: ScriptedEnvironment, returncode: int | None, signum: int | None) -> None:
    await bare.begin().spawned()
    bare.sandbox.exit(RUNTIME, returncode, signum)
    assert (await bare.failure()).error_type == "Runtime.ExitError"


@pytest.mark.parametrize(
    ("returncode", "signum"), [(0, None), (1, None), (None, signal.SIGKILL)], ids=["rt-140 exit 0", "exit 1", "rt-141"]
)
@pytest.mark.parametrize("registered", [False, True])
async def test_extension_dies_in_init(
    rig: ScriptedEnvironment, returncode: int | None, signum: int | None, registered: bool
) -> None:
    await rig.begin().spawned("ext")
    if registered:
        await rig.register("ext")
        await rig.spawned()
    rig.sandbox.exit("ext", returncode, signum)
    assert (await rig.failure()).error_type == "Extension.Crash"
    # Nothing is told of a runtime that was never launched.
    assert len(rig.records("platform.initRuntimeDone")) == registered


async def test_rt_143_init_that_is_called_off_tells_of_its_extensions(rig: ScriptedEnvironment) -> None:
    await rig.begin().spawned("ext")
    await rig.register("ext")
    assert rig.starting is not None
    rig.starting.cancel()
    await rig.environment.stopped.wait()
    assert [record["name"] for _, record in rig.records("platform.extension")] == ["ext"]
    [(_, report)] = rig.records("platform.initReport")
    assert report["errorType"] in ("Runtime.ReadyFailed", "Extension.RegistrationFailed")


async def test_rt_144_163_several_workers_poll_during_init(rig: ScriptedEnvironment) -> None:
    await rig.begin().spawned("ext")
    identifier = await rig.register("ext")
    await rig.spawned()
    workers = [await rig.poll() for _ in range(3)]
    assert rig.environment.state is State.INITIALIZING
    assert rig.environment.free_slots == 0
    await rig.event_next(identifier)
    await rig.ready()
    assert (rig.environment.state, rig.environment.free_slots) == (State.READY, 3)
    assert rig.invoke() is not None
    assert await workers[0].next() == "r1"


@pytest.mark.parametrize(
    ("code", "error_type"),
    [
        (errno.ENOENT, "Extension.LaunchError"),
        (errno.ENOEXEC, "Extension.LaunchError"),
        (errno.EACCES, "PermissionDenied"),
    ],
    ids=["rt-145", "rt-145 no format", "rt-176"],
)
async def test_extension_cannot_be_executed(rig: ScriptedEnvironment, code: int, error_type: str) -> None:
    rig.refusals["ext"] = SpawnError(code, "no")
    assert (await rig.begin().failure()).error_type == error_type
    assert RUNTIME not in rig.sandbox.commands


async def test_rt_176_more_than_ten_extensions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted_environment(tmp_path, monkeypatch, *(f"ext-{number}" for number in range(11))) as rig:
        assert (await rig.begin().failure()).error_type == "TooManyExtensions"
        assert rig.sandbox.commands == {}


async def test_rt_150_no_bootstrap(bare: ScriptedEnvironment, tmp_path: Path) -> None:
    (tmp_path / "task" / "bootstrap").unlink()
    assert (await bare.begin().failure()).error_type == "Runtime.InvalidEntrypoint"
    assert bare.records("platform.initRuntimeDone") == []


async def test_rt_164_after_a_failed_init_nothing_is_taken(bare: ScriptedEnvironment) -> None:
    await bare.begin().spawned()
    bare.sandbox.exit(RUNTIME, 3)
    failed = await bare.failure()
    assert bare.environment.state is State.FAILED
    assert bare.invoke() is None
    [(_, report)] = bare.records("platform.initReport")
    assert report["errorType"] == failed.error_type


async def test_rt_169_before_and_after_it_is_ready_nothing_is_taken(bare: ScriptedEnvironment) -> None:
    taken = [bare.invoke("idle")]
    await bare.begin().spawned()
    taken.append(bare.invoke("initializing"))
    await bare.ready()
    stopping = bare.environment.stop(0.0)
    await within(stopping)
    taken.append(bare.invoke("stopped"))
    assert taken == [None, None, None]
    assert bare.records("platform.start") == []


async def test_rt_216_runtime_is_not_started_before_all_extensions_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted_environment(tmp_path, monkeypatch, "one", "two") as rig:
        await rig.begin().spawned("two")
        await rig.register("one")
        refused = await rig.call("POST", f"{EXTENSION}register", {"lambda-extension-name": "two"}, b"no json")
        assert (refused.status, RUNTIME in rig.sandbox.commands) == (403, False)
        await rig.register("two")
        await rig.spawned()
        assert list(rig.sandbox.commands) == ["one", "two", RUNTIME]


async def test_records_of_init_in_their_order(rig: ScriptedEnvironment) -> None:
    await rig.begin().spawned("ext")
    identifier = await rig.register("ext", "SHUTDOWN")
    await rig.event_next(identifier)
    await rig.ready()
    records = [entry for entry in rig.records() if entry[0].startswith("platform.")]
    assert [kind for kind, _ in records] == [
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.extension",
        "platform.initReport",
    ]
    assert records[2][1] == {"name": "ext", "state": "Ready", "events": ["SHUTDOWN"]}


async def test_internal_extension_is_waited_for_too(bare: ScriptedEnvironment) -> None:
    await bare.begin().spawned()
    identifier = await bare.register("internal")
    await bare.poll()
    assert bare.environment.state is State.INITIALIZING
    late = await bare.call("POST", f"{EXTENSION}register", {"lambda-extension-name": "late"}, b"{}")
    assert b"Extension.RegistrationClosed" in late.body
    await bare.event_next(identifier)
    await bare.ready()
    assert bare.invoke() is not None
