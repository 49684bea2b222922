"""A run by rates: no request is followed, so that a million a second cost no more than one.

In flight is rate times duration (Little's law), over the time that requests last. How many are refused when nearly all
slots are in use is Erlang's loss formula: nothing is queued, and the router finds a free slot wherever there is one.
What CPU time is lacking makes requests last longer, and they keep their slots.
"""

import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from math import floor, sqrt
from operator import mul
from statistics import fmean
from typing import Final, NamedTuple

from penstock.model.throttles import ThrottleReason
from penstock.simulate.chance import blocked, most_of_each, peak, poisson
from penstock.simulate.control import Control, even_sample
from penstock.simulate.plan import Plan
from penstock.simulate.record import Result

# Of the time that requests last, what may be left out of the count; and no more steps than that are looked back.
_LEFT_OUT: Final = 1e-3
_MOST_STEPS: Final = 4000
# The most in flight in a tick is the most of so many independent counts in each mean duration: fitted to single
# requests, with 2 to 100 in flight, fixed and lognormal durations.
_LOOKS: Final = 6.0
# How far above its ends a random walk gets within a step, in standard deviations of a step: Broadie, Glasserman and
# Kou, "A continuity correction for discrete barrier options", 1997.
_BETWEEN: Final = 0.5826
# Steps in a tick: short as durations are, they need not be shorter than this.
_SHORTEST_STEP_S: Final = 1.0


def simulate_rates(plan: Plan, on_tick: Callable[[float], None] = lambda now: None) -> Result:
    """`on_tick` is told the simulated second after each tick."""
    return _Rates(plan).run(on_tick)


class _Step(NamedTuple):
    """`requests` that came, and `in_flight` at the end. `level` is what the most at a time is reckoned from, `at_once`
    the most at the moment when several came together.
    """

    seconds: float
    requests: int
    refused: int
    in_flight: float
    cpu_s: float
    level: float
    at_once: float


class _Rates:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._control = Control(plan)
        self._chance = random.Random(plan.settings.seed)
        tick, mean = plan.settings.tick_s, plan.profile.durations.mean
        self._steps = max(1, min(round(tick / _SHORTEST_STEP_S), round(tick / (mean / 4))))
        self._step = tick / self._steps
        self._lasting = lasting(plan, self._step)
        self._tail = len(self._lasting) * self._step
        self._taken: deque[float] = deque(maxlen=len(self._lasting) - 1)
        self._in_flight = 0.0
        self._late = 0.0
        """CPU seconds that requests in flight wait for."""
        self._requests = 0
        self._refused = 0
        # Then chance makes more of a step's requests fall together at some moment of it than its end shows. Where they
        # last longer, what came by chance in each step is in its count.
        self._fast = mean < self._step

    def run(self, on_tick: Callable[[float], None]) -> Result:
        self._control.begin()
        self._settle()
        now, number = 0.0, 0
        while now < self._plan.seconds:
            number += 1
            end = min(number * self._plan.settings.tick_s, self._plan.seconds)
            self._tick(now, end)
            now = end
            on_tick(now)
        return self._control.result("rates", now, self._requests, self._refused)

    def _settle(self) -> None:
        """Warm: requests of the time before are in flight."""
        if not self._plan.settings.cold:
            before = self._plan.traffic.arrivals(0.0, 1.0) * self._step
            self._taken.extend([before] * len(self._lasting))

    def _tick(self, start: float, end: float) -> None:
        refused: Counter[ThrottleReason] = Counter()
        steps: list[_Step] = []
        moment = start
        while moment < end - 1e-9:
            self._control.until(moment)
            seconds = min(self._step, end - moment)
            step = self._one_step(moment, seconds)
            steps.append(step)
            refused[self._control.refusing] += step.refused
            moment += seconds
        self._close(end, end - start, steps, +refused)

    def _one_step(self, moment: float, seconds: float) -> _Step:
        plan, ready = self._plan, len(self._control.cluster.ready)
        slots, capacity = ready * plan.slots, ready * plan.policy.vcpus * seconds
        cpu_s, mean = plan.profile.cpu_s, plan.profile.durations.mean
        still = sum(map(mul, self._taken, self._lasting[1:])) if self._taken else 0.0
        waiting = self._late / cpu_s if cpu_s else 0.0
        expected = plan.traffic.arrivals(moment, moment + seconds)
        came = poisson(expected, self._chance)
        share = self._refusing(expected, still, waiting, slots, capacity)
        refused = came if share == 1 else min(came, poisson(came * share, self._chance))
        level = still + waiting + expected * (1 - share) * self._lasting[0]
        together = plan.traffic.together(moment, moment + seconds)
        fitting = min(together, max(0, int(slots - still - waiting)))
        at_once = still + waiting + fitting if together else 0.0
        taken = came - refused + fitting
        in_flight = self._in_flight = still + taken * self._lasting[0]
        self._taken.appendleft(taken)
        # What the requests in flight would use in this step, if there was CPU enough.
        wanted = in_flight * cpu_s / mean * seconds + self._late
        used = min(wanted, capacity)
        self._late = wanted - used
        in_flight = min(slots, in_flight + waiting)
        return _Step(
            seconds,
            came + together,
            refused + together - fitting,
            in_flight,
            used,
            level if self._fast else in_flight,
            at_once,
        )

    def _refusing(self, expected: float, still: float, waiting: float, slots: int, capacity: float) -> float:
        """The share of the requests that come one by one that is refused."""
        if expected <= 0:
            return 0.0
        new = expected * self._lasting[0]
        share = max((still + new - slots) / new, blocked(still + new, slots))
        if self._plan.profile.cpu_s:
            # Slots become free no faster than there is CPU for.
            room = max(0.0, slots - self._in_flight - waiting) + capacity / self._plan.profile.cpu_s
            share = max(share, 1 - room / expected)
        return min(1.0, share)

    def _close(self, now: float, seconds: float, steps: Sequence[_Step], refused: Counter[ThrottleReason]) -> None:
        control, cluster = self._control, self._control.cluster
        requests = sum(one.requests for one in steps)
        self._requests += requests
        self._refused += refused.total()
        in_flight = sum(one.in_flight * one.seconds for one in steps) / seconds
        cpu = sum(one.cpu_s for one in steps) / seconds
        most = self._most(steps, seconds, len(cluster.ready) * self._plan.slots, any_refused=bool(refused))
        sample = even_sample(
            self._plan,
            len(cluster.ready),
            len(cluster.starting),
            refused.total(),
            in_flight=in_flight,
            peaks=max(most, self._most_of_each(steps, seconds, len(cluster.ready))),
            cpu=cpu,
        )
        control.note(now, seconds, requests=requests, refused=refused, in_flight=in_flight, peak=round(most), cpu=cpu)
        for environment in control.decide(sample, now):
            cluster.gone_at(environment, now + self._tail)

    def _most_of_each(self, steps: Sequence[_Step], seconds: float, environments: int) -> float:
        """Of what each had at most, the sum: more than the most of all at one moment."""
        durations = seconds / self._plan.profile.durations.mean
        level = max(one.level for one in steps) if self._fast else fmean(one.level for one in steps)
        return most_of_each(level, sqrt(level * min(1.0, durations)), environments, durations)

    def _most(self, steps: Sequence[_Step], seconds: float, slots: int, *, any_refused: bool) -> float:
        """The most in flight at one moment. Who was refused found all slots in use."""
        if any_refused:
            return slots
        if self._fast:
            looks = _LOOKS * seconds / self._plan.profile.durations.mean
            most = peak(max(one.level for one in steps), looks, self._chance)
        else:
            came = fmean(0 if one.at_once else one.requests for one in steps)
            most = floor(max(one.level for one in steps) + _BETWEEN * sqrt(2 * came))
        return min(slots, max(most, *(one.at_once for one in steps)))


def lasting(plan: Plan, step: float) -> list[float]:
    """Of requests that came one by one in a step, the shares in flight at its end, at the end of the next, ..."""
    durations = plan.profile.durations
    mean = durations.mean
    shares: list[float] = []
    before = mean
    while before > _LEFT_OUT * mean and len(shares) < _MOST_STEPS:
        after = durations.beyond((len(shares) + 1) * step)
        shares.append((before - after) / step)
        before = after
    return shares
