"""`decide`: from what is known to how many environments there should be.

Signals are CPU against the vCPU share, slots in use, refusals and memory; the one that wants most wins.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-scaling.html
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil
from typing import NamedTuple

from penstock.scaler.policy import ScalerSettings, ScalingPolicy
from penstock.scaler.sample import Sample


class Reason(StrEnum):
    """What decided."""

    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    CPU = "cpu"
    SLOTS = "slots"
    MEMORY = "memory"
    STABLE = "stable"
    """What was wanted a while ago is kept."""
    SCALE_IN = "scale-in"
    BACK_OFF = "back-off"
    """A launch failed a moment ago."""
    NO_DATA = "no-data"
    DEACTIVATED = "deactivated"


class _Wanted(NamedTuple):
    environments: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class ScalerState:
    """`began`: the first decision with data. `wanted`: moments and counts, falling, of which the first is the most in
    the window. `shrunk_at`: the last step down. `failures` in a row, and until `not_before` nothing is launched.
    """

    began: float | None = None
    wanted: tuple[tuple[float, int], ...] = ()
    shrunk_at: float = float("-inf")
    failures: int = 0
    not_before: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Decision:
    """`desired` environments, those on their way included. Not `valid`: too little is known, leave all as it is."""

    desired: int
    reason: Reason
    state: ScalerState
    valid: bool = True


def decide(policy: ScalingPolicy, state: ScalerState, sample: Sample, now: float) -> Decision:
    """How many environments there should be. `now` in seconds of a clock that never goes back."""
    current = sample.ready + sample.starting
    if policy.deactivated:
        return Decision(0, Reason.DEACTIVATED, ScalerState())
    if not sample.environments:
        if current < policy.minimum:
            return _grown(policy, state, current, _Wanted(policy.minimum, Reason.MINIMUM), now)
        return Decision(current, Reason.NO_DATA, state, valid=False)
    wanted = _bounded(policy, _wanted(policy, sample))
    if policy.maximum is not None and current > policy.maximum:
        return Decision(
            policy.maximum, Reason.MAXIMUM, state
        )  # lowered meanwhile: the user's word, not a matter of load
    state = _remember(policy.settings, state, wanted.environments, now)
    if wanted.environments > current:
        return _grown(policy, state, current, wanted, now)
    if wanted.environments < current:
        return _shrunk(policy, state, current, now)
    return Decision(current, wanted.reason, state)


def launch_failed(state: ScalerState, settings: ScalerSettings, now: float) -> ScalerState:
    """The state after an environment or instance could not be launched. Others that fail while it backs off were
    launched together with it, and count as one.
    """
    if now < state.not_before:
        return state
    wait = min(settings.backoff_most_s, settings.backoff_first_s * 2**state.failures)
    return replace(state, failures=state.failures + 1, not_before=now + wait)


def launch_succeeded(state: ScalerState) -> ScalerState:
    """The state after one came up."""
    return replace(state, failures=0) if state.failures else state


def _wanted(policy: ScalingPolicy, sample: Sample) -> _Wanted:
    """By the signal that asks for most. Sums count, not the worst: one hot environment is no reason for many more."""
    settings = policy.settings
    # Those who were refused would have been in flight as well; how long is not known, so they count at most as much
    # again as what is in flight.
    demand = sample.peak + min(sample.throttles, sample.peak)
    signals = [_Wanted(ceil(demand * settings.slot_headroom / policy.slots), Reason.SLOTS)]
    if sample.cpu is not None:
        target = max(policy.target_cpu, 0.01) * policy.vcpus
        signals.append(_Wanted(ceil(round(sample.cpu / target, 6)), Reason.CPU))
    if sample.memory is not None and sample.memory > settings.memory_high:
        # With one request in each, another environment would hold as much again and make no room.
        signals.append(_Wanted(min(sample.ready + 1, sample.peak), Reason.MEMORY))
    return max(signals, key=lambda one: one.environments)


def _bounded(policy: ScalingPolicy, wanted: _Wanted) -> _Wanted:
    if wanted.environments <= policy.minimum:
        return _Wanted(policy.minimum, Reason.MINIMUM)
    if policy.maximum is not None and wanted.environments > policy.maximum:
        return _Wanted(policy.maximum, Reason.MAXIMUM)
    return wanted


def _remember(settings: ScalerSettings, state: ScalerState, count: int, now: float) -> ScalerState:
    """Only what may still become the most in the window is worth keeping."""
    kept = [(at, other) for at, other in state.wanted if at > now - settings.scale_in_window_s and other > count]
    return replace(state, began=now if state.began is None else state.began, wanted=(*kept, (now, count)))


def _grown(policy: ScalingPolicy, state: ScalerState, current: int, wanted: _Wanted, now: float) -> Decision:
    if now < state.not_before:
        return Decision(current, Reason.BACK_OFF, state)
    most = max(policy.minimum, ceil(current * policy.settings.growth))
    return Decision(min(wanted.environments, most), wanted.reason, state)


def _shrunk(policy: ScalingPolicy, state: ScalerState, current: int, now: float) -> Decision:
    settings = policy.settings
    most = state.wanted[0][1]
    known_for = now - state.began if state.began is not None else 0.0
    if most >= current or known_for < settings.scale_in_window_s or now - state.shrunk_at < settings.scale_in_every_s:
        return Decision(current, Reason.STABLE, state)
    step = max(1, int(current * settings.scale_in_share))
    return Decision(max(most, current - step), Reason.SCALE_IN, replace(state, shrunk_at=now))
