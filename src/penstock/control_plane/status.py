"""The state of everything that scales, as plain values: for `penstock status`, and for who watches.

Metrics have AWS's names: https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-monitoring.html.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

from penstock.control_plane.autoscaler import Autoscaler
from penstock.control_plane.instances import Instances, LiveInstance, Seat
from penstock.control_plane.usage import UsageWatch
from penstock.model.capacity import CapacityProviderState
from penstock.model.limits import MIB
from penstock.model.throttles import ThrottleReason

Values: TypeAlias = dict[str, Any]


def snapshot(
    instances: Iterable[Instances], autoscalers: Iterable[Autoscaler], usage: UsageWatch, now: float
) -> Values:
    """JSON-ready. Times in seconds, memory in bytes, CPU in vCPUs unless a name says percent."""
    return {
        "capacityProviders": [_provider(one, usage, now) for one in instances],
        "functions": [_function(one, usage) for one in autoscalers],
    }


def _provider(one: Instances, usage: UsageWatch, now: float) -> Values:
    provider = one.provider
    rows = [_instance(live, usage, now) for live in one.live]
    return {
        "name": provider.name,
        "logicalId": provider.logical_id,
        "state": CapacityProviderState.ACTIVE.value,
        "scalingMode": provider.scaling_mode,
        "targetCpuPercent": provider.target_cpu_utilization,
        "maxVCpuCount": provider.max_vcpu_count,
        "instances": rows,
        "metrics": _provider_metrics(one, rows),
    }


def _provider_metrics(one: Instances, rows: list[Values]) -> Values:
    hosts = one.hosts()
    vcpus = sum(host.instance.type.vcpus for host in hosts)
    memory = sum(host.instance.type.memory_mib for host in hosts) * MIB
    allocated = sum(host.used.vcpus for host in hosts)
    allocated_memory = sum(host.used.memory_mib for host in hosts) * MIB
    seen = [row for instance in rows for row in instance["environments"] if row["cpu"] is not None]
    return {
        "CPUUtilization": _percent(sum(row["cpu"] for row in seen), vcpus),
        "MemoryUtilization": _percent(sum(row["memoryBytes"] for row in seen), memory),
        "vCPUAvailable": vcpus - allocated,
        "vCPUAllocated": allocated,
        "MemoryAvailable": memory - allocated_memory,
        "MemoryAllocated": allocated_memory,
    }


def _instance(live: LiveInstance, usage: UsageWatch, now: float) -> Values:
    instance = live.instance
    return {
        "id": instance.instance_id,
        "type": instance.type.name,
        "zone": instance.zone,
        "state": instance.state.value,
        "ageS": round(now - instance.launched_at, 3),
        "vcpus": instance.type.vcpus,
        "memoryMiB": instance.type.memory_mib,
        "usdPerHour": instance.type.usd_per_hour,
        "environments": [_environment(seat, usage) for seat in live.seats],
    }


def _environment(seat: Seat, usage: UsageWatch) -> Values:
    environment = seat.environment
    measured = usage.of(environment.environment_id) if environment else None
    return {
        "id": environment.environment_id if environment else None,
        "function": seat.version,
        "state": environment.state.value if environment else "starting",
        "slots": environment.slots if environment else 0,
        "slotsUsed": environment.in_flight if environment else 0,
        "vcpus": seat.size.vcpus,
        "cpu": round(measured.cpu, 4) if measured else None,
        "memoryMiB": seat.size.memory_mib,
        "memoryBytes": measured.memory_bytes if measured else None,
    }


def _function(one: Autoscaler, usage: UsageWatch) -> Values:
    fleet, policy, throttles = one.fleet, one.policy, one.router.throttles
    there = fleet.environments
    seen = [found for found in (usage.of(each.environment_id) for each in there) if found is not None]
    metrics: Values = {
        "Throttles": throttles.total(),
        **{reason.value: throttles[reason] for reason in ThrottleReason},
        "ExecutionEnvironmentConcurrency": max((each.in_flight for each in there), default=0),
        "ExecutionEnvironmentConcurrencyLimit": fleet.function.max_concurrency,
        "ExecutionEnvironmentCPUUtilization": _percent(sum(each.cpu for each in seen), policy.vcpus * len(seen)),
        "ExecutionEnvironmentMemoryUtilization": _percent(sum(each.memory for each in seen), len(seen)),
        "ExecutionEnvironmentCount": len(there),
    }
    return {
        "logicalId": fleet.function.logical_id,
        "version": fleet.version,
        "state": fleet.state.value,
        "ready": fleet.ready,
        "coming": fleet.coming,
        "wanted": fleet.wanted,
        "min": policy.minimum,
        "max": policy.maximum,
        "reason": one.last.reason.value if one.last else None,
        "metrics": metrics,
    }


def _percent(part: float, whole: float) -> float | None:
    return round(part / whole * 100, 2) if whole else None
