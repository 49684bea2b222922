"""The shutdown phase: who is told what, in which order, and how long each may take."""

import asyncio
import time
from pathlib import Path

import pytest

from penstock.environment.lifecycle import State
from support.environment_rig import Shape, environment

# What a busy machine may add.
SLACK_S = 1.5


async def test_without_extensions_the_runtime_is_killed_at_once(tmp_path: Path) -> None:
    async with environment(tmp_path, Shape()) as rig:
        await rig.start()
        began = time.monotonic()
        await rig.environment.stop(0.0)
        assert time.monotonic() - began < SLACK_S
    assert rig.environment.state is State.STOPPED
    assert rig.records("function") == []  # it would have told of a SIGTERM


async def test_with_an_extension_the_runtime_is_asked_first(tmp_path: Path) -> None:
    async with environment(tmp_path, Shape(extensions=("listener",))) as rig:
        await rig.start()
        await rig.environment.stop(0.0)
    assert rig.records("function") == ["runtime got SIGTERM"]
    heard, left = rig.said()
    event = heard["got"]
    assert isinstance(event, dict)
    assert (event["eventType"], event["shutdownReason"]) == ("SHUTDOWN", "spindown")
    assert left == {"extension": "listener", "leaves": True}


async def test_deadline_is_two_seconds_from_the_beginning(tmp_path: Path) -> None:
    async with environment(tmp_path, Shape({"PROBE_START": "stubborn"}, extensions=("listener",))) as rig:
        await rig.start()
        began = time.time()
        await rig.environment.stop(0.0)
    heard, _ = rig.said()
    event, at = heard["got"], heard["at"]
    assert isinstance(event, dict)
    assert isinstance(at, float)
    assert event["deadlineMs"] / 1000 - began == pytest.approx(2.0, abs=0.5)
    # The runtime did not obey, was waited for, and was killed before the extension heard.
    assert 0.6 <= at - began < 0.6 + SLACK_S


async def test_an_extension_that_does_not_obey_is_killed_at_its_deadline(tmp_path: Path) -> None:
    shape = Shape({"PROBE_IDLER": "ignore", "PROBE_START": "stubborn"}, extensions=("idler", "listener"))
    async with environment(tmp_path, shape) as rig:
        await rig.start()
        began = time.monotonic()
        await rig.environment.stop(0.0)
        assert 2.0 <= time.monotonic() - began < 2.0 + SLACK_S
    assert {one["extension"] for one in rig.said() if "got" in one} == {"idler", "listener"}
    assert {one["extension"] for one in rig.said() if "leaves" in one} == {"listener"}


async def test_an_extension_that_asked_for_nothing_is_killed_at_once(tmp_path: Path) -> None:
    shape = Shape({"PROBE_LONER": "uninterested", "PROBE_IDLER": "ignore"}, extensions=("idler", "loner"))
    async with environment(tmp_path, shape) as rig:
        await rig.start()
        loner = await rig.process("loner")
        stopping = asyncio.ensure_future(rig.environment.stop(0.0))
        await asyncio.to_thread(loner.wait, 1.8)
        assert not stopping.done()  # the idler still has its time
        await stopping
    assert [one["extension"] for one in rig.said()] == ["idler"]


async def test_shutdown_after_a_death_says_failure(tmp_path: Path) -> None:
    async with environment(tmp_path, Shape(extensions=("listener",))) as rig:
        await rig.start()
        error = await rig.invoke("exit 3").failure()
        assert (error.error_type, error.message) == (
            "Runtime.ExitError",
            f"RequestId: {rig.last_request_id} Error: Runtime exited with error: exit status 3",
        )
        await rig.environment.stopped.wait()
    heard, _ = rig.said()
    assert isinstance(heard["got"], dict)
    assert heard["got"]["shutdownReason"] == "failure"
    assert rig.environment.state is State.FAILED


async def test_in_flight_is_waited_for_while_draining_and_cut_after(tmp_path: Path) -> None:
    async with environment(tmp_path, Shape(extensions=("listener",))) as rig:
        await rig.start()
        sink = rig.invoke("hang")
        began = time.monotonic()
        await rig.environment.stop(0.3)
        assert time.monotonic() - began >= 0.3
        assert (await sink.failure()).error_type == "Client.ExecutionEnvironmentShutDown"
