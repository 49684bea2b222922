"""AWS::Lambda::CapacityProvider resources to CapacityProvider values."""

import re
from typing import Final

from penstock.model.function import Architecture, CapacityProvider
from penstock.model.limits import DEFAULT_MAX_VCPU, MAX_MAX_VCPU, MIN_MAX_VCPU
from penstock.template.intrinsics import Resolver
from penstock.template.physical import CAPACITY_PROVIDER, Resources
from penstock.template.properties import Path, Properties
from penstock.template.source import Source

# botocore's service model lambda/2015-03-31 (CapacityProviderVpcConfig, InstanceRequirements).
_SUBNET: Final = re.compile(r"subnet-[0-9a-z]*")
_SECURITY_GROUP: Final = re.compile(r"sg-[0-9a-zA-Z]*")
_INSTANCE_TYPE: Final = re.compile(r"[a-zA-Z0-9.*-]{1,30}")
_MAX_SUBNETS: Final = 16
_MAX_SECURITY_GROUPS: Final = 5
_MAX_INSTANCE_TYPES: Final = 400
_CPU_METRIC: Final = "LambdaCapacityProviderAverageCPUUtilization"

_SCALING: Final = "CapacityProviderScalingConfig"
# How SAM names what the transform renames.
_SAM_NAMES: Final[dict[Path, Path]] = {
    (_SCALING,): ("ScalingConfig",),
    (_SCALING, "ScalingPolicies"): ("ScalingConfig", "AverageCPUUtilization"),
    (_SCALING, "ScalingPolicies", 0, "TargetValue"): ("ScalingConfig", "AverageCPUUtilization"),
    ("InstanceRequirements", "AllowedInstanceTypes"): ("InstanceRequirements", "AllowedTypes"),
    ("InstanceRequirements", "ExcludedInstanceTypes"): ("InstanceRequirements", "ExcludedTypes"),
}


def read_capacity_providers(source: Source, resources: Resources, resolver: Resolver) -> dict[str, CapacityProvider]:
    """Every capacity provider of the template by its ARN."""
    providers = {}
    for logical_id, values in resources.of_type(CAPACITY_PROVIDER).items():
        serverless = str(source.get("Resources", logical_id, "Type")).startswith("AWS::Serverless::")
        properties = Properties(logical_id, values, source, resolver, _SAM_NAMES if serverless else {})
        provider = read_capacity_provider(properties, resources.name(logical_id), resources.arn(logical_id))
        providers[provider.arn] = provider
    return providers


def read_capacity_provider(properties: Properties, name: str, arn: str) -> CapacityProvider:
    """From the properties of one. Raises UserError."""
    scaling_mode = properties.choice(_SCALING, "ScalingMode", allowed=("Auto", "Manual")) or "Auto"
    target = _target_cpu(properties)
    if scaling_mode == "Manual" and target is None:
        raise properties.error((_SCALING, "ScalingPolicies"), "is missing: ScalingMode Manual needs a policy")
    allowed = _instance_types(properties, "AllowedInstanceTypes")
    excluded = _instance_types(properties, "ExcludedInstanceTypes")
    if allowed and excluded:
        path = ("InstanceRequirements", "ExcludedInstanceTypes")
        raise properties.error(path, "cannot stand together with allowed instance types")
    return CapacityProvider(
        logical_id=properties.owner,
        name=name,
        arn=arn,
        architecture=read_architecture(properties, "InstanceRequirements", "Architectures"),
        subnet_ids=_ids(properties, "SubnetIds", _SUBNET, 1, _MAX_SUBNETS),
        security_group_ids=_ids(properties, "SecurityGroupIds", _SECURITY_GROUP, 0, _MAX_SECURITY_GROUPS),
        max_vcpu_count=properties.integer(_SCALING, "MaxVCpuCount", low=MIN_MAX_VCPU, high=MAX_MAX_VCPU)
        or DEFAULT_MAX_VCPU,
        scaling_mode=scaling_mode,
        target_cpu_utilization=target if scaling_mode == "Manual" else None,
        allowed_instance_types=allowed,
        excluded_instance_types=excluded,
    )


def read_architecture(properties: Properties, *path: str) -> Architecture:
    """The one architecture of an Architectures list; x86_64 when there is none."""
    names = properties.texts(*path)
    allowed = tuple(item.value for item in Architecture)
    if not names:
        return Architecture.X86_64
    if len(names) > 1 or names[0] not in allowed:
        raise properties.bad_value(path, ", ".join(names), f"allowed: one of {', '.join(allowed)}")
    return Architecture(names[0])


def _target_cpu(properties: Properties) -> float | None:
    path: Path = (_SCALING, "ScalingPolicies")
    policies = properties.get(*path)
    if policies is None:
        return None
    metric = properties.text(*path, 0, "PredefinedMetricType")
    if not isinstance(policies, list) or len(policies) != 1 or metric != _CPU_METRIC:
        raise properties.error(path, f"must be a list of one policy for {_CPU_METRIC}")
    return properties.number(*path, 0, "TargetValue", low=0, high=100)


def _ids(properties: Properties, name: str, pattern: re.Pattern[str], low: int, high: int) -> tuple[str, ...]:
    path = ("VpcConfig", name)
    items = properties.texts(*path)
    if not low <= len(items) <= high:
        raise properties.error(path, f"has {len(items)} items; allowed: {low} to {high}")
    for item in items:
        if not pattern.fullmatch(item):
            raise properties.bad_value(path, item, f"it must match {pattern.pattern}")
    return items


def _instance_types(properties: Properties, name: str) -> tuple[str, ...]:
    path = ("InstanceRequirements", name)
    items = properties.texts(*path)
    if len(items) > _MAX_INSTANCE_TYPES:
        raise properties.error(path, f"has {len(items)} items; allowed: 0 to {_MAX_INSTANCE_TYPES}")
    for item in items:
        if not _INSTANCE_TYPE.fullmatch(item):
            raise properties.bad_value(path, item, f"it must match {_INSTANCE_TYPE.pattern}")
    return items
