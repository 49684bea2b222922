"""Instances and environments of one function version in virtual time: placed, launched, drained, ended, paid for."""

import heapq
from collections import Counter
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from penstock.model.instances import InstanceType, ManagedInstance
from penstock.placement import (
    Census,
    Host,
    Launch,
    NoRoom,
    Placed,
    idle_instances,
    place_among,
    to_drain,
)
from penstock.simulate.plan import Plan

VERSION: Final = "1"


class _Kind(Enum):
    READY = auto()
    GONE = auto()


class Cluster:
    """`ready`, `starting` and `draining` hold ids of environments in the order in which they became so. An instance is
    paid for from its launch on (assumed: a minute too early at most). None lives so long that it must be replaced.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.hosts: dict[str, Host] = {}
        self.ready: dict[str, None] = {}
        self.starting: dict[str, None] = {}
        self.draining: dict[str, None] = {}
        self._ended: dict[InstanceType, float] = {}
        self._host_of: dict[str, str] = {}
        self._up_at: dict[str, float] = {}
        self._empty_since: dict[str, float] = {}
        self._alike: dict[tuple[InstanceType, int], dict[str, None]] = {}
        self._zones: Counter[str] = Counter()
        self._coming: list[tuple[float, int, _Kind, str]] = []
        self._number = 0
        self.vcpus = 0
        self.usd_per_hour = 0.0

    def grow(self, count: int, now: float, *, at_once: bool = False) -> NoRoom | None:
        """So many more environments, or as many as there is room for. `at_once`: without the delays of launches."""
        for _ in range(count):
            found = place_among(
                VERSION, self._plan.size, self._candidates(), self._census(), self._plan.fleet, self._plan.placement
            )
            if isinstance(found, NoRoom):
                return found
            host = self._launched(found, now, at_once=at_once) if isinstance(found, Launch) else found
            self._put(host, now, at_once=at_once)
        return None

    def shrink(self, count: int, now: float, in_flight: dict[str, int] | None = None) -> tuple[str, ...]:
        """The environments that take no more requests from now on: those that are not there yet first."""
        given_up = list(self.starting)[: -count - 1 : -1]
        for environment in given_up:
            del self.starting[environment]
            self._take_off(environment, now)
        if len(given_up) == count:
            return ()
        partly = {self._host_of[environment] for environment in self.draining}
        hosts = [
            self._serving(host, in_flight) if in_flight or name in partly else host
            for name, host in self.hosts.items()
            if host.environments
        ]
        chosen = to_drain(
            VERSION,
            count - len(given_up),
            hosts,
            self._plan.placement,
            len(self._plan.fleet.zones),
        )
        self._drain(chosen)
        return chosen

    def gone_at(self, environment: str, at: float) -> None:
        """A draining environment has ended its last request by then."""
        self._schedule(at, _Kind.GONE, environment)

    def until(self, now: float) -> tuple[str, ...]:
        """Let happen what is due. The environments that came up, in order."""
        came_up = []
        while self._coming and self._coming[0][0] <= now:
            at, _, kind, environment = heapq.heappop(self._coming)
            if kind is _Kind.READY and environment in self.starting:
                del self.starting[environment]
                self.ready[environment] = None
                came_up.append(environment)
            elif kind is _Kind.GONE and environment in self.draining:
                del self.draining[environment]
                self._take_off(environment, at)
        self._end_idle(now)
        return tuple(came_up)

    @property
    def next_at(self) -> float:
        """When something is due; infinity when nothing is."""
        return self._coming[0][0] if self._coming else float("inf")

    def paid(self, now: float) -> Mapping[InstanceType, float]:
        """Instance seconds until now, by type."""
        seconds = dict(self._ended)
        for host in self.hosts.values():
            _add(seconds, host.instance, now)
        return seconds

    def _candidates(self) -> list[Host]:
        """The longest running of those that are alike."""
        return [self.hosts[next(iter(names))] for names in self._alike.values() if names]

    def _census(self) -> Census:
        counted = len(self.ready) + len(self.starting) + len(self.draining)
        return Census(len(self.hosts), self.vcpus, self._zones, counted)

    def _launched(self, launch: Launch, now: float, *, at_once: bool) -> Host:
        self._number += 1
        name = f"i-{self._number}"
        host = Host(ManagedInstance(name, launch.type, launch.zone, now))
        self._up_at[name] = now if at_once else now + self._plan.settings.delays.instance_s
        self._zones[launch.zone] += 1
        self.vcpus += launch.type.vcpus
        self.usd_per_hour += launch.type.usd_per_hour
        self._keep(host)
        return host

    def _put(self, host: Host, now: float, *, at_once: bool) -> None:
        self._number += 1
        environment, name = f"e-{self._number}", host.instance.instance_id
        self._keep(Host(host.instance, (*host.environments, Placed(environment, VERSION, self._plan.size))))
        self._host_of[environment] = name
        self._empty_since.pop(name, None)
        if at_once:
            self.ready[environment] = None
            return
        self.starting[environment] = None
        up_at = max(now, self._up_at[name]) + self._plan.settings.delays.environment_s
        self._schedule(up_at, _Kind.READY, environment)

    def _schedule(self, at: float, kind: _Kind, environment: str) -> None:
        self._number += 1
        heapq.heappush(self._coming, (at, self._number, kind, environment))

    def _keep(self, host: Host) -> None:
        name = host.instance.instance_id
        before = self.hosts.get(name)
        if before is not None:
            self._alike[before.instance.type, len(before.environments)].pop(name)
        self.hosts[name] = host
        self._alike.setdefault((host.instance.type, len(host.environments)), {})[name] = None

    def _drain(self, environments: tuple[str, ...]) -> None:
        for environment in environments:
            del self.ready[environment]
            self.draining[environment] = None

    def _take_off(self, environment: str, now: float) -> None:
        host = self.hosts[self._host_of.pop(environment)]
        left = tuple(one for one in host.environments if one.environment_id != environment)
        self._keep(Host(host.instance, left))
        if not left:
            self._empty_since[host.instance.instance_id] = now

    def _serving(self, host: Host, in_flight: dict[str, int] | None) -> Host:
        """Only the environments that do not drain already."""
        return Host(
            host.instance,
            tuple(
                one._replace(in_flight=in_flight.get(one.environment_id, 0)) if in_flight else one
                for one in host.environments
                if one.environment_id in self.ready
            ),
        )

    def _end_idle(self, now: float) -> None:
        if not self._empty_since:
            return
        empty = [self.hosts[name] for name in self._empty_since]
        for name in idle_instances(empty, self._empty_since, now, self._plan.placement):
            host = self.hosts.pop(name)
            self._alike[host.instance.type, 0].pop(name)
            del self._empty_since[name], self._up_at[name]
            self._zones[host.instance.zone] -= 1
            self.vcpus -= host.instance.type.vcpus
            self.usd_per_hour -= host.instance.type.usd_per_hour
            _add(self._ended, host.instance, now)


def _add(seconds: dict[InstanceType, float], instance: ManagedInstance, now: float) -> None:
    seconds[instance.type] = seconds.get(instance.type, 0.0) + now - instance.launched_at
