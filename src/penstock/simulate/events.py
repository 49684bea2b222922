"""A run by events: every request, every slot, exactly."""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from penstock.model.throttles import ThrottleReason
from penstock.scaler import EnvironmentSample, Sample
from penstock.simulate.chance import poisson
from penstock.simulate.control import Control
from penstock.simulate.plan import Plan
from penstock.simulate.record import Result
from penstock.simulate.served import Served

_PIECE_S: Final = 1.0
# AWS's SDKs wait a random part of 1, 2, 4, ... seconds, of 20 at most:
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
_LONGEST_WAIT_S: Final = 20.0


def simulate_events(plan: Plan, on_tick: Callable[[float], None] = lambda now: None) -> Result:
    """`on_tick` is told the simulated second after each tick."""
    return _Events(plan).run(on_tick)


class _Events:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._control = Control(plan)
        self._chance = random.Random(plan.settings.seed)
        self._there: dict[str, Served] = {}
        # (moment, number, request's attempt) of arrivals; (moment, number, environment, its stamp) of ends.
        self._arrivals: list[tuple[float, int, int]] = []
        self._ends: list[tuple[float, int, Served, int]] = []
        # The least loaded first, then the longest-serving: as the router chooses.
        self._loads: list[tuple[int, int, Served]] = []
        self._number = 0
        self._requests = 0
        self._failed = 0
        self._refused = Counter[ThrottleReason]()
        self._came = 0
        self._in_flight = 0
        self._most = 0
        self._busy = 0.0
        self._looked = 0.0

    def run(self, on_tick: Callable[[float], None]) -> Result:
        self._control.begin()
        self._come_up(tuple(self._control.cluster.ready), 0.0)
        if not self._plan.settings.cold:
            self._settle()
        now, number = 0.0, 0
        while now < self._plan.seconds:
            number += 1
            end = min(number * self._plan.settings.tick_s, self._plan.seconds)
            self._draw(now, end)
            self._pass(end)
            self._close(end, end - now)
            now = end
            on_tick(now)
        return self._control.result("events", now, self._requests, self._failed)

    def _settle(self) -> None:
        """Warm: requests of the time before are in flight. Each is met at a random moment of its life, the long ones
        more often: of two durations drawn from a thousand, by their length.
        """
        rps, durations = self._plan.traffic.arrivals(0.0, 1.0), self._plan.profile.durations
        drawn = [durations.draw(self._chance) for _ in range(1000)]
        for duration in self._chance.choices(drawn, drawn, k=poisson(rps * durations.mean, self._chance)):
            served = self._least_loaded()
            if served is not None:
                self._take(served, 0.0, duration, duration * self._chance.random())

    def _draw(self, start: float, end: float) -> None:
        """The arrivals of a tick."""
        moment = start
        while moment < end - 1e-9:
            after = min(end, moment + _PIECE_S)
            for _ in range(self._plan.traffic.together(moment, after)):
                self._arrive(moment, 0)
            for _ in range(poisson(self._plan.traffic.arrivals(moment, after), self._chance)):
                self._arrive(moment + (after - moment) * self._chance.random(), 0)
            moment = after

    def _arrive(self, at: float, attempt: int) -> None:
        self._number += 1
        heapq.heappush(self._arrivals, (at, self._number, attempt))

    def _pass(self, end: float) -> None:
        """Everything that happens before `end`, in order; at one moment environments and free slots first."""
        arrivals, ends, cluster = self._arrivals, self._ends, self._control.cluster
        while True:
            up = cluster.next_at
            over = ends[0][0] if ends else end
            arrival = arrivals[0][0] if arrivals else end
            now = min(up, over, arrival)
            if now >= end:
                self._look(end)
                return
            self._look(now)
            if up == now:
                self._come_up(self._control.until(now), now)
            elif over == now:
                _, _, served, stamp = heapq.heappop(ends)
                if served.stamp == stamp:
                    self._end(served, now)
            else:
                self._request(now, heapq.heappop(arrivals)[2])

    def _look(self, now: float) -> None:
        self._busy += self._in_flight * (now - self._looked)
        self._looked = now

    def _come_up(self, environments: tuple[str, ...], now: float) -> None:
        for environment in environments:
            self._number += 1
            served = Served(environment, self._number, self._plan.slots, self._plan.policy.vcpus, now)
            self._there[environment] = served
            heapq.heappush(self._loads, (0, served.order, served))

    def _least_loaded(self) -> Served | None:
        loads = self._loads
        while loads:
            in_flight, _, served = loads[0]
            if served.in_flight == in_flight and not served.draining:
                return served if in_flight < served.slots else None
            heapq.heappop(loads)
        return None

    def _request(self, now: float, attempt: int) -> None:
        self._came += 1
        if not attempt:
            self._requests += 1
        served = self._least_loaded()
        if served is not None:
            self._take(served, now, duration := self._plan.profile.durations.draw(self._chance), duration)
            return
        self._refused[self._control.refusing] += 1
        if attempt + 1 >= self._plan.settings.attempts:
            self._failed += 1
        else:
            self._arrive(now + self._chance.random() * min(_LONGEST_WAIT_S, 2.0**attempt), attempt + 1)

    def _take(self, served: Served, now: float, duration: float, left: float) -> None:
        served.take(now, left, self._plan.profile.cpu_s / duration)
        self._in_flight += 1
        self._most = max(self._most, self._in_flight)
        self._changed(served, now)

    def _end(self, served: Served, now: float) -> None:
        served.end(now)
        self._in_flight -= 1
        self._changed(served, now)

    def _changed(self, served: Served, now: float) -> None:
        self._number += 1
        if served.in_flight:
            heapq.heappush(self._ends, (served.next_end, self._number, served, served.stamp))
        if served.draining:
            self._gone_when_empty(served, now)
        else:
            heapq.heappush(self._loads, (served.in_flight, served.order, served))

    def _gone_when_empty(self, served: Served, now: float) -> None:
        if not served.in_flight:
            self._control.cluster.gone_at(served.environment, now)
            del self._there[served.environment]

    def _samples(self, now: float, seconds: float) -> Iterator[EnvironmentSample]:
        profile, memory_mib = self._plan.profile, self._plan.size.memory_mib
        for served in self._there.values():
            most, cpu = served.sample(now)
            if not served.draining:
                memory = profile.memory(most, memory_mib)
                yield EnvironmentSample(served.slots, served.in_flight, most, cpu / seconds, memory)

    def _close(self, now: float, seconds: float) -> None:
        control = self._control
        rows = tuple(self._samples(now, seconds))
        sample = Sample(rows, len(control.cluster.starting), self._refused.total())
        control.note(
            now,
            seconds,
            requests=self._came,
            refused=self._refused,
            in_flight=self._busy / seconds,
            peak=self._most,
            cpu=sample.cpu or 0.0,
        )
        in_flight = {name: served.in_flight for name, served in self._there.items()}
        for environment in control.decide(sample, now, in_flight):
            served = self._there[environment]
            served.draining = True
            self._gone_when_empty(served, now)
        self._refused = Counter()
        self._came, self._busy, self._most = 0, 0.0, self._in_flight
