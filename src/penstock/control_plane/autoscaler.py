"""The scaler of one function version, live: samples its environments, decides, and has it carried out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from penstock.control_plane.fleet import Fleet
from penstock.control_plane.scaling_config import ScalingConfig
from penstock.control_plane.usage import UsageWatch
from penstock.environment.environment import Environment
from penstock.model.clock import Clock
from penstock.router import Router
from penstock.scaler import (
    Decision,
    EnvironmentSample,
    Reason,
    Sample,
    ScalerState,
    ScalingPolicy,
    decide,
    launch_failed,
    launch_succeeded,
    throttle_reason,
)

# On AWS everything beyond MaxVCpuCount is refused; here all environments share one machine, so that the default of 400
# vCPUs is no bound at all. Unless the user says another number (assumed).
LOCAL_MAX_ENVIRONMENTS: Final = 32


# The share of /tmp below which an environment counts as short of disk (assumed).
FULL_DISK: Final = 0.01


@dataclass(frozen=True, slots=True)
class ScalingEvent:
    """A function gets more or fewer environments."""

    function: str
    before: int
    after: int
    reason: Reason


class Autoscaler:
    """`on_event` is told of each change."""

    def __init__(
        self,
        fleet: Fleet,
        router: Router,
        policy: ScalingPolicy,
        usage: UsageWatch,
        clock: Clock,
        on_event: Callable[[ScalingEvent], None],
    ) -> None:
        self.fleet = fleet
        self.router = router
        self.policy = policy
        self.last: Decision | None = None
        self._usage = usage
        self._clock = clock
        self._on_event = on_event
        self._state = ScalerState()
        self._refused = 0
        self._before = self._config = ScalingConfig(policy.minimum, fleet.function.max_environments)
        fleet.launched = self._launched

    # --- Scalable ---

    @property
    def state(self) -> str:
        return self.fleet.state.value

    @property
    def applied(self) -> ScalingConfig:
        return self._before if self.requested else self._config

    @property
    def requested(self) -> ScalingConfig | None:
        config, ready = self._config, self.fleet.ready
        reached = ready >= config.minimum and (config.maximum is None or ready <= config.maximum)
        return None if reached else config

    def put(self, config: ScalingConfig) -> None:
        """At once, whether or not the number follows the load otherwise."""
        self._before, self._config = self.applied, config
        self.policy = local_policy(replace(self.policy, minimum=config.minimum, maximum=config.maximum), None)
        wanted = max(self.fleet.wanted, config.minimum)
        self.fleet.scale(wanted if self.policy.maximum is None else min(wanted, self.policy.maximum))

    def sample(self) -> Sample:
        """The environments now. Refusals are those since the last call."""
        refused = self.router.throttles.total()
        throttles, self._refused = refused - self._refused, refused
        environments = tuple(self._look(one, throttles) for one in self.fleet.environments)
        return Sample(environments, self.fleet.coming, throttles)

    def tick(self, now: float) -> None:
        """Decide, and have it done."""
        sample = self.sample()
        disk_full = any(self._has_full_disk(one) for one in self.fleet.environments)
        self.router.refusing = throttle_reason(sample.environments, self.policy.vcpus, disk_full=disk_full)
        self.last = decision = decide(self.policy, self._state, sample, now)
        self._state = decision.state
        before = self.fleet.ready + self.fleet.coming
        if decision.valid and decision.desired != before:
            self._on_event(ScalingEvent(self.fleet.function.logical_id, before, decision.desired, decision.reason))
            self.fleet.scale(decision.desired)

    def _look(self, environment: Environment, throttles: int) -> EnvironmentSample:
        measured = self._usage.of(environment.environment_id)
        in_flight = environment.in_flight
        # Somebody was refused: every slot was in use at that moment.
        peak = max(in_flight, environment.slots) if throttles else in_flight
        if measured is None:
            return EnvironmentSample(environment.slots, in_flight, peak)
        return EnvironmentSample(environment.slots, in_flight, peak, measured.cpu, measured.memory)

    def _has_full_disk(self, environment: Environment) -> bool:
        measured = self._usage.of(environment.environment_id)
        return measured is not None and measured.tmp_free is not None and measured.tmp_free < FULL_DISK

    def _launched(self, worked: bool) -> None:
        if worked:
            self._state = launch_succeeded(self._state)
        else:
            self._state = launch_failed(self._state, self.policy.settings, self._clock.monotonic())


def local_policy(policy: ScalingPolicy, max_environments: int | None) -> ScalingPolicy:
    """The policy on one machine: `max_environments` is the user's word for this run, else the template's bound counts,
    and else `LOCAL_MAX_ENVIRONMENTS`.
    """
    if policy.deactivated:
        return policy
    bound = max_environments or policy.maximum or LOCAL_MAX_ENVIRONMENTS
    return replace(policy, maximum=max(bound, policy.minimum))
