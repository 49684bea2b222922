"""The end of an execution environment, its processes scripted: the checklist of AWS's own suites (`rt-<number>`)."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from penstock.environment import environment as module
from penstock.environment.lifecycle import State
from penstock.model.errors import FunctionError, PlatformError
from support.answers import read_answer
from support.scripted_environment import EXTENSION, RUNTIME, ScriptedEnvironment, scripted_environment
from support.streams import within
from support.url_rig import until

TERM, KILL = signal.SIGTERM, signal.SIGKILL


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of things is the same."""
    monkeypatch.setattr(module, "SHUTDOWN_RUNTIME_S", 0.1)
    monkeypatch.setattr(module, "SHUTDOWN_TOTAL_S", 0.5)


@pytest.fixture
async def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptedEnvironment]:
    """Ready, without extensions."""
    async with scripted_environment(tmp_path, monkeypatch) as rig:
        yield await rig.begin().ready()


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptedEnvironment]:
    """Begun, with one external extension, `ext`, that was started."""
    async with scripted_environment(tmp_path, monkeypatch, "ext") as rig:
        await rig.begin().spawned("ext")
        yield rig


async def test_rt_1_a_life_without_trouble(bare: ScriptedEnvironment) -> None:
    sink = bare.invoke()
    assert sink is not None
    assert await bare.first.next() == "r1"
    answer = await bare.call(
        "POST",
        "/2018-06-01/runtime/invocation/r1/response",
        {"content-type": "application/json"},
        b"test response",
    )
    assert answer.status == 202
    assert (sink.content_type, sink.body, sink.finished) == ("application/json", b"test response", True)
    await within(bare.environment.stop(0.0))
    assert (bare.environment.state, bare.deaths) == (State.STOPPED, [])
    assert [kind for kind, _ in bare.records("platform.start", "platform.report")] == [
        "platform.start",
        "platform.report",
    ]


async def test_rt_2_stopped_while_an_invocation_waits(bare: ScriptedEnvironment) -> None:
    sink = bare.invoke()
    await bare.first.next()
    await within(bare.environment.stop(0.0))
    assert sink is not None
    assert sink.error_type == "Client.ExecutionEnvironmentShutDown"
    assert isinstance(sink.error, PlatformError)
    assert (bare.environment.state, bare.deaths) == (State.STOPPED, [])


async def test_rt_5_167_runtime_exits_with_an_event_in_its_hands(bare: ScriptedEnvironment) -> None:
    sink = bare.invoke()
    await bare.first.next()
    bare.sandbox.exit(RUNTIME, 1)
    assert bare.environment.state == "ShuttingDown"
    assert sink is not None
    assert sink.error_type == "Runtime.ExitError"
    assert isinstance(sink.error, FunctionError)
    assert orjson.loads(sink.error.body)["errorType"] == "Runtime.ExitError"
    await within(bare.environment.stopped.wait())
    assert [error.error_type for error in bare.deaths] == ["Runtime.ExitError"]
    assert bare.environment.state is State.FAILED


async def test_rt_44_169_every_invocation_in_flight_ends_and_no_other_is_taken(bare: ScriptedEnvironment) -> None:
    workers = [bare.first, await bare.poll(), await bare.poll()]
    sinks = [bare.invoke(f"r{number}") for number in range(2)]
    assert [await worker.next() for worker in workers[:2]] == ["r0", "r1"]
    bare.sandbox.exit(RUNTIME, None, KILL)
    assert [sink and sink.error_type for sink in sinks] == ["Runtime.ExitError"] * 2
    assert bare.invoke("later") is None
    assert bare.environment.in_flight == 0
    # Whoever waits sees the connection end, without an answer.
    assert await workers[2].line.rest() == b""


async def test_rt_154_219_without_extensions_the_runtime_is_not_asked_to_end(bare: ScriptedEnvironment) -> None:
    await within(bare.environment.stop(0.0))
    assert (bare.sandbox.signals, bare.sandbox.killed) == ([], True)


async def test_rt_157_runtime_and_a_subscriber_end_when_asked(rig: ScriptedEnvironment) -> None:
    waiting = await rig.event_next(await rig.register("ext", "SHUTDOWN"))
    await rig.ready()
    began = rig.clock.epoch()
    stopping = rig.environment.stop(0.0)

    async def extension() -> None:
        head = await waiting.head()
        answer, _ = read_answer(head + await waiting.reader.readexactly(_length(head)))
        event = orjson.loads(answer.body)
        assert answer.header("content-type") == "application/json"
        assert (event["eventType"], event["shutdownReason"]) == ("SHUTDOWN", "spindown")
        assert began * 1000 + 400 < event["deadlineMs"] < began * 1000 + 20_000
        # The runtime was ended before.
        assert rig.sandbox.signals == [(RUNTIME, TERM)]
        rig.sandbox.exit("ext", 0)

    await within(asyncio.gather(stopping, extension()))
    assert rig.sandbox.signals == [(RUNTIME, TERM)]
    assert rig.environment.state is State.STOPPED


def _length(head: bytes) -> int:
    return int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])


async def test_rt_158_an_internal_extension_is_reason_enough_to_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted_environment(tmp_path, monkeypatch) as rig:
        await rig.begin().spawned()
        parked = await rig.event_next(await rig.register("internal"))
        await rig.ready()
        await within(rig.environment.stop(0.0))
        assert rig.sandbox.signals == [(RUNTIME, TERM)]
        assert await parked.rest() == b""


async def test_rt_160_a_runtime_that_does_not_obey_is_killed_and_the_extension_has_its_time(
    rig: ScriptedEnvironment,
) -> None:
    waiting = await rig.event_next(await rig.register("ext", "SHUTDOWN"))
    await rig.ready()
    rig.sandbox.stubborn.add(RUNTIME)
    stopping = asyncio.ensure_future(rig.environment.stop(0.0))
    assert b"200 OK" in await waiting.head()
    assert rig.sandbox.signals[:2] == [(RUNTIME, TERM), (RUNTIME, KILL)]
    assert "ext" not in dict(rig.sandbox.signals)
    rig.sandbox.exit("ext", 0)
    await within(stopping)
    assert rig.environment.state is State.STOPPED


async def test_rt_161_an_extension_that_did_not_subscribe_is_killed_at_once(rig: ScriptedEnvironment) -> None:
    waiting = await rig.event_next(await rig.register("ext"))
    await rig.ready()
    await within(rig.environment.stop(0.0))
    assert rig.sandbox.signals == [(RUNTIME, TERM), ("ext", KILL)]
    assert await waiting.rest() == b""


async def test_rt_162_a_subscriber_that_takes_too_long_is_killed(rig: ScriptedEnvironment) -> None:
    waiting = await rig.event_next(await rig.register("ext", "SHUTDOWN"))
    await rig.ready()
    await within(rig.environment.stop(0.0))
    assert b"SHUTDOWN" in await waiting.rest()
    assert rig.sandbox.killed
    assert rig.environment.state is State.STOPPED


@pytest.mark.parametrize("victim", ["ext", RUNTIME])
async def test_rt_168_death_is_told_once_and_the_reason_is_failure(rig: ScriptedEnvironment, victim: str) -> None:
    waiting = await rig.event_next(await rig.register("ext", "SHUTDOWN"))
    await rig.ready()
    rig.sandbox.exit(victim, 0)
    if victim == RUNTIME:
        assert b'"shutdownReason":"failure"' in await waiting.rest()
    await within(rig.environment.stopped.wait())
    expected = "Extension.Crash" if victim == "ext" else "Runtime.ExitError"
    assert [error.error_type for error in rig.deaths] == [expected]
    await within(rig.environment.stop(0.0))


async def test_an_error_told_before_names_the_death(rig: ScriptedEnvironment) -> None:
    identifier = await rig.register("ext")
    await rig.event_next(identifier)
    await rig.ready()
    told = {"lambda-extension-identifier": identifier, "lambda-extension-function-error-type": "Extension.Odd"}
    assert (await rig.call("POST", f"{EXTENSION}exit/error", told)).status == 202
    assert rig.environment.state is State.READY
    rig.sandbox.exit("ext", 1)
    await until(lambda: bool(rig.deaths))
    assert rig.deaths[0].error_type == "Extension.Odd"


async def test_rt_195_lines_of_the_runtime_and_of_extensions(rig: ScriptedEnvironment) -> None:
    await rig.event_next(await rig.register("ext"))
    await rig.ready()
    rig.say(RUNTIME, "from the runtime")
    rig.say("ext", "from the extension")
    await until(lambda: len(rig.records("function", "extension")) == 2)
    assert sorted(rig.records("function", "extension")) == [
        ("extension", "from the extension"),
        ("function", "from the runtime"),
    ]
