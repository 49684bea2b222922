"""One decision at a time."""

import pytest

from penstock.model.throttles import ThrottleReason
from penstock.scaler import (
    EnvironmentSample,
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

SLOTS = 16


def policy(minimum: int = 3, maximum: int | None = None, target: float = 0.5) -> ScalingPolicy:
    return ScalingPolicy(minimum, maximum, SLOTS, 1.0, target)


def sample(*in_flight: int, cpu: float | None = None, starting: int = 0, throttles: int = 0) -> Sample:
    return Sample(tuple(EnvironmentSample(SLOTS, one, one, cpu) for one in in_flight), starting, throttles)


def desired(found: Sample, of: ScalingPolicy | None = None) -> tuple[int, Reason]:
    decision = decide(of or policy(), ScalerState(), found, 0.0)
    assert decision.valid
    return decision.desired, decision.reason


def full_and(*memory: float) -> tuple[EnvironmentSample, ...]:
    return tuple(EnvironmentSample(SLOTS, 2, 2, 0.1, one) for one in memory)


def test_little_to_do_keeps_the_minimum() -> None:
    assert desired(sample(0, 1, 0)) == (3, Reason.MINIMUM)


def test_slots_have_headroom_for_half_as_much_again() -> None:
    """44 in flight and half as many more are 66: five environments of 16."""
    assert desired(sample(15, 15, 14)) == (5, Reason.SLOTS)
    assert desired(sample(11, 11, 10)) == (3, Reason.MINIMUM)


def test_refusals_count_at_most_as_much_as_what_is_in_flight() -> None:
    assert desired(sample(16, 16, 16, throttles=8)) == (6, Reason.SLOTS)
    assert desired(sample(16, 16, 16, throttles=10_000)) == (6, Reason.SLOTS)  # by one decision not more than twice


def test_refusals_do_not_add_up_without_end() -> None:
    """However often the same caller tried: never more than for twice of what is in flight."""
    of = ScalingPolicy(3, None, SLOTS, 1.0, 0.5, ScalerSettings(growth=100.0))
    assert desired(sample(16, 16, 16, throttles=48), of) == (9, Reason.SLOTS)
    assert desired(sample(16, 16, 16, throttles=10_000), of) == (9, Reason.SLOTS)


def test_a_step_down_ends_at_what_was_wanted() -> None:
    """A tenth of forty is four, but only two are too many."""
    state = ScalerState(began=0.0, wanted=((700.0, 38),))
    decision = decide(policy(), state, sample(*[0] * 40), 900.0)
    assert (decision.desired, decision.reason) == (38, Reason.SCALE_IN)
    lower = decide(policy(), ScalerState(began=0.0, wanted=((700.0, 20),)), sample(*[0] * 40), 900.0)
    assert (lower.desired, lower.state.shrunk_at) == (36, 900.0)


def test_cpu_is_held_against_the_share_of_all() -> None:
    assert desired(sample(1, 1, 1, cpu=0.9)) == (6, Reason.CPU)  # 2.7 vCPUs at half of one each
    assert desired(sample(1, 1, 1, cpu=0.9), policy(target=0.9)) == (3, Reason.MINIMUM)


def test_one_hot_environment_is_no_reason_for_many() -> None:
    hot = Sample((EnvironmentSample(16, 1, 1, 1.0), EnvironmentSample(16, 0, 0, 0.0), EnvironmentSample(16, 0, 0, 0.0)))
    assert desired(hot) == (3, Reason.MINIMUM)


def test_memory_asks_for_one_more() -> None:
    full = Sample(tuple(EnvironmentSample(16, 2, 2, 0.1, 0.95) for _ in range(3)))
    assert desired(full) == (4, Reason.MEMORY)


@pytest.mark.parametrize("peak", [0, 1])
def test_memory_that_no_other_environment_can_relieve_asks_for_none(peak: int) -> None:
    full = Sample(tuple(EnvironmentSample(16, peak, peak, 0.1, 0.95) for _ in range(3)))
    assert desired(full) == (3, Reason.MINIMUM)


def test_memory_counts_on_average_over_those_that_were_measured() -> None:
    assert desired(Sample(full_and(0.99, 0.99, 0.7))) == (3, Reason.MINIMUM)
    unmeasured = Sample((*full_and(0.95, 0.95), EnvironmentSample(16, 2, 2, 0.1, None)))
    assert desired(unmeasured) == (4, Reason.MEMORY)


def test_beyond_the_maximum_the_rest_goes_at_once() -> None:
    state = ScalerState(began=0.0, wanted=((0.0, 9),))
    decision = decide(policy(maximum=4), state, sample(16, 16, 16, 16, 16, 16, starting=1), 1.0)
    assert (decision.desired, decision.reason, decision.state) == (4, Reason.MAXIMUM, state)


def test_failures_of_one_round_are_one_failure() -> None:
    settings = ScalerSettings()
    once = launch_failed(ScalerState(), settings, 100.0)
    assert launch_failed(once, settings, 100.0) == launch_failed(once, settings, 104.9) == once
    assert launch_failed(once, settings, 105.0).failures == 2


def test_what_is_on_its_way_counts() -> None:
    decision = decide(policy(), ScalerState(), sample(16, 16, 16, starting=3), 0.0)
    assert decision.desired == 6


def test_bounds() -> None:
    assert desired(sample(16, 16, 16), policy(maximum=4)) == (4, Reason.MAXIMUM)
    assert desired(sample(0, 0), policy(minimum=5)) == (5, Reason.MINIMUM)


def test_no_data_is_not_zero() -> None:
    state = ScalerState(began=0.0)
    decision = decide(policy(), state, Sample((), starting=3), 0.0)
    assert (decision.valid, decision.desired, decision.state) == (False, 3, state)
    assert desired(Sample(())) == (3, Reason.MINIMUM)  # nothing there and nothing coming


def test_deactivated() -> None:
    decision = decide(policy(0, 0), ScalerState(), sample(3), 0.0)
    assert (decision.desired, decision.reason) == (0, Reason.DEACTIVATED)


def test_a_failed_launch_backs_off_and_one_that_works_forgets_it() -> None:
    settings = ScalerSettings()
    state = launch_failed(ScalerState(), settings, 100.0)
    assert decide(policy(), state, sample(16, 16, 16), 104.9).reason is Reason.BACK_OFF
    assert decide(policy(), state, sample(16, 16, 16), 105.0).desired == 5
    again = launch_failed(state, settings, 105.0)
    assert again.not_before == 115.0
    for _ in range(20):
        at = again.not_before
        again = launch_failed(again, settings, at)
    assert again.not_before == at + settings.backoff_most_s
    at = again.not_before
    assert launch_failed(launch_succeeded(again), settings, at).not_before == at + settings.backoff_first_s


@pytest.mark.parametrize(
    ("cpu", "memory", "disk_full", "reason"),
    [
        (0.2, 0.2, False, ThrottleReason.CONCURRENCY),
        (0.97, 0.2, False, ThrottleReason.CPU),
        (0.97, 0.97, False, ThrottleReason.MEMORY),
        (0.97, 0.97, True, ThrottleReason.DISK),
        (None, None, False, ThrottleReason.CONCURRENCY),
    ],
)
def test_a_refusal_has_one_reason(
    cpu: float | None, memory: float | None, disk_full: bool, reason: ThrottleReason
) -> None:
    there = [EnvironmentSample(16, 16, 16, cpu, memory)] * 2 + [EnvironmentSample(16, 16, 16, 0.1, 0.1)]
    assert throttle_reason(there, 1.0, disk_full=disk_full) is reason


def test_nobody_there_is_a_matter_of_concurrency() -> None:
    assert throttle_reason([], 1.0) is ThrottleReason.CONCURRENCY
