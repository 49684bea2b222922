"""A capacity provider in virtual time: what scaler and placement decide is carried out, with the delays of instances.

Several functions share its instances. Requests are spread evenly; those beyond all slots are refused.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.model.function import Architecture
from penstock.model.instances import InstanceState, ManagedInstance, allowed_types
from penstock.model.throttles import ThrottleReason
from penstock.placement import (
    Fleet,
    Host,
    Launch,
    NoRoom,
    Placed,
    PlacementSettings,
    Size,
    due_for_rotation,
    idle_instances,
    place,
    to_drain,
)
from penstock.scaler import (
    Decision,
    EnvironmentSample,
    LaunchDelays,
    Reason,
    Sample,
    ScalerSettings,
    ScalerState,
    ScalingPolicy,
    decide,
    launch_failed,
    launch_succeeded,
    throttle_reason,
)

TICK_S = 5.0
SMALL = Size(1.0, 2048)
SLOTS = 16
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
TYPES = allowed_types(Architecture.X86_64)
FLEET = Fleet(TYPES, ZONES, 400)


@dataclass(eq=False)
class Environment:
    """Serves from `ready_at` on. `leaving` ones end with the next tick. One that takes over for another, `instead_of`,
    is counted from when it does.
    """

    environment_id: str
    instance_id: str
    ready_at: float
    leaving: bool = False
    in_flight: int = 0
    instead_of: "Environment | None" = None

    @property
    def counts(self) -> bool:
        return not self.leaving and self.instead_of is None


@dataclass(eq=False)
class StoryFunction:
    """`load(now)` requests at a time, of which each uses `cpu_each` vCPUs; `skew`: all CPU is used by one environment.
    `memory(now)` is what every environment holds, from 0 to 1, and None for not measured. `starts(now)`: whether an
    environment that is launched then comes up.
    """

    version: str
    policy: ScalingPolicy
    load: Callable[[float], int]
    size: Size = SMALL
    cpu_each: float | None = 0.01
    skew: bool = False
    memory: Callable[[float], float] | None = None
    starts: Callable[[float], bool] = lambda now: True
    state: ScalerState = field(default_factory=ScalerState)
    environments: list[Environment] = field(default_factory=list)
    refused: Counter[ThrottleReason] = field(default_factory=Counter)
    no_room: list[tuple[float, NoRoom]] = field(default_factory=list)
    attempts: list[float] = field(default_factory=list)
    decisions: list[tuple[float, Decision]] = field(default_factory=list)
    counts: list[tuple[float, int]] = field(default_factory=list)

    def ready(self, now: float) -> list[Environment]:
        return [one for one in self.environments if one.ready_at <= now and one.counts]

    @property
    def count(self) -> int:
        """Those on their way included."""
        return sum(one.counts for one in self.environments)

    @property
    def reasons(self) -> list[Reason]:
        return [decision.reason for _, decision in self.decisions]

    @property
    def most(self) -> int:
        return max(count for _, count in self.counts)


class CapacityStory:
    """`run(until)` lets time pass. Every tick it holds that no instance carries more than fits and that all that take
    environments stay within the vCPUs of the capacity provider.
    """

    def __init__(
        self,
        fleet: Fleet,
        functions: Iterable[StoryFunction],
        delays: LaunchDelays | None = None,
        settings: PlacementSettings | None = None,
    ) -> None:
        self.fleet = fleet
        self.functions = list(functions)
        self.delays = delays or LaunchDelays.none()
        self.settings = settings or PlacementSettings()
        self.now = 0.0
        self.instances: dict[str, ManagedInstance] = {}
        self.launches: list[tuple[float, ManagedInstance]] = []
        self.ended: list[tuple[float, str]] = []
        self._empty_since: dict[str, float] = {}
        self._number = 0

    def run(self, until: float) -> "CapacityStory":
        while self.now < until:
            self.now += TICK_S
            self._pass_time()
            for function in self.functions:
                self._serve_and_decide(function)
            self._care_for_instances()
            self._check()
        return self

    def lose(self, instance_id: str) -> None:
        """The instance and all on it, this moment."""
        for function in self.functions:
            function.environments = [one for one in function.environments if one.instance_id != instance_id]
        self._end(instance_id)

    def hosts(self, *, leaving: bool = True) -> list[Host]:
        """With `leaving` False, of those that may be drained."""
        on: dict[str, list[Placed]] = {name: [] for name in self.instances}
        for function in self.functions:
            for one in function.environments:
                if leaving or (one.counts and one.ready_at <= self.now):
                    on[one.instance_id].append(
                        Placed(one.environment_id, function.version, function.size, one.in_flight)
                    )
        return [Host(self.instances[name], tuple(placed)) for name, placed in on.items()]

    def loads(self) -> list[int]:
        """Environments of each instance."""
        return [len(host.environments) for host in self.hosts()]

    @property
    def vcpus(self) -> int:
        return sum(host.instance.type.vcpus for host in self.hosts() if host.takes_more)

    def _pass_time(self) -> None:
        for name, one in self.instances.items():
            if one.state is InstanceState.PENDING and one.launched_at + self.delays.instance_s <= self.now:
                self.instances[name] = replace(one, state=InstanceState.RUNNING)
        for function in self.functions:
            for environment in function.environments:
                if environment.instead_of is not None and environment.ready_at <= self.now:
                    environment.instead_of.leaving, environment.instead_of = True, None
            function.environments = [one for one in function.environments if not one.leaving]
        for host in self.hosts():
            if host.instance.state is InstanceState.DRAINING and not host.environments:
                self._end(host.instance.instance_id)

    def _serve_and_decide(self, function: StoryFunction) -> None:
        sample = self._serve(function)
        decision = decide(function.policy, function.state, sample, self.now)
        function.state = decision.state
        function.decisions.append((self.now, decision))
        there = function.count
        if decision.valid and decision.desired > there:
            function.attempts.append(self.now)
            for _ in range(decision.desired - there):
                self._add(function)
        elif decision.valid and decision.desired < there:
            self._drain(function, there - decision.desired)
        function.counts.append((self.now, function.count))

    def _serve(self, function: StoryFunction) -> Sample:
        ready = function.ready(self.now)
        slots, load = function.policy.slots, function.load(self.now)
        taken = min(load, len(ready) * slots)
        each, more = divmod(taken, max(len(ready), 1))
        for number, one in enumerate(ready):
            one.in_flight = each + (number < more)
        rows = tuple(self._measure(function, number, one, taken) for number, one in enumerate(ready))
        if load > taken:
            function.refused[throttle_reason(rows, function.policy.vcpus)] += load - taken
        return Sample(rows, function.count - len(ready), load - taken)

    def _measure(self, function: StoryFunction, number: int, one: Environment, taken: int) -> EnvironmentSample:
        cpu = None
        if function.cpu_each is not None:
            requests = one.in_flight if not function.skew else taken * (number == 0)
            cpu = min(function.policy.vcpus, requests * function.cpu_each)
        memory = function.memory(self.now) if function.memory else None
        return EnvironmentSample(function.policy.slots, one.in_flight, one.in_flight, cpu, memory)

    def _add(self, function: StoryFunction) -> Environment | None:
        found = place(function.version, function.size, self.hosts(), self.fleet, self.settings)
        if isinstance(found, NoRoom):
            function.no_room.append((self.now, found))
        if isinstance(found, NoRoom) or not function.starts(self.now):
            function.state = launch_failed(function.state, function.policy.settings, self.now)
            return None
        function.state = launch_succeeded(function.state)
        instance = self._launch(found) if isinstance(found, Launch) else found.instance
        self._number += 1
        up_at = max(self.now, instance.launched_at + self.delays.instance_s)
        one = Environment(f"e{self._number}", instance.instance_id, up_at + self.delays.environment_s)
        function.environments.append(one)
        return one

    def _launch(self, launch: Launch) -> ManagedInstance:
        state = InstanceState.PENDING if self.delays.instance_s else InstanceState.RUNNING
        name = f"i-{len(self.launches)}"
        instance = ManagedInstance(name, launch.type, launch.zone, self.now, state)
        self.instances[name] = instance
        self.launches.append((self.now, instance))
        return instance

    def _drain(self, function: StoryFunction, count: int) -> None:
        zones = len(self.fleet.zones)
        chosen = to_drain(function.version, count, self.hosts(leaving=False), self.settings, zones)
        for one in function.environments:
            one.leaving = one.leaving or one.environment_id in chosen

    def _care_for_instances(self) -> None:
        hosts = self.hosts()
        for host in hosts:
            name = host.instance.instance_id
            if host.environments:
                self._empty_since.pop(name, None)
            else:
                self._empty_since.setdefault(name, self.now)
        for name in idle_instances(hosts, self._empty_since, self.now, self.settings):
            self._end(name)
        due = due_for_rotation(self.hosts(), self.now, self.settings)
        if due is not None:
            self._rotate(due)

    def _rotate(self, name: str) -> None:
        self.instances[name] = replace(self.instances[name], state=InstanceState.DRAINING)
        for function in self.functions:
            for old in [one for one in function.environments if one.instance_id == name and one.counts]:
                fresh = self._add(function)
                assert fresh is not None, "no room for what is moved"
                fresh.instead_of = old

    def _end(self, name: str) -> None:
        if self.instances.pop(name, None) is not None:
            self.ended.append((self.now, name))
            self._empty_since.pop(name, None)

    def _check(self) -> None:
        hosts = self.hosts()
        assert sum(host.instance.type.vcpus for host in hosts if host.takes_more) <= self.fleet.max_vcpus
        for host in hosts:
            used = host.used
            assert used.vcpus <= host.instance.type.vcpus - self.settings.reserve_vcpus
            assert used.memory_mib <= host.instance.type.memory_mib - self.settings.reserve_memory_mib


def policy(minimum: int = 3, maximum: int | None = None, target: float = 0.5, **changed: float) -> ScalingPolicy:
    return ScalingPolicy(minimum, maximum, SLOTS, 1.0, target, ScalerSettings(**changed))


def function(load: Callable[[float], int] | int, of: ScalingPolicy | None = None, **more: Any) -> StoryFunction:
    if isinstance(load, int):
        constant = load
        return StoryFunction("f:1", of or policy(), lambda now: constant, **more)
    return StoryFunction("f:1", of or policy(), load, **more)


def story(*functions: StoryFunction, fleet: Fleet = FLEET, delays: LaunchDelays | None = None) -> CapacityStory:
    return CapacityStory(fleet, functions, delays)
