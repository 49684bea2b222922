"""Managed instances: the types there are, with their on-demand price, and one that runs.

Families C, M and R from `.large` up: https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html.
The catalogue is data, `instance_types.csv`: prices of us-east-1, each with its source. `calculator` is AWS's own for
Managed Instances, https://github.com/aws-samples/sample-aws-lambda-managed-instances; `karpenter` is AWS's price list
of 2026-01-19, https://github.com/aws/karpenter-provider-aws (pkg/providers/pricing/zz_generated.pricing_aws.go).
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


@dataclass(frozen=True, slots=True)
class InstanceType:
    """`usd_per_hour` is the on-demand price in us-east-1; `source` says where it is from: `calculator`, `karpenter` or
    `assumed`.
    """

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
    """Every type, in the order in which they are preferred (`assumed`: what was seen on AWS first), sizes ascending."""
    text = resources.files("penstock.model").joinpath("instance_types.csv").read_text()
    return tuple(_instance_type(row) for row in csv.DictReader(text.splitlines()))


def _instance_type(row: dict[str, str]) -> InstanceType:
    return InstanceType(
        name=row["name"],
        vcpus=int(row["vcpus"]),
        memory_mib=int(row["memory_mib"]),
        architecture=Architecture(row["architecture"]),
        usd_per_hour=float(row["price_usd_per_hour"]),
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
