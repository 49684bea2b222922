"""What is simulated: a function on its capacity provider, the traffic, and every constant of the run."""

from dataclasses import dataclass, field
from typing import Final, Self

from penstock.model.function import Function
from penstock.model.instances import allowed_types, zones_of
from penstock.placement import Fleet, PlacementSettings, Size
from penstock.scaler import LaunchDelays, ScalerSettings, ScalingPolicy, policy_of
from penstock.simulate.profile import Profile
from penstock.simulate.traffic import Traffic

# A template's subnets may be a parameter, which needs no value here: then three zones, as AWS's guide advises.
_ZONES: Final = ("us-east-1a", "us-east-1b", "us-east-1c")


@dataclass(frozen=True, slots=True)
class Settings:
    """`tick_s` from one decision to the next: AWS does not publish its own (assumed). `cold`: begin with the least
    environments, not with as many as the first moment's load wants. `attempts` a client makes at a request that is
    refused, as AWS's SDKs do; only where single requests are followed. `most_events`: above so many requests rates are
    followed instead.
    """

    tick_s: float = 15.0
    delays: LaunchDelays = field(default_factory=LaunchDelays.aws)
    seed: int = 0
    cold: bool = False
    attempts: int = 1
    most_events: int = 200_000


@dataclass(frozen=True, slots=True)
class Plan:
    """`seconds` in all."""

    policy: ScalingPolicy
    fleet: Fleet
    placement: PlacementSettings
    size: Size
    profile: Profile
    traffic: Traffic
    seconds: float
    settings: Settings = field(default_factory=Settings)

    @classmethod
    def of(
        cls, function: Function, traffic: Traffic, profile: Profile, seconds: float, settings: Settings | None = None
    ) -> Self:
        """The template's own numbers."""
        provider = function.capacity_provider
        types = allowed_types(function.architecture, provider.allowed_instance_types, provider.excluded_instance_types)
        zones = zones_of(provider.subnet_ids, "us-east-1") or _ZONES
        return cls(
            policy=policy_of(function, ScalerSettings()),
            fleet=Fleet(types, zones, provider.max_vcpu_count),
            placement=PlacementSettings(),
            size=Size(function.vcpus, function.memory_mib),
            profile=profile,
            traffic=traffic,
            seconds=seconds,
            settings=settings or Settings(),
        )

    @property
    def slots(self) -> int:
        """Of one environment, as far as its memory holds them."""
        return self.profile.slots(self.policy.slots, self.size.memory_mib)

    @property
    def expected_requests(self) -> float:
        return self.traffic.arrivals(0.0, self.seconds) + self.traffic.together(0.0, self.seconds)

    @property
    def by_events(self) -> bool:
        """Whether so few requests are expected that each is followed."""
        return self.expected_requests <= self.settings.most_events

    @property
    def settings_in_words(self) -> str:
        policy = self.policy
        most = "or more" if policy.maximum is None else f"to {policy.maximum}"
        return (
            f"{self.size.memory_mib} MB, {self.size.vcpus:g} vCPU, {policy.slots} slots; "
            f"{policy.minimum} {most} environments; target {policy.target_cpu:.0%} CPU; "
            f"MaxVCpuCount {self.fleet.max_vcpus}"
        )
