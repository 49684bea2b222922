"""How many instances a stated load needs, as AWS's own calculator counts them, before anything runs.

https://github.com/aws-samples/sample-aws-lambda-managed-instances (tools/pricing-calculator/docs)
"""

from dataclasses import dataclass
from math import ceil, floor

from penstock.model.instances import MIB_PER_GIB, InstanceType
from penstock.model.limits import DEFAULT_MEMORY_GIB_PER_VCPU, MIN_MEMORY_MIB
from penstock.placement.hosts import PlacementSettings, Size, per_instance


@dataclass(frozen=True, slots=True)
class Workload:
    """`concurrency` requests at a time, of which each needs `memory_mib` and `vcpus` (0.25: a quarter of one).
    `most_per_vcpu` is the runtime's limit. `headroom`: a spike of a half is absorbed at once.
    """

    concurrency: int
    memory_mib: int
    vcpus: float
    most_per_vcpu: int
    memory_gib_per_vcpu: float = DEFAULT_MEMORY_GIB_PER_VCPU
    headroom: float = 1.5


@dataclass(frozen=True, slots=True)
class Plan:
    """Environments of `size` for the load, and `instances` for these with headroom."""

    size: Size
    environments: int
    instances: int


def plan(workload: Workload, instance: InstanceType, settings: PlacementSettings) -> Plan | None:
    """None when an instance of that type does not hold a single environment."""
    size = environment_size(workload)
    sustained = min(floor(round(1 / workload.vcpus, 9)), workload.most_per_vcpu)
    environments = ceil(workload.concurrency / (max(1, sustained) * size.vcpus))
    each = per_instance(instance, size, settings)
    if not each:
        return None
    instances = max(settings.initial_instances, ceil(ceil(environments / each) * workload.headroom))
    return Plan(size, environments, instances)


def environment_size(workload: Workload) -> Size:
    """Memory for as many requests as fit beside one vCPU, in whole vCPUs with their share of memory."""
    per_vcpu = round(workload.memory_gib_per_vcpu * MIB_PER_GIB)
    at_once = max(1, min(workload.most_per_vcpu, per_vcpu // workload.memory_mib))
    vcpus = ceil(max(MIN_MEMORY_MIB, workload.memory_mib * at_once) / per_vcpu)
    return Size(float(vcpus), vcpus * per_vcpu)
