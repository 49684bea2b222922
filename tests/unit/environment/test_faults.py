"""Faults on purpose: how they are written, and when each is due."""

from collections.abc import Collection

import pytest

from penstock.environment.fault_injection import FaultInjector
from penstock.environment.faults import Action, Fault, FaultPlan, Moment, parse_fault
from penstock.model.errors import UserError
from support.clock import VirtualClock


@pytest.mark.parametrize(
    ("text", "action", "name", "moment", "value"),
    [
        ("kill-runtime@init", Action.KILL_RUNTIME, None, Moment.INIT, 0),
        ("kill-runtime@request=10", Action.KILL_RUNTIME, None, Moment.REQUEST, 10),
        ("kill-extension@ready", Action.KILL_EXTENSION, None, Moment.READY, 0),
        ("kill-extension=lambda-adapter@seconds=5", Action.KILL_EXTENSION, "lambda-adapter", Moment.SECONDS, 5),
        ("kill-extension=My Agent_2.0@seconds=0.25", Action.KILL_EXTENSION, "My Agent_2.0", Moment.SECONDS, 0.25),
        ("stall-worker@request=3", Action.STALL_WORKER, None, Moment.REQUEST, 3),
        ("fill-tmp@ready", Action.FILL_TMP, None, Moment.READY, 0),
        ("drop-log-subscriber@seconds=0", Action.DROP_LOG_SUBSCRIBER, None, Moment.SECONDS, 0),
    ],
)
def test_what_can_be_asked_for(text: str, action: Action, name: str | None, moment: Moment, value: float) -> None:
    assert parse_fault(text) == Fault(text, action, name, moment, value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kill-runtime",
        "@ready",
        "kill-runtime@",
        "kill-runtime@never",
        "explode@ready",
        "Kill-Runtime@ready",
        "kill-runtime@ready=1",
        "kill-runtime@init=",
        "kill-runtime@request",
        "kill-runtime@request=0",
        "kill-runtime@request=-1",
        "kill-runtime@request=1.5",
        "kill-runtime@request=\u0661",  # a digit, but not one of ours
        "kill-runtime@seconds=",
        "kill-runtime@seconds=-1",
        "kill-runtime@seconds=nan",
        "kill-runtime@seconds=inf",
        "kill-runtime@seconds=soon",
        "kill-runtime=me@ready",
        "kill-extension=@ready",
        "stall-worker@ready",
        "stall-worker@seconds=1",
        "kill-runtime@ready ",
        "kill-runtime@ready@ready",
    ],
)
def test_what_cannot(text: str) -> None:
    with pytest.raises(UserError, match="is not a fault: a fault is WHAT@WHEN, with WHAT kill-runtime,") as refusal:
        parse_fault(text)
    assert repr(text) in str(refusal.value)
    assert "\n" not in str(refusal.value)


class Rig:
    """One function's plan, and what it does to as many environments as the test makes."""

    def __init__(self, *texts: str) -> None:
        self.clock = VirtualClock()
        self.running = frozenset({"runtime", "adapter", "agent"})
        self.done: list[str] = []
        self.plan = FaultPlan([parse_fault(text) for text in texts], lambda *_: None)

    def environment(self) -> FaultInjector:
        return FaultInjector(
            self.plan,
            self,
            self.clock,
            stall=lambda request_id: self.done.append(f"stall {request_id}"),
            cut_subscribers=lambda: self.done.append("cut"),
            tell=lambda fault, effect: self.done.append(f"{fault.text}: {effect}"),
        )

    def end(self, names: Collection[str]) -> None:
        self.done.extend(f"kill {name}" for name in sorted(names))

    async def fill_tmp(self) -> str | None:
        raise AssertionError("not asked for")


def test_each_moment_brings_its_own() -> None:
    rig = Rig("kill-runtime@init", "drop-log-subscriber@ready", "stall-worker@request=1")
    environment = rig.environment()
    assert rig.done == []
    environment.initializing()
    assert rig.done == ["kill runtime", "kill-runtime@init: killed runtime"]
    environment.ready()
    assert rig.done[2:] == ["cut", "drop-log-subscriber@ready: connections to log subscribers are cut"]
    environment.requested("r1")
    assert rig.done[4:] == ["stall r1", "stall-worker@request=1: the answer to request r1 is never taken"]


def test_each_happens_once_in_the_environment_that_gets_there_first() -> None:
    rig = Rig("kill-runtime@ready")
    for _ in range(3):
        rig.environment().ready()
    assert rig.done == ["kill runtime", "kill-runtime@ready: killed runtime"]


def test_requests_are_counted_over_all_environments() -> None:
    rig = Rig("stall-worker@request=3", "stall-worker@request=5")
    first, second = rig.environment(), rig.environment()
    for number, environment in enumerate((first, second, first, first, second, second), 1):
        environment.requested(f"r{number}")
    assert [one for one in rig.done if one.startswith("stall ")] == ["stall r3", "stall r5"]


def test_seconds_count_from_ready_of_the_first_that_lives_so_long() -> None:
    rig = Rig("kill-runtime@seconds=5", "kill-extension=agent@seconds=2.5")
    first, second = rig.environment(), rig.environment()
    first.ready()
    rig.clock.advance(2)
    second.ready()
    rig.clock.advance(0.5)
    assert rig.done == ["kill agent", "kill-extension=agent@seconds=2.5: killed agent"]
    first.stop()
    rig.clock.advance(4)
    assert rig.done[2:] == []
    rig.clock.advance(0.5)
    assert rig.done[2:] == ["kill runtime", "kill-runtime@seconds=5: killed runtime"]


def test_all_extensions_or_the_one_of_that_name() -> None:
    rig = Rig("kill-extension@init", "kill-extension=adapter@ready")
    rig.environment().initializing()
    rig.environment().ready()
    assert rig.done == [
        "kill adapter",
        "kill agent",
        "kill-extension@init: killed adapter, agent",
        "kill adapter",
        "kill-extension=adapter@ready: killed adapter",
    ]


def test_what_is_not_there_cannot_be_killed_and_that_is_told() -> None:
    rig = Rig("kill-extension=agnet@ready", "kill-runtime@ready", "kill-extension@init")
    rig.environment().ready()
    rig.running = frozenset()
    rig.environment().initializing()
    assert rig.done == [
        "kill-extension=agnet@ready: no such extension runs; running: adapter, agent",
        "kill runtime",
        "kill-runtime@ready: killed runtime",
        "kill-extension@init: no such extension runs; running: none",
    ]
