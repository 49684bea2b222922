"""A run by rates: no request is followed, so that a million a second cost no more than one.

In flight is rate times duration (Little's law), over the time that requests last. How many are refused when nearly all
slots are in use is Erlang's loss formula: nothing is queued, and the router finds a free slot wherever there is one.
What CPU time is lacking makes requests last longer, and they keep their slots.
"""

import random
from collections import Counter, deque
from collections.abc import Callable
from operator import mul
from typing import Final

from penstock.model.throttles import ThrottleReason
from penstock.simulate.chance import blocked, peak, poisson
from penstock.simulate.control import Control, even_sample
from penstock.simulate.plan import Plan
from penstock.simulate.record import Result

# Of the time that requests last, what may be left out of the count; and no more steps than that are looked back.
_LEFT_OUT: Final = 1e-3
_MOST_STEPS: Final = 4000
# Steps in a tick: short as durations are, they need not be shorter than this.
_SHORTEST_STEP_S: Final = 1.0


def simulate_rates(plan: Plan, on_tick: Callable[[float], None] = lambda now: None) -> Result:
    """`on_tick` is told the simulated second after each tick."""
    return _Rates(plan).run(on_tick)


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
        requests, busy, worked, most, crowd = 0, 0.0, 0.0, 0.0, 0.0
        step = self._step
        moment = start
        while moment < end - 1e-9:
            self._control.until(moment)
            came, turned_away, in_flight, used, at_once = self._one_step(moment, min(step, end - moment))
            requests += came
            refused[self._control.refusing] += turned_away
            busy += in_flight * step
            worked += used
            most, crowd = max(most, in_flight), max(crowd, at_once)
            moment += step
        self._close(end, end - start, requests, +refused, busy, worked, max(crowd, self._peak(most, end - start)))

    def _one_step(self, moment: float, seconds: float) -> tuple[int, int, float, float, float]:
        """Requests that came, that were refused, that were in flight, CPU seconds, and the most at one moment if many
        came together.
        """
        plan, ready = self._plan, len(self._control.cluster.ready)
        slots, capacity = ready * plan.slots, ready * plan.policy.vcpus * seconds
        cpu_s, mean = plan.profile.cpu_s, plan.profile.durations.mean
        still = sum(map(mul, self._taken, self._lasting[1:])) if self._taken else 0.0
        waiting = self._late / cpu_s if cpu_s else 0.0
        came, share = 0, 0.0
        expected = plan.traffic.arrivals(moment, moment + seconds)
        if expected > 0:
            came = poisson(expected, self._chance)
            new = expected * self._lasting[0]
            offered = still + new
            share = max((offered - slots) / new, blocked(offered, slots))
            if cpu_s:
                # Slots become free no faster than there is CPU for.
                room = max(0.0, slots - self._in_flight - waiting) + capacity / cpu_s
                share = max(share, 1 - room / expected)
            share = min(1.0, share)
        turned_away = came if share == 1 else min(came, poisson(came * share, self._chance))
        together = plan.traffic.together(moment, moment + seconds)
        at_once = 0.0
        if together:
            fitting = min(together, max(0, int(slots - still - waiting)))
            turned_away += together - fitting
            at_once = still + waiting + fitting
        taken = came + together - turned_away
        in_flight = self._in_flight = still + taken * self._lasting[0]
        self._taken.appendleft(taken)
        # What the requests in flight would use in this step, if there was CPU enough.
        wanted = in_flight * cpu_s / mean * seconds + self._late
        used = min(wanted, capacity)
        self._late = wanted - used
        self._requests += came + together
        self._refused += turned_away
        return came + together, turned_away, min(slots, in_flight + waiting), used, at_once

    def _peak(self, in_flight: float, seconds: float) -> float:
        return peak(in_flight, seconds / self._plan.profile.durations.mean, self._chance)

    def _close(
        self,
        now: float,
        seconds: float,
        requests: int,
        refused: Counter[ThrottleReason],
        busy: float,
        worked: float,
        most: float,
    ) -> None:
        control, cluster = self._control, self._control.cluster
        slots = len(cluster.ready) * self._plan.slots
        # Who was refused found all slots in use.
        most = slots if refused else min(most, slots)
        in_flight, cpu = busy / seconds, worked / seconds
        sample = even_sample(
            self._plan,
            len(cluster.ready),
            len(cluster.starting),
            refused.total(),
            in_flight=in_flight,
            peak=most,
            cpu=cpu,
        )
        control.note(now, seconds, requests=requests, refused=refused, in_flight=in_flight, peak=round(most), cpu=cpu)
        for environment in control.decide(sample, now):
            cluster.gone_at(environment, now + self._tail)


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
