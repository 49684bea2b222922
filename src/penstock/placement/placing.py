"""Where the next environment goes: on an instance that is there, on one to be launched, or nowhere."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from penstock.model.instances import InstanceType
from penstock.placement.hosts import Host, PlacementSettings, Size, per_instance

# Smaller ones are launched only where nothing else is allowed: AWS's guide named .xlarge as the smallest at first.
_USUAL_VCPUS: Final = 4


@dataclass(frozen=True, slots=True)
class Fleet:
    """What a capacity provider may launch: `types` in order of preference, `zones` of its subnets, vCPUs in all."""

    types: tuple[InstanceType, ...]
    zones: tuple[str, ...]
    max_vcpus: int


class Census(NamedTuple):
    """What there is of instances that take more: how many, their vCPUs, how many in each zone, and how many
    environments of the version in question.
    """

    instances: int
    vcpus: int
    zones: Mapping[str, int]
    environments: int


class Launch(NamedTuple):
    """An instance to be launched for the environment."""

    type: InstanceType
    zone: str


class NoRoom(StrEnum):
    """Why there is no place, in the words of StateReasonCode:
    https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
    """

    VCPU_LIMIT = "CapacityProviderScalingLimitExceeded"
    NO_TYPE = "InsufficientCapacity"


Placement: TypeAlias = Host | Launch | NoRoom


def place(version: str, size: Size, hosts: Sequence[Host], fleet: Fleet, settings: PlacementSettings) -> Placement:
    """The place of one more environment of `version`.

    The first instances are launched one after the other until there are `initial_instances`, or one for each zone; from
    then on room that is there is used before anything is launched. The first environments of a version are spread over
    as many instances; later ones go where least room is left (`assumed`).
    """
    there = [host for host in hosts if host.takes_more]
    census = Census(
        instances=len(there),
        vcpus=sum(host.instance.type.vcpus for host in there),
        zones=Counter(host.instance.zone for host in there),
        environments=sum(host.count(version) for host in there),
    )
    return place_among(version, size, there, census, fleet, settings)


def place_among(
    version: str, size: Size, hosts: Sequence[Host], census: Census, fleet: Fleet, settings: PlacementSettings
) -> Placement:
    """`place` for who keeps count: of hosts that are alike, which are thousands, the first alone need be in `hosts`."""
    first = min(settings.initial_instances, len(fleet.zones))
    if census.instances < first:
        launch = _launch(size, census, fleet, settings)
        if isinstance(launch, Launch):
            return launch
    fitting = [host for host in hosts if host.has_room(size, settings)]
    if not fitting:
        return _launch(size, census, fleet, settings)
    if census.environments < first:
        return min(fitting, key=lambda host: (host.count(version), len(host.environments)))
    return max(fitting, key=lambda host: host.used)


def choose_type(size: Size, types: Sequence[InstanceType], settings: PlacementSettings) -> InstanceType | None:
    """The smallest type from .xlarge up that holds such an environment, of those the one that holds most of them, in
    the order given (`assumed`; m7a.xlarge was seen on AWS for 2 GB and 1 vCPU). None when no type holds one.
    """
    holding = [one for one in types if per_instance(one, size, settings)]
    usual = [one for one in holding if one.vcpus >= _USUAL_VCPUS]
    if usual:
        return min(usual, key=lambda one: (one.vcpus, -per_instance(one, size, settings)))
    return max(holding, key=lambda one: one.vcpus, default=None)


# The same for every launch of a function, out of hundreds of types.
_first_choice = lru_cache(maxsize=64)(choose_type)


def _launch(size: Size, census: Census, fleet: Fleet, settings: PlacementSettings) -> Launch | NoRoom:
    left = fleet.max_vcpus - census.vcpus
    chosen = _first_choice(size, fleet.types, settings)
    if chosen is None:
        return NoRoom.NO_TYPE
    if chosen.vcpus > left:
        chosen = choose_type(size, [one for one in fleet.types if one.vcpus <= left], settings)
        if chosen is None:
            return NoRoom.VCPU_LIMIT
    return Launch(chosen, min(fleet.zones, key=lambda zone: census.zones.get(zone, 0)))
