"""Each fault on purpose, done to real processes."""

from pathlib import Path

import pytest

from support.environment_rig import EnvironmentRig, Shape, environment
from support.sandbox_rig import need_namespaces
from support.streams import within


def faults(rig: EnvironmentRig) -> list[str]:
    """Those in the log."""
    records = [record for record in rig.records("penstock.fault") if isinstance(record, dict)]
    return [f"{record['fault']}: {record['effect']}" for record in records]


async def test_kill_runtime_at_a_request(tmp_path: Path) -> None:
    async with environment(tmp_path, Shape(concurrency=1, faults=["kill-runtime@request=2"])) as rig:
        await rig.start()
        assert await rig.invoke("hello").result() == "hello"
        await rig.slots(1)
        error = await rig.invoke("hang").failure()
        assert error.message.endswith("Error: Runtime exited with error: signal: killed")
        assert (await within(rig.death)).error_type == "Runtime.ExitError"
        assert faults(rig) == rig.effects == ["kill-runtime@request=2: killed runtime"]


async def test_kill_runtime_at_init(tmp_path: Path) -> None:
    async with environment(tmp_path, Shape(faults=["kill-runtime@init"])) as rig:
        failure = await rig.failed_start()
    assert (failure.error_type, rig.effects) == ("Runtime.ExitError", ["kill-runtime@init: killed runtime"])


async def test_kill_extension_after_a_time(tmp_path: Path) -> None:
    shape = Shape(extensions=("one", "two"), faults=["kill-extension=two@seconds=0.2"])
    async with environment(tmp_path, shape) as rig:
        await rig.start()
        death = await within(rig.death)
        assert (death.error_type, death.message) == ("Extension.Crash", "signal: killed")
        await within(rig.environment.stopped.wait())
        assert rig.effects == ["kill-extension=two@seconds=0.2: killed two"]
    assert {one["extension"] for one in rig.said()} == {"one"}  # which heard of the shutdown


async def test_stall_worker(tmp_path: Path) -> None:
    """The request runs into its timeout, the other worker goes on, and the slot is gone."""
    async with environment(tmp_path, Shape(concurrency=2, faults=["stall-worker@request=1"])) as rig:
        await rig.start()
        await rig.slots(2)
        stalled = rig.invoke("hello", timeout=1)
        stalled_id = rig.last_request_id
        for _ in range(3):
            assert await rig.invoke("hello").result() == "hello"
            await rig.slots(1)
        assert (await stalled.failure()).error_type == "Sandbox.Timedout"
        assert await rig.invoke("hello").result() == "hello"
        await rig.slots(1)
        assert rig.environment.free_slots == 1
        assert rig.effects == [f"stall-worker@request=1: the answer to request {stalled_id} is never taken"]


async def test_fill_tmp(tmp_path: Path) -> None:
    need_namespaces()
    async with environment(tmp_path, Shape(concurrency=1, tmp_mib=8, faults=["fill-tmp@request=2"])) as rig:
        await rig.start()
        assert await rig.invoke("room").result() == "8"
        await rig.slots(1)
        assert await rig.invoke("hello").result() == "hello"
        await rig.told_of_faults(1)
        assert rig.effects == ["fill-tmp@request=2: /tmp is full"]
        await rig.slots(1)
        assert await rig.invoke("room").result() == "0"
        assert not rig.death.done()


async def test_the_disk_of_the_machine_is_never_filled(tmp_path: Path) -> None:
    async with environment(tmp_path, Shape(namespaces=False, faults=["fill-tmp@ready"])) as rig:
        await rig.start()
        await rig.told_of_faults(1)
        assert rig.effects == [
            "fill-tmp@ready: /tmp is not filled: without a mount namespace it is the machine's own disk"
        ]


@pytest.mark.parametrize("protocol", ["http", "tcp"])
@pytest.mark.parametrize("is_cut", [False, True])
async def test_drop_log_subscriber(protocol: str, is_cut: bool, tmp_path: Path) -> None:
    shape = Shape(
        {"PROBE_LISTENER": f"subscribe {protocol}"},
        extensions=("listener",),
        faults=["drop-log-subscriber@request=1"] if is_cut else [],
    )
    async with environment(tmp_path, shape) as rig:
        await rig.start()
        assert await rig.invoke("hello").result() == "hello"
        await within(rig.environment.stop(0.0))
        assert rig.effects == (
            ["drop-log-subscriber@request=1: connections to log subscribers are cut"] if is_cut else []
        )
    (received,) = [one["received"] for one in rig.said() if "received" in one]
    assert isinstance(received, list)
    assert ("platform.report" in received) is not is_cut
