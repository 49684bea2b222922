"""Whole stories in virtual time: load comes, decisions are carried out with a delay, requests are refused or not."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.scaler import (
    EnvironmentSample,
    Reason,
    Sample,
    ScalerSettings,
    ScalerState,
    ScalingPolicy,
    decide,
    launch_failed,
)

SLOTS = 16
TICK_S = 5.0


@dataclass
class Story:
    """`load(now)` requests are in flight, `cpu_each` vCPUs each; an environment takes `delay_s` to come up."""

    policy: ScalingPolicy
    load: Callable[[float], int]
    delay_s: float = 60.0
    cpu_each: float = 0.01
    launches_work: Callable[[float], bool] = lambda now: True
    state: ScalerState = field(default_factory=ScalerState)
    ready: int = 3
    coming: list[float] = field(default_factory=list)
    refused: int = 0
    counts: list[tuple[float, int]] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    now: float = 0.0

    def run(self, until: float) -> "Story":
        while self.now < until:
            self.now += TICK_S
            self._arrive()
            self._tick()
        return self

    def _arrive(self) -> None:
        self.ready += sum(at <= self.now for at in self.coming)
        self.coming = [at for at in self.coming if at > self.now]

    def _tick(self) -> None:
        load = self.load(self.now)
        taken = min(load, self.ready * SLOTS)
        refused = load - taken
        self.refused += refused
        each, more = divmod(taken, max(self.ready, 1))
        rows = [each + (number < more) for number in range(self.ready)]
        sample = Sample(
            tuple(EnvironmentSample(SLOTS, row, row, min(1.0, row * self.cpu_each)) for row in rows),
            len(self.coming),
            refused,
        )
        decision = decide(self.policy, self.state, sample, self.now)
        self.state = decision.state
        self.reasons.append(decision.reason)
        current = self.ready + len(self.coming)
        if decision.valid and decision.desired > current:
            if self.launches_work(self.now):
                self.coming += [self.now + self.delay_s] * (decision.desired - current)
            else:
                self.state = launch_failed(self.state, self.policy.settings, self.now)
        elif decision.valid and decision.desired < current:
            self.ready -= current - decision.desired
        self.counts.append((self.now, self.ready + len(self.coming)))

    @property
    def most(self) -> int:
        return max(count for _, count in self.counts)

    @property
    def changes(self) -> int:
        return sum(one[1] != other[1] for one, other in pairwise(self.counts))


def policy(minimum: int = 3, maximum: int | None = None, **changed: float) -> ScalingPolicy:
    return ScalingPolicy(minimum, maximum, SLOTS, 1.0, 0.5, ScalerSettings(**changed))


def test_steady_load_changes_nothing() -> None:
    story = Story(policy(), lambda now: 24).run(3600)
    assert (story.changes, story.refused, story.ready) == (0, 0, 3)


def test_load_that_doubles_in_five_minutes_is_never_refused() -> None:
    """What AWS promises of the default headroom, with instances that take a minute."""
    story = Story(policy(), lambda now: round(30 * 2 ** min(now / 300, 4)), ready=3).run(1500)
    assert story.refused == 0
    assert story.ready >= 30


def test_panic() -> None:
    """Ten times the load at one moment: refused for as long as launches take, and then not any more."""
    story = Story(policy(), lambda now: 30 if now <= 600 else 300)
    story.run(600)
    assert story.refused == 0
    story.run(900)
    assert story.refused > 0
    during = story.refused
    story.run(1500)
    assert story.refused == during
    assert story.ready == 29  # 300 x 1.5 / 16


def test_plateau_and_decay() -> None:
    story = Story(policy(), lambda now: 200 if now < 1200 else 20).run(1200)
    assert story.ready == 19
    story.run(1450)
    assert story.ready == 19  # for five minutes what was wanted is kept
    story.run(1700)
    assert 12 < story.ready < 19  # then they go one by one
    story.run(6000)
    assert (story.ready, story.refused) == (3, Story(policy(), lambda now: 200).run(1200).refused)


def test_flapping_load_keeps_what_the_peaks_need() -> None:
    story = Story(policy(), lambda now: 120 if int(now / 60) % 2 else 10).run(600)
    before = story.changes
    story.run(3600)
    assert story.changes == before
    assert story.refused == Story(policy(), lambda now: 120 if int(now / 60) % 2 else 10).run(600).refused


def test_failing_launches_are_tried_ever_more_seldom() -> None:
    tried: list[float] = []

    def fails(now: float) -> bool:
        tried.append(now)
        return False

    Story(policy(), lambda now: 300, launches_work=fails).run(1200)
    gaps = [after - before for before, after in pairwise(tried)]
    assert gaps == sorted(gaps)
    assert gaps[:5] == [5, 10, 20, 40, 80]
    assert len(tried) < 12


def test_at_the_maximum_it_says_so_and_stays() -> None:
    story = Story(policy(maximum=5), lambda now: 1000).run(600)
    assert story.most == 5
    assert story.reasons[-1] is Reason.MAXIMUM


def test_cpu_alone_grows_a_fleet() -> None:
    story = Story(policy(), lambda now: 24, cpu_each=0.1).run(900)
    assert story.ready == 5  # 2.4 vCPUs at half of one each


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 2_000), min_size=1, max_size=40),
    st.integers(1, 6),
    st.none() | st.integers(6, 40),
    st.floats(0, 200),
)
def test_never_beyond_the_bounds(loads: list[int], minimum: int, maximum: int | None, delay: float) -> None:
    story = Story(
        policy(minimum, maximum, scale_in_window_s=30, scale_in_every_s=10),
        lambda now: loads[int(now / 60) % len(loads)],
        delay_s=delay,
        ready=minimum,
    )
    story.run(1800)
    assert all(minimum <= count <= (maximum or 10_000) for _, count in story.counts)
    again = Story(story.policy, lambda now: loads[int(now / 60) % len(loads)], delay_s=delay, ready=minimum).run(1800)
    assert again.counts == story.counts
