"""A run as one JSON object."""

from typing import Final

from penstock.model.function import Function
from penstock.model.throttles import ThrottleReason
from penstock.simulate.cost import MonthlyCost
from penstock.simulate.plan import Plan
from penstock.simulate.record import Result, Tick, thinned
from penstock.simulate.sweep import Row, point_of

_MOST_ROWS: Final = 2000


def as_json(function: Function, plan: Plan, result: Result, costs: list[MonthlyCost], rows: list[Row]) -> object:
    """Times in seconds, prices in USD. `series` has at most 2,000 rows, each of which tells its `seconds`."""
    return {
        "function": function.logical_id,
        "mode": result.mode,
        "seconds": result.seconds,
        "seed": plan.settings.seed,
        "settings": _settings(plan),
        "requests": result.requests,
        "served": result.served,
        "failed": result.failed,
        "throttles": {reason.value: result.throttles[reason] for reason in ThrottleReason},
        "peak": {
            "inFlight": max(one.peak for one in result.ticks),
            "environments": max(one.environments for one in result.ticks),
            "instances": max(one.instances for one in result.ticks),
        },
        "cpuUtilization": round(result.utilization, 4),
        "instanceHours": {one.type.name: round(one.hours, 3) for one in result.instance_hours},
        "limitedBy": result.limited or None,
        "monthlyCost": [_cost(one) for one in costs],
        "series": [_tick(one) for one in thinned(result.ticks, _MOST_ROWS)],
        "sweep": [_row(one, plan) for one in rows] or None,
    }


def _settings(plan: Plan) -> dict[str, object]:
    policy = plan.policy
    return {
        "maxVCpuCount": plan.fleet.max_vcpus,
        "maxConcurrency": policy.slots,
        "targetCpuUtilization": round(policy.target_cpu * 100, 3),
        "minEnvironments": policy.minimum,
        "maxEnvironments": policy.maximum,
        "memoryMiB": plan.size.memory_mib,
        "vcpus": plan.size.vcpus,
        "tickSeconds": plan.settings.tick_s,
        "instanceDelaySeconds": plan.settings.delays.instance_s,
        "environmentDelaySeconds": plan.settings.delays.environment_s,
        "durationMeanSeconds": round(plan.profile.durations.mean, 6),
        "cpuSecondsPerRequest": plan.profile.cpu_s,
    }


def _cost(one: MonthlyCost) -> dict[str, object]:
    return {
        "plan": one.plan.name,
        "managedInstances": {
            "total": round(one.managed.total, 2),
            "instances": round(one.managed.instances, 2),
            "managementFee": round(one.managed.management_fee, 2),
            "requests": round(one.managed.requests, 2),
        },
        "ordinaryLambda": {
            "total": round(one.ordinary.total, 2),
            "compute": round(one.ordinary.compute, 2),
            "requests": round(one.ordinary.requests, 2),
        },
    }


def _tick(one: Tick) -> dict[str, object]:
    return {
        "at": one.at,
        "seconds": one.seconds,
        "rps": round(one.rps, 3),
        "inFlight": round(one.in_flight, 2),
        "peak": one.peak,
        "environments": one.environments,
        "starting": one.starting,
        "slots": one.slots,
        "instances": one.instances,
        "cpu": round(one.cpu, 3),
        "throttles": {
            ThrottleReason.CONCURRENCY.value: one.refused_concurrency,
            ThrottleReason.CPU.value: one.refused_cpu,
            ThrottleReason.MEMORY.value: one.refused_memory,
        },
        "usdPerHour": round(one.usd_per_hour, 4),
        "reason": one.reason,
    }


def _row(row: Row, plan: Plan) -> dict[str, object]:
    return {
        "maxVCpuCount": row.point.max_vcpus,
        "maxConcurrency": row.point.concurrency,
        "targetCpuUtilization": row.point.target_cpu,
        "own": row.point == point_of(plan),
        "monthlyCost": round(row.cost.managed.total, 2),
        "throttles": row.throttles,
        "refused": row.refused,
        "instances": row.most_instances,
        "cpuUtilization": round(row.utilization, 4),
    }
