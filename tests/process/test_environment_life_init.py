"""Init: the order of things, what it fails with, and that the first fatal error is the one that is told."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from penstock.environment.lifecycle import State
from support.environment_rig import Shape, environment
from support.streams import within


class Case(NamedTuple):
    variables: Mapping[str, str]
    error_type: str
    message: str
    extensions: tuple[str, ...] = ()
    init_timeout: float = 20.0


CASES = {
    "runtime leaves": Case({"PROBE_START": "exit 0"}, "Runtime.ExitError", "Runtime exited without providing a reason"),
    "runtime fails": Case({"PROBE_START": "exit 4"}, "Runtime.ExitError", "Runtime exited with error: exit status 4"),
    "runtime reports, then leaves": Case(
        {"PROBE_START": "error Runtime.ImportModuleError"}, "Runtime.ImportModuleError", "told"
    ),
    "runtime is silent": Case({"PROBE_START": "hang"}, "Sandbox.Timedout", "", init_timeout=1.0),
    "extension leaves before it registers": Case({"PROBE_ONE": "exit 0"}, "Extension.Crash", "exit code 0", ("one",)),
    "extension fails": Case({"PROBE_ONE": "exit 255"}, "Extension.Crash", "exit status 255", ("one",)),
    "extension reports, then leaves": Case(
        {"PROBE_ONE": "error Extension.NoKey"}, "Extension.NoKey", "exit code 0", ("one", "two")
    ),
    "extension does not register": Case({"PROBE_ONE": "silent"}, "Sandbox.Timedout", "", ("one", "two"), 1.0),
    "extension is never ready": Case({"PROBE_ONE": "never-ready"}, "Sandbox.Timedout", "", ("one", "two"), 1.0),
    "too many extensions": Case(
        {}, "TooManyExtensions", "Extension limit (10) reached: there are 11", tuple(f"x{i}" for i in range(11))
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_init_fails(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    shape = Shape(case.variables, case.extensions, init_timeout=case.init_timeout)
    async with environment(tmp_path, shape) as rig:
        failure = await rig.failed_start()
        assert rig.environment.state is State.FAILED
        assert rig.environment.stopped.is_set()
    assert failure.error_type == case.error_type
    if case.message:
        assert failure.message == case.message
    (report,) = rig.records("platform.initReport")
    assert isinstance(report, dict)
    status = "timeout" if case.error_type == "Sandbox.Timedout" else "error"
    assert (report["status"], report["errorType"]) == (status, case.error_type)
    assert list((tmp_path / "work").iterdir()) == []


async def test_subscribers_hear_of_a_failed_init(tmp_path: Path) -> None:
    shape = Shape({"PROBE_START": "exit 1"}, ("listener",))
    async with environment(tmp_path, shape) as rig:
        await rig.failed_start()
    told = [one["got"] for one in rig.said() if isinstance(one.get("got"), dict)]
    assert [event["shutdownReason"] for event in told if isinstance(event, dict)] == ["failure"]


async def test_a_subscriber_that_was_still_busy_hears_of_it_when_it_asks(tmp_path: Path) -> None:
    async with environment(
        tmp_path, Shape({"PROBE_START": "exit 1", "PROBE_LISTENER": "late 0.5"}, ("listener",))
    ) as rig:
        await rig.failed_start()
    heard, left = rig.said()
    assert isinstance(heard["got"], dict)
    assert heard["got"]["shutdownReason"] == "failure"
    assert left == {"extension": "listener", "leaves": True}


async def test_the_runtime_waits_for_every_extension(tmp_path: Path) -> None:
    """It is not started while one has not registered."""
    shape = Shape({"PROBE_ONE": "silent", "PROBE_START": "exit 9"}, ("one", "two"), init_timeout=1.0)
    async with environment(tmp_path, shape) as rig:
        assert (await rig.failed_start()).error_type == "Sandbox.Timedout"


@pytest.mark.parametrize(("mode", "error_type"), [(0o644, "PermissionDenied"), (0o755, "Extension.LaunchError")])
async def test_an_extension_that_cannot_be_executed(mode: int, error_type: str, tmp_path: Path) -> None:
    async with environment(tmp_path, Shape(extensions=("one",))) as rig:
        extension = tmp_path / "opt/extensions/one"
        extension.write_text("#!/no/such/interpreter\n")
        extension.chmod(mode)
        assert (await rig.failed_start()).error_type == error_type
    (record,) = rig.records("platform.extension")
    assert isinstance(record, dict)
    assert record["state"] == "LaunchError"


@pytest.mark.parametrize(
    ("variables", "program", "error_type"),
    [
        ({"PROBE_START": "hang"}, "bootstrap", "Runtime.ReadyFailed"),
        ({"PROBE_LISTENER": "silent"}, "listener", "Extension.RegistrationFailed"),
    ],
)
async def test_told_to_end_while_init_runs(
    variables: dict[str, str], program: str, error_type: str, tmp_path: Path
) -> None:
    async with environment(tmp_path, Shape(variables, ("listener", "other"))) as rig:
        starting = asyncio.ensure_future(rig.environment.start())
        await rig.process(program)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(starting)
        assert rig.environment.state is State.STOPPED
    (report,) = rig.records("platform.initReport")
    assert isinstance(report, dict)
    assert report["errorType"] == error_type
