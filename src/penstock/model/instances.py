"""Managed instances: the types there are, with their on-demand price, and one that runs.

Families C, M and R from `.large` up: https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html.
The catalogue is data, `instance_families.csv`: prices of us-east-1, each with its source; sizes of a family cost what
their vCPUs do.
"""

import csv
import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import Final

from penstock.model.function import Architecture

MIB_PER_GIB: Final = 1024
# vCPUs by size: https://aws.amazon.com/ec2/instance-types/
_SIZES: Final = {
    "large": 2,
    "xlarge": 4,
    "2xlarge": 8,
    "4xlarge": 16,
    "8xlarge": 32,
    "12xlarge": 48,
    "16xlarge": 64,
    "24xlarge": 96,
    "32xlarge": 128,
    "48xlarge": 192,
}
_XLARGE_VCPUS: Final = 4


@dataclass(frozen=True, slots=True)
class InstanceType:
    """`usd_per_hour` is the on-demand price in us-east-1; `source` says where it is from."""

    name: str
    vcpus: int
    memory_mib: int
    architecture: Architecture
    usd_per_hour: float
    source: str = "assumed"

    @property
    def family(self) -> str:
        """Such as `m7g`."""
        return self.name.partition(".")[0]


class InstanceState(StrEnum):
    """In EC2's words; `draining` is the platform's: no new environment is placed there."""

    PENDING = "pending"
    RUNNING = "running"
    DRAINING = "draining"
    SHUTTING_DOWN = "shutting-down"


@dataclass(frozen=True, slots=True)
class ManagedInstance:
    """`launched_at` in seconds of whatever clock its owner counts by."""

    instance_id: str
    type: InstanceType
    zone: str
    launched_at: float
    state: InstanceState = InstanceState.RUNNING


@lru_cache(maxsize=1)
def catalogue() -> tuple[InstanceType, ...]:
    """Every type, families in the order in which they are preferred (`assumed`: newest first, as seen on AWS)."""
    text = resources.files("penstock.model").joinpath("instance_families.csv").read_text()
    return tuple(instance for row in csv.DictReader(text.splitlines()) for instance in _sizes(row))


def _sizes(row: dict[str, str]) -> Iterable[InstanceType]:
    for size, vcpus in _SIZES.items():
        if vcpus <= int(row["largest_vcpus"]):
            yield InstanceType(
                name=f"{row['family']}.{size}",
                vcpus=vcpus,
                memory_mib=int(row["memory_gib_per_vcpu"]) * vcpus * MIB_PER_GIB,
                architecture=Architecture(row["architecture"]),
                usd_per_hour=round(float(row["xlarge_usd_per_hour"]) * vcpus / _XLARGE_VCPUS, 6),
                source=row["source"],
            )


def find(name: str) -> InstanceType | None:
    """The type called `name`."""
    return next((one for one in catalogue() if one.name == name), None)


def allowed_types(
    architecture: Architecture, allowed: Iterable[str] = (), excluded: Iterable[str] = ()
) -> tuple[InstanceType, ...]:
    """The types a capacity provider may launch, in order of preference. Patterns may hold `*`.

    https://docs.aws.amazon.com/lambda/latest/api/API_InstanceRequirements.html
    """
    patterns, without = tuple(allowed), tuple(excluded)
    return tuple(
        one
        for one in catalogue()
        if one.architecture is architecture
        and (not patterns or _matches(one.name, patterns))
        and not _matches(one.name, without)
    )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def zones_of(subnet_ids: Iterable[str], region: str) -> tuple[str, ...]:
    """The Availability Zones of subnets, each once. Which zone a subnet is in cannot be known here: they take turns, in
    the order given (`assumed`).
    """
    return tuple(dict.fromkeys(f"{region}{'abcdef'[number % 6]}" for number, _ in enumerate(subnet_ids)))
