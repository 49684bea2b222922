"""One round of decisions in virtual time, by the same scaler and placement as `penstock up`'s."""

from collections import Counter
from dataclasses import dataclass
from math import ceil

from penstock.model.throttles import ThrottleReason
from penstock.scaler import (
    Decision,
    EnvironmentSample,
    Sample,
    ScalerState,
    decide,
    launch_failed,
    launch_succeeded,
    throttle_reason,
)
from penstock.simulate.cluster import Cluster
from penstock.simulate.plan import Plan
from penstock.simulate.record import Result, Tick, hours_of


@dataclass(frozen=True, slots=True)
class EvenSample(Sample):
    """`count` environments with the same load, told by their sums: `environments` holds one of them."""

    count: int = 0
    peak_of_all: int = 0

    @property
    def ready(self) -> int:
        return self.count

    @property
    def slots(self) -> int:
        return self.count * self.environments[0].slots

    @property
    def peak(self) -> int:
        return self.peak_of_all

    @property
    def cpu(self) -> float | None:
        used = self.environments[0].cpu
        return None if used is None else used * self.count


def even_sample(
    plan: Plan, count: int, starting: int, throttles: int, *, in_flight: float, peaks: float, cpu: float
) -> Sample:
    """`in_flight`, `peaks` and `cpu` of all together; `peaks` is the sum of the most that each had at some moment."""
    if not count:
        return Sample((), starting, throttles)
    each = min(plan.slots, ceil(round(peaks / count, 6)))
    memory = plan.profile.memory(each, plan.size.memory_mib)
    one = EnvironmentSample(plan.slots, round(in_flight / count), each, cpu / count, memory)
    return EvenSample((one,), starting, throttles, count, min(plan.slots * count, ceil(round(peaks, 6))))


class Control:
    """The environments that there are, and what is decided about them."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.cluster = Cluster(plan)
        self.refusing = ThrottleReason.CONCURRENCY
        self.throttles: Counter[ThrottleReason] = Counter()
        self.ticks: list[Tick] = []
        self._state = ScalerState()
        self._last: Decision | None = None
        self.limited = ""

    def begin(self) -> None:
        """The least environments, or, unless `cold`, as many as keep pace with the first moment's load."""
        cluster, plan = self.cluster, self.plan
        self._grow(plan.policy.minimum, 0.0, at_once=True)
        if plan.settings.cold or plan.policy.deactivated:
            return
        for _ in range(plan.fleet.max_vcpus):  # by each decision at most twice as many
            count = len(cluster.ready)
            wanted = decide(plan.policy, ScalerState(), self._steady(count), 0.0).desired
            if wanted <= count or not self._grow(wanted - count, 0.0, at_once=True):
                return

    def _steady(self, count: int) -> Sample:
        rps = self.plan.traffic.arrivals(0.0, 1.0)
        wanted = rps * self.plan.profile.durations.mean
        slots = count * self.plan.slots
        in_flight = min(wanted, slots)
        cpu = min(rps * self.plan.profile.cpu_s, count * self.plan.policy.vcpus)
        refused = ceil(wanted - slots) if wanted > slots else 0
        return even_sample(self.plan, count, 0, refused, in_flight=in_flight, peaks=in_flight, cpu=cpu)

    def until(self, now: float) -> tuple[str, ...]:
        """Environments that came up."""
        came_up = self.cluster.until(now)
        if came_up:
            self._state = launch_succeeded(self._state)
        return came_up

    def decide(self, sample: Sample, now: float, in_flight: dict[str, int] | None = None) -> tuple[str, ...]:
        """Decide and carry out. The environments that drain from now on."""
        self.refusing = throttle_reason(sample.environments, self.plan.policy.vcpus)
        decision = decide(self.plan.policy, self._state, sample, now)
        self._state, self._last = decision.state, decision
        current = sample.ready + sample.starting
        if not decision.valid or decision.desired == current:
            return ()
        if decision.desired < current:
            return self.cluster.shrink(current - decision.desired, now, in_flight)
        if not self._grow(decision.desired - current, now):
            self._state = launch_failed(self._state, self.plan.policy.settings, now)
        return ()

    def _grow(self, count: int, now: float, *, at_once: bool = False) -> bool:
        """Whether there was room for all."""
        no_room = self.cluster.grow(count, now, at_once=at_once)
        if no_room:
            self.limited = no_room.value
        return not no_room

    def note(
        self,
        now: float,
        seconds: float,
        *,
        requests: int,
        refused: Counter[ThrottleReason],
        in_flight: float,
        peak: int,
        cpu: float,
    ) -> None:
        """A row of the report, as it was before the next decision."""
        cluster = self.cluster
        self.throttles += refused
        self.ticks.append(
            Tick(
                at=now,
                seconds=seconds,
                requests=requests,
                refused_concurrency=refused[ThrottleReason.CONCURRENCY],
                refused_cpu=refused[ThrottleReason.CPU],
                refused_memory=refused[ThrottleReason.MEMORY],
                in_flight=in_flight,
                peak=peak,
                environments=len(cluster.ready),
                starting=len(cluster.starting),
                slots=len(cluster.ready) * self.plan.slots,
                cpu=cpu,
                instances=len(cluster.hosts),
                vcpus=len(cluster.ready) * self.plan.policy.vcpus,
                usd_per_hour=cluster.usd_per_hour,
                reason=self._last.reason.value if self._last else "",
            )
        )

    def result(self, mode: str, now: float, requests: int, failed: int) -> Result:
        return Result(
            mode=mode,
            seconds=now,
            requests=requests,
            failed=failed,
            throttles=self.throttles,
            instance_hours=hours_of(self.cluster.paid(now)),
            ticks=tuple(self.ticks),
            limited=self.limited,
        )
