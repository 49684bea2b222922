"""Functions as the Lambda API shows them. Members and their types are those of botocore's service model:
https://github.com/boto/botocore/blob/develop/botocore/data/lambda/2015-03-31/service-2.json
"""

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from penstock.control_plane.registry import LATEST, Registered
from penstock.model.capacity import CapacityProviderState, VersionState, version_state
from penstock.model.function import CapacityProvider, Cors, Function, FunctionUrlConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"
Shape: TypeAlias = dict[str, Json]

_CPU_METRIC: Final = "LambdaCapacityProviderAverageCPUUtilization"


def function_configuration(registered: Registered, version: str, qualifier: str | None) -> Shape:
    """A FunctionConfiguration without its state: one item of a list.

    `version` is what is shown, `qualifier` what its ARN ends with. Variables are shown as AWS shows them: with values.
    """
    function = registered.function
    shape: Shape = {
        "FunctionName": function.name,
        "FunctionArn": f"{function.arn}:{qualifier}" if qualifier else function.arn,
        "Runtime": function.runtime,
        "Role": function.role,
        "Handler": function.handler,
        "CodeSize": registered.code_size,
        "Description": function.description,
        "Timeout": function.timeout_s,
        "MemorySize": function.memory_mib,
        "LastModified": _lambda_time(registered.last_modified),
        "CodeSha256": registered.code_sha256,
        "Version": version,
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": _revision(registered, version),
        "PackageType": "Zip",
        "Architectures": [function.architecture],
        "EphemeralStorage": {"Size": function.ephemeral_storage_mib},
        "LoggingConfig": _logging(function),
        "CapacityProviderConfig": _capacity_provider_config(function),
    }
    if function.environment:
        shape["Environment"] = {"Variables": dict(function.environment)}
    if function.layers:
        shape["Layers"] = [{"Arn": layer.arn} for layer in function.layers]
    if function.dead_letter_arn:
        shape["DeadLetterConfig"] = {"TargetArn": function.dead_letter_arn}
    return shape


def with_state(configuration: Shape, function: Function) -> Shape:
    """A whole FunctionConfiguration: lists leave the state out.

    `$LATEST` on Managed Instances exists and cannot run, as observed in outputs of AWS's workshop
    "Deep Dive into Lambda Managed Instances". https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
    """
    state = VersionState.ACTIVE_NON_INVOCABLE if configuration["Version"] == LATEST else _state_of(function)
    return configuration | {"State": state, "LastUpdateStatus": "Successful"}


def _state_of(function: Function) -> VersionState:
    """What is served has reached its minimum before."""
    deactivated = function.min_environments == 0 and function.max_environments == 0
    return version_state(deactivated=deactivated, environments=0, reached_minimum=True, failed=False)


def code_location(function: Function) -> Shape:
    """Where the code can be fetched from: AWS gives a signed S3 URL, here it lies on this machine."""
    return {"RepositoryType": "FileSystem", "Location": function.code.absolute().as_uri()}


def alias(registered: Registered, name: str) -> Shape:
    """An AliasConfiguration."""
    function = registered.function
    return {
        "AliasArn": f"{function.arn}:{name}",
        "Name": name,
        "FunctionVersion": function.version,
        "Description": "",
        "RevisionId": _revision(registered, name),
    }


def function_url(registered: Registered, url: str, config: FunctionUrlConfig) -> Shape:
    """A FunctionUrlConfig."""
    function = registered.function
    made = _iso_time(registered.last_modified, "microseconds")
    shape: Shape = {
        "FunctionUrl": url,
        "FunctionArn": f"{function.arn}:{function.alias}" if function.alias else function.arn,
        "AuthType": config.auth_type,
        "CreationTime": made,
        "LastModifiedTime": made,
        "InvokeMode": config.invoke_mode,
    }
    if config.cors:
        shape["Cors"] = _cors(config.cors)
    return shape


def capacity_provider(provider: CapacityProvider, made: float, operator_role: str) -> Shape:
    """A CapacityProvider. `made` in epoch seconds."""
    requirements: Shape = {"Architectures": [provider.architecture]}
    if provider.allowed_instance_types:
        requirements["AllowedInstanceTypes"] = provider.allowed_instance_types
    if provider.excluded_instance_types:
        requirements["ExcludedInstanceTypes"] = provider.excluded_instance_types
    scaling: Shape = {"MaxVCpuCount": provider.max_vcpu_count, "ScalingMode": provider.scaling_mode}
    if provider.target_cpu_utilization is not None:
        policy: Shape = {"PredefinedMetricType": _CPU_METRIC, "TargetValue": provider.target_cpu_utilization}
        scaling["ScalingPolicies"] = [policy]
    return {
        "CapacityProviderArn": provider.arn,
        "State": CapacityProviderState.ACTIVE,
        "VpcConfig": {"SubnetIds": provider.subnet_ids, "SecurityGroupIds": provider.security_group_ids},
        "PermissionsConfig": {"CapacityProviderOperatorRoleArn": operator_role},
        "InstanceRequirements": requirements,
        "CapacityProviderScalingConfig": scaling,
        "LastModified": _iso_time(made, "milliseconds"),
    }


def _logging(function: Function) -> Shape:
    # Managed Instances log in JSON only, and levels default to INFO there.
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    return {
        "LogFormat": "JSON",
        "ApplicationLogLevel": function.log_level or "INFO",
        "SystemLogLevel": "INFO",
        "LogGroup": function.log_group or f"/aws/lambda/{function.name}",
    }


def _capacity_provider_config(function: Function) -> Shape:
    return {
        "LambdaManagedInstancesCapacityProviderConfig": {
            "CapacityProviderArn": function.capacity_provider.arn,
            "PerExecutionEnvironmentMaxConcurrency": function.max_concurrency,
            "ExecutionEnvironmentMemoryGiBPerVCpu": function.memory_gib_per_vcpu,
        }
    }


def _cors(cors: Cors) -> Shape:
    lists = {
        "AllowHeaders": cors.allow_headers,
        "AllowMethods": cors.allow_methods,
        "AllowOrigins": cors.allow_origins,
        "ExposeHeaders": cors.expose_headers,
    }
    shape: Shape = {name: values for name, values in lists.items() if values}
    if cors.max_age is not None:
        shape["MaxAge"] = cors.max_age
    return {"AllowCredentials": cors.allow_credentials} | shape


def _revision(registered: Registered, name: str) -> str:
    """The same for the same content: a UUID, as AWS's are."""
    function = registered.function
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{function.arn}:{name} {registered.code_sha256} {function!r}"))


def _lambda_time(epoch: float) -> str:
    """`2026-11-23T10:20:30.456+0000`: FunctionConfiguration alone writes its time zone so."""
    return _iso_time(epoch, "milliseconds").removesuffix("Z") + "+0000"


def _iso_time(epoch: float, precision: str) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec=precision).removesuffix("+00:00") + "Z"
