"""What the user asked of scaling, and every constant it needs.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-scaling.html
"""

from dataclasses import dataclass
from typing import Self

from penstock.model.function import Function


@dataclass(frozen=True, slots=True)
class ScalerSettings:
    """`auto_target_cpu`: AWS chooses in Auto; growth was seen from 40 % on and 70 % under steady load, so something
    between (`assumed`). `slot_headroom`: 1.5, of AWS's own calculator, a spike of a half is absorbed at once
    (https://github.com/aws-samples/sample-aws-lambda-managed-instances). `memory_high`: of an environment's memory, on
    average, from where on one more is wanted (`assumed`).

    `growth`: at most so many times as many environments by one decision (`assumed`). Shrinking is slow on AWS, the
    numbers are `assumed`: what was wanted at any moment of `scale_in_window_s` is kept, and then `scale_in_share` of
    the environments go, one at least, every `scale_in_every_s`.

    A launch that fails is tried again after `backoff_first_s`, twice as late each time, up to `backoff_most_s`
    (`assumed`).
    """

    auto_target_cpu: float = 0.5
    slot_headroom: float = 1.5
    memory_high: float = 0.9
    growth: float = 2.0
    scale_in_window_s: float = 300.0
    scale_in_every_s: float = 60.0
    scale_in_share: float = 0.1
    backoff_first_s: float = 5.0
    backoff_most_s: float = 300.0


@dataclass(frozen=True, slots=True)
class LaunchDelays:
    """Seconds until an instance, and then an environment on it, is there."""

    instance_s: float = 0.0
    environment_s: float = 0.0

    @classmethod
    def none(cls) -> Self:
        """On one's own machine: as fast as it can."""
        return cls()

    @classmethod
    def aws(cls) -> Self:
        """New instances take one to two minutes (third parties' measurements); the environment's part is `assumed`."""
        return cls(90.0, 5.0)


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """For one function version. `target_cpu` from 0 to 1 of an environment's vCPUs; `maximum` None is no bound."""

    minimum: int
    maximum: int | None
    slots: int
    vcpus: float
    target_cpu: float
    settings: ScalerSettings = ScalerSettings()

    @property
    def deactivated(self) -> bool:
        """Both 0: no capacity, until the user says otherwise."""
        return self.minimum == 0 and self.maximum == 0


def policy_of(function: Function, settings: ScalerSettings | None = None) -> ScalingPolicy:
    """The policy that a function and its capacity provider state."""
    settings = settings or ScalerSettings()
    target = function.capacity_provider.target_cpu_utilization
    return ScalingPolicy(
        function.min_environments,
        function.max_environments,
        function.max_concurrency,
        function.vcpus,
        settings.auto_target_cpu if target is None else target / 100,
        settings,
    )
