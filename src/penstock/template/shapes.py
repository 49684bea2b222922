"""Which names a template may use where: a misspelt property must not pass in silence.

The transform checks the names of SAM's own first level; these tables hold what it passes on unread, and plain
CloudFormation. Only what Penstock reads has a shape; other resource types are not its business.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from penstock.model.errors import UserError
from penstock.template.hints import did_you_mean, words
from penstock.template.physical import (
    ALIAS,
    CAPACITY_PROVIDER,
    EVENT_INVOKE_CONFIG,
    FUNCTION,
    LAYER_VERSION,
    URL,
    VERSION,
)
from penstock.template.source import PathInFile, Source, Value

Shape: TypeAlias = "Mapping[str, Shape | None]"


def _names(text: str) -> "dict[str, Shape | None]":
    return dict.fromkeys(text.split())


# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html, Globals from SAM
_SECTIONS: Final = words(
    "AWSTemplateFormatVersion Conditions Description Globals Hooks Mappings Metadata Outputs "
    "Parameters Resources Rules Transform"
)
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-product-attribute-reference.html,
# Connectors and IgnoreGlobals from SAM
_RESOURCE_ATTRIBUTES: Final = words(
    "Condition Connectors CreationPolicy DeletionPolicy DependsOn IgnoreGlobals Metadata "
    "Properties Type UpdatePolicy UpdateReplacePolicy"
)
_OUTPUT_ATTRIBUTES: Final = frozenset(("Condition", "Description", "Export", "Value"))

_CORS = _names("AllowCredentials AllowHeaders AllowMethods AllowOrigins ExposeHeaders MaxAge")
_VPC_CONFIG = _names("Ipv6AllowedForDualStack SecurityGroupIds SubnetIds")
_SCALING = _names("MaxExecutionEnvironments MinExecutionEnvironments")
_PROVIDER_LOGGING = _names("LogGroup SystemLogLevel")
_CONTENT = _names("S3Bucket S3Key S3ObjectStorageMode S3ObjectVersion")

# What both forms of a function hold.
_FUNCTION_COMMON: Final[Shape] = {
    "Environment": _names("Variables"),
    "EphemeralStorage": _names("Size"),
    "FunctionScalingConfig": _SCALING,
    "LoggingConfig": _names("ApplicationLogLevel LogFormat LogGroup SystemLogLevel"),
    "VpcConfig": _VPC_CONFIG,
}
# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
_SAM_FUNCTION: Final[Shape] = {
    **_FUNCTION_COMMON,
    "CapacityProviderConfig": _names("Arn ExecutionEnvironmentMemoryGiBPerVCpu PerExecutionEnvironmentMaxConcurrency"),
    "CodeUri": _names("Bucket Key StorageMode Version"),
    "DeadLetterQueue": _names("TargetArn Type"),
    "EventInvokeConfig": {
        **_names("MaximumEventAgeInSeconds MaximumRetryAttempts"),
        "DestinationConfig": dict.fromkeys(("OnFailure", "OnSuccess"), _names("Destination Type")),
    },
    "FunctionUrlConfig": {**_names("AuthType InvokeMode"), "Cors": _CORS},
}
# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-capacityprovider.html
_SAM_CAPACITY_PROVIDER: Final[Shape] = {
    "InstanceRequirements": _names("AllowedTypes Architectures ExcludedTypes"),
    "LoggingConfig": _PROVIDER_LOGGING,
    "ManagedResourceTags": _names("Tags"),
    "ScalingConfig": _names("AverageCPUUtilization MaxVCpuCount"),
    "VpcConfig": _names("SecurityGroupIds SubnetIds"),
}
# SAM's first level is the transform's to check; here a name without a shape passes.
_SAM: Final[Mapping[str, Shape]] = {
    "AWS::Serverless::Function": _SAM_FUNCTION,
    "AWS::Serverless::CapacityProvider": _SAM_CAPACITY_PROVIDER,
    "AWS::Serverless::LayerVersion": {"ContentUri": _names("Bucket Key StorageMode Version")},
}
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Lambda.html
_CLOUDFORMATION: Final[Mapping[str, Shape]] = {
    FUNCTION: {
        **_names(
            "Architectures CodeSigningConfigArn Description DurableConfig FileSystemConfigs "
            "FunctionName Handler ImageConfig KmsKeyArn Layers MemorySize PackageType PublishToLatestPublished "
            "RecursiveLoop ReservedConcurrentExecutions Role Runtime RuntimeManagementConfig SnapStart Tags "
            "TenancyConfig Timeout TracingConfig"
        ),
        **_FUNCTION_COMMON,
        "CapacityProviderConfig": {
            "LambdaManagedInstancesCapacityProviderConfig": _names(
                "CapacityProviderArn ExecutionEnvironmentMemoryGiBPerVCpu PerExecutionEnvironmentMaxConcurrency"
            )
        },
        "Code": {**_CONTENT, **_names("ImageUri SourceKMSKeyArn ZipFile")},
        "DeadLetterConfig": _names("TargetArn"),
    },
    VERSION: {
        **_names("CodeSha256 Description FunctionName ProvisionedConcurrencyConfig RuntimePolicy"),
        "FunctionScalingConfig": _SCALING,
    },
    ALIAS: _names("Description FunctionName FunctionVersion Name ProvisionedConcurrencyConfig RoutingConfig"),
    URL: {**_names("AuthType InvokeMode Qualifier TargetFunctionArn"), "Cors": _CORS},
    EVENT_INVOKE_CONFIG: {
        **_names("FunctionName MaximumEventAgeInSeconds MaximumRetryAttempts Qualifier"),
        "DestinationConfig": dict.fromkeys(("OnFailure", "OnSuccess"), _names("Destination")),
    },
    LAYER_VERSION: {
        **_names("CompatibleArchitectures CompatibleRuntimes Description LayerName LicenseInfo"),
        "Content": _CONTENT,
    },
    CAPACITY_PROVIDER: {
        **_names("CapacityProviderName KmsKeyArn Tags"),
        "CapacityProviderScalingConfig": _names("MaxVCpuCount ScalingMode ScalingPolicies"),
        "InstanceRequirements": _names("AllowedInstanceTypes Architectures ExcludedInstanceTypes"),
        "PermissionsConfig": _names("CapacityProviderOperatorRoleArn"),
        "PropagateTags": _names("ExplicitTags Mode"),
        "TelemetryConfig": {"LoggingConfig": _PROVIDER_LOGGING},
        "VpcConfig": _names("SecurityGroupIds SubnetIds"),
    },
}
# Properties that may be a plain text (a path) as well as a map.
_OR_TEXT: Final = frozenset(("Code", "CodeUri", "Content", "ContentUri"))


def check_shapes(source: Source) -> None:
    """Raise UserError for the first section, attribute or property whose name nobody knows, and for any null."""
    _known(source, (), source.content, _SECTIONS, "the template", "section")
    _no_nulls(source, (), source.content)
    for logical_id in source.section("Resources"):
        _check_resource(source, logical_id)
    for kind, shape in _SAM.items():
        section = kind.removeprefix("AWS::Serverless::")
        path: PathInFile = ("Globals", section)
        if isinstance(source.get(*path), dict):
            _check(source, path, path, shape, f"Globals.{section}", strict=False)
    for name in source.section("Outputs"):
        output = source.section("Outputs", name)
        _known(source, ("Outputs", name), output, _OUTPUT_ATTRIBUTES, f"output {name}", "attribute")
        if "Value" not in output:
            raise UserError(f"output {name}: needs a Value", source.place("Outputs", name))


def _check_resource(source: Source, logical_id: str) -> None:
    path: PathInFile = ("Resources", logical_id)
    if logical_id.startswith(("Fn::ForEach::", "Fn::Transform")):
        raise UserError(f"{logical_id} is not supported: write its resources out", source.place(*path))
    resource = source.get(*path)
    if not isinstance(resource, dict):
        raise UserError(f"{logical_id}: a resource must be a map with a Type", source.place(*path))
    _known(source, path, resource, _RESOURCE_ATTRIBUTES, logical_id, "resource attribute")
    kind = resource.get("Type")
    if not isinstance(kind, str):
        raise UserError(f"{logical_id}: needs a Type such as AWS::Serverless::Function", source.place(*path))
    strict = kind in _CLOUDFORMATION
    shape = _CLOUDFORMATION.get(kind) or _SAM.get(kind)
    properties: PathInFile = (*path, "Properties")
    if shape is not None and "Properties" in resource:
        _check(source, properties, properties, shape, logical_id, strict=strict)


def _check(source: Source, root: PathInFile, path: PathInFile, shape: Shape, owner: str, *, strict: bool) -> None:
    value = source.get(*path)
    what = ".".join(_names_only(path[len(root) :])) or "Properties"
    if isinstance(value, dict) and len(value) == 1 and "Fn::If" in value:
        for branch in (1, 2):
            _check(source, root, (*path, "Fn::If", branch), shape, owner, strict=strict)
        return
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::")):
        return
    if not isinstance(value, dict):
        if not (isinstance(value, str) and path[-1] in _OR_TEXT):
            raise UserError(f"{owner}: {what} must be a map of {', '.join(sorted(shape))}", source.place(*path))
        return
    if strict or path != root:
        _known(source, path, value, shape, f"{owner}: {what}" if path != root else owner, "property")
    for name in value:
        inner = shape.get(name)
        if inner is not None:
            _check(source, root, (*path, name), inner, owner, strict=strict)


def _known(
    source: Source,
    path: PathInFile,
    value: Value,
    allowed: Mapping[str, object] | frozenset[str],
    owner: str,
    noun: str,
) -> None:
    for name in value if isinstance(value, dict) else ():
        if name not in allowed:
            hint = did_you_mean(name, allowed)
            raise UserError(f"{owner}: unknown {noun} {name}{hint}", source.place(*path, name))


def _no_nulls(source: Source, path: PathInFile, value: Value) -> None:
    # CloudFormation: "'null' values are not allowed in templates". Metadata is for tools, not for us.
    if value is None:
        raise UserError(f"{'.'.join(_names_only(path))} has no value", source.place(*path))
    if isinstance(value, dict):
        for key, item in value.items():
            if key != "Metadata":
                _no_nulls(source, (*path, key), item)
    if isinstance(value, list):
        for index, item in enumerate(value):
            _no_nulls(source, (*path, index), item)


def _names_only(path: PathInFile) -> list[str]:
    """A path as a user writes it: without what stands between the names."""
    return [step for step in path if isinstance(step, str) and step not in ("Resources", "Properties", "Fn::If")]
