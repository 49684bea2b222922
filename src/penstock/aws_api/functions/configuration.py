"""FunctionConfiguration: what a caller gives, completed with what Lambda fills in.

Defaults: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html; those of Managed Instances as observed
in outputs of AWS's workshop "Deep Dive into Lambda Managed Instances".
"""

from collections.abc import Mapping
from typing import Any, Final

from penstock.aws_api.functions.errors import invalid, not_offered
from penstock.aws_api.functions.state import Record
from penstock.model.limits import DEFAULT_TIMEOUT_S, MIN_EPHEMERAL_STORAGE_MIB, MIN_MEMORY_MIB

CONFIG: Final = "LambdaManagedInstancesCapacityProviderConfig"
# What CreateFunction and UpdateFunctionConfiguration both set, as it stands.
_PLAIN: Final = ("Role", "Handler", "Description", "Timeout", "MemorySize", "Runtime", "KMSKeyArn", "EphemeralStorage")
# Not on Managed Instances, or nothing that Penstock runs.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
_NOT_OFFERED: Final = {
    "AcceleratorConfig": "accelerators",
    "CodeSigningConfigArn": "code signing",
    "DurableConfig": "durable functions",
    "FileSystemConfigs": "file systems",
    "ImageConfig": "container images",
    "SnapStart": "SnapStart: functions on Managed Instances have none",
    "TenancyConfig": "tenant isolation",
    "VpcConfig": "VpcConfig together with CapacityProviderConfig: the capacity provider has the VPC",
}


def first_configuration(params: Mapping[str, Any]) -> Record:
    """From CreateFunction's parameters. Raises ServiceError for what cannot run here."""
    if params.get("PackageType", "Zip") != "Zip":
        raise not_offered("container images: PackageType must be Zip")
    if not params.get("CapacityProviderConfig"):
        raise not_offered("functions without a CapacityProviderConfig: it runs Managed Instances")
    for name in ("Runtime", "Handler"):
        if not params.get(name):
            raise invalid(f"{name} is mandatory for functions created with deployment packages.")
    config: Record = {
        "Description": "",
        "Timeout": DEFAULT_TIMEOUT_S,
        "MemorySize": MIN_MEMORY_MIB,  # assumed: Lambda's own default is less than Managed Instances take
        "EphemeralStorage": {"Size": MIN_EPHEMERAL_STORAGE_MIB},
        "PackageType": "Zip",
        "Architectures": list(params.get("Architectures") or ["x86_64"]),
        "TracingConfig": {"Mode": "PassThrough"},
    }
    return changed(config, params, str(params["FunctionName"]))


def changed(config: Mapping[str, Any], params: Mapping[str, Any], name: str) -> Record:
    """`config` with what UpdateFunctionConfiguration gives in place of its own."""
    _refuse_not_offered(params)
    new = dict(config)
    for member in _PLAIN:
        if params.get(member) is not None:
            new[member] = params[member]
    if "Environment" in params:
        _replace(new, "Environment", {"Variables": variables} if (variables := _variables(params)) else None)
    if "DeadLetterConfig" in params:
        _replace(new, "DeadLetterConfig", params["DeadLetterConfig"] if _dead_letter(params) else None)
    if "Layers" in params:
        _replace(new, "Layers", [{"Arn": arn} for arn in params["Layers"]])
    if "TracingConfig" in params:
        new["TracingConfig"] = {"Mode": params["TracingConfig"].get("Mode", "PassThrough")}
    new["LoggingConfig"] = _logging(name, {**config.get("LoggingConfig", {}), **params.get("LoggingConfig", {})})
    if params.get("CapacityProviderConfig"):
        new["CapacityProviderConfig"] = {CONFIG: dict(params["CapacityProviderConfig"][CONFIG])}
    return new


def _refuse_not_offered(params: Mapping[str, Any]) -> None:
    for member, what in _NOT_OFFERED.items():
        value = params.get(member)
        if value and not (member == "SnapStart" and value.get("ApplyOn") == "None") and _says_something(value):
            raise not_offered(what)


def _says_something(value: Any) -> bool:
    """An empty VpcConfig, or one of empty lists, says that there is none."""
    return any(value.values()) if isinstance(value, Mapping) else bool(value)


def _variables(params: Mapping[str, Any]) -> dict[str, str]:
    return dict(params["Environment"].get("Variables") or {})


def _dead_letter(params: Mapping[str, Any]) -> bool:
    return bool(params["DeadLetterConfig"].get("TargetArn"))


def _replace(config: Record, member: str, value: Any) -> None:
    if value:
        config[member] = value
    else:
        config.pop(member, None)


def _logging(name: str, given: Mapping[str, Any]) -> Record:
    """Managed Instances log in JSON only, and levels default to INFO there.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    return {
        "LogFormat": "JSON",
        "ApplicationLogLevel": given.get("ApplicationLogLevel") or "INFO",
        "SystemLogLevel": given.get("SystemLogLevel") or "INFO",
        "LogGroup": given.get("LogGroup") or f"/aws/lambda/{name}",
    }
