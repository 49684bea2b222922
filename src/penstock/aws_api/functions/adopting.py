"""A function that somebody else made and looks after, as records: the template's of `penstock up`."""

from typing import Final

from penstock.aws_api.functions.configuration import CONFIG
from penstock.aws_api.functions.host import PublicUrl, Running
from penstock.aws_api.functions.lives import Lives
from penstock.aws_api.functions.state import LATEST, LATEST_PUBLISHED, Record, State, moment, new_revision, version_key
from penstock.model.function import CapacityProvider, Cors, Function, FunctionUrlConfig

_CPU_METRIC: Final = "LambdaCapacityProviderAverageCPUUtilization"


def adopt(
    state: State,
    lives: Lives,
    function: Function,
    running: Running,
    url: PublicUrl | None,
    code_sha256: str,
    code_size: int,
) -> None:
    """The version also fills the slot `$LATEST.PUBLISHED`, although AWS fills that only when told to: an unqualified
    call could mean nothing else here.
    """
    name = function.name
    record: Record = {
        "config": _config(state, function, code_sha256, code_size),
        "location": function.code.absolute().as_uri(),
    }
    state.adopted.add(name)
    lives.adopt(function, running)
    with state.store.transaction():
        for version in dict.fromkeys((LATEST, LATEST_PUBLISHED, function.version)):
            config = record["config"] | {"Version": version, "RevisionId": new_revision()}
            state.versions.put(version_key(name, version), record | {"config": config})
        state.functions.put(name, {"next": 2, "tags": {}, "created": state.clock.epoch()})
        if function.alias:
            state.aliases.put(f"{name}/{function.alias}", _alias(function))
        _adopt_provider(state, function.capacity_provider)
        if function.url and url:
            key = f"{name}/{function.alias or LATEST}"
            state.url_configs.put(key, {"shape": _url(state, function.url)})
            state.urls[name, function.alias or LATEST] = url


def _config(state: State, function: Function, code_sha256: str, code_size: int) -> Record:
    managed = {
        "CapacityProviderArn": function.capacity_provider.arn,
        "PerExecutionEnvironmentMaxConcurrency": function.max_concurrency,
        "ExecutionEnvironmentMemoryGiBPerVCpu": function.memory_gib_per_vcpu,
    }
    config: Record = {
        "FunctionName": function.name,
        "FunctionArn": function.arn,
        "Runtime": function.runtime,
        "Role": function.role,
        "Handler": function.handler,
        "CodeSize": code_size,
        "CodeSha256": code_sha256,
        "Description": function.description,
        "Timeout": function.timeout_s,
        "MemorySize": function.memory_mib,
        "LastModified": state.now(),
        "TracingConfig": {"Mode": "PassThrough"},
        "PackageType": "Zip",
        "Architectures": [function.architecture.value],
        "EphemeralStorage": {"Size": function.ephemeral_storage_mib},
        "LoggingConfig": {
            "LogFormat": "JSON",
            "ApplicationLogLevel": function.log_level or "INFO",
            "SystemLogLevel": "INFO",
            "LogGroup": function.log_group or f"/aws/lambda/{function.name}",
        },
        "CapacityProviderConfig": {CONFIG: managed},
    }
    if function.environment:
        config["Environment"] = {"Variables": dict(function.environment)}
    if function.layers:
        config["Layers"] = [{"Arn": layer.arn} for layer in function.layers]
    if function.dead_letter_arn:
        config["DeadLetterConfig"] = {"TargetArn": function.dead_letter_arn}
    return config


def _alias(function: Function) -> Record:
    return {
        "function": function.name,
        "Name": function.alias,
        "FunctionVersion": function.version,
        "Description": "",
        "RevisionId": new_revision(),
    }


def _url(state: State, config: FunctionUrlConfig) -> Record:
    now = moment(state.clock.epoch())
    shape: Record = {
        "AuthType": config.auth_type.value,
        "InvokeMode": config.invoke_mode.value,
        "CreationTime": now,
        "LastModifiedTime": now,
    }
    return shape | ({"Cors": _cors(config.cors)} if config.cors else {})


def _cors(cors: Cors) -> Record:
    lists = {
        "AllowHeaders": cors.allow_headers,
        "AllowMethods": cors.allow_methods,
        "AllowOrigins": cors.allow_origins,
        "ExposeHeaders": cors.expose_headers,
    }
    shape: Record = {name: list(values) for name, values in lists.items() if values}
    if cors.max_age is not None:
        shape["MaxAge"] = cors.max_age
    return {"AllowCredentials": cors.allow_credentials} | shape


def _adopt_provider(state: State, provider: CapacityProvider) -> None:
    if provider.name in state.providers:
        return
    requirements: Record = {"Architectures": [provider.architecture.value]}
    if provider.allowed_instance_types:
        requirements["AllowedInstanceTypes"] = list(provider.allowed_instance_types)
    if provider.excluded_instance_types:
        requirements["ExcludedInstanceTypes"] = list(provider.excluded_instance_types)
    scaling: Record = {"MaxVCpuCount": provider.max_vcpu_count, "ScalingMode": provider.scaling_mode}
    if provider.target_cpu_utilization is not None:
        policy = {"PredefinedMetricType": _CPU_METRIC, "TargetValue": provider.target_cpu_utilization}
        scaling["ScalingPolicies"] = [policy]
    # The role that SAM makes when the template names none.
    role = f"arn:aws:iam::{state.account_id}:role/{provider.logical_id}OperatorRole"
    shape = {
        "CapacityProviderArn": provider.arn,
        "VpcConfig": {"SubnetIds": list(provider.subnet_ids), "SecurityGroupIds": list(provider.security_group_ids)},
        "PermissionsConfig": {"CapacityProviderOperatorRoleArn": role},
        "InstanceRequirements": requirements,
        "CapacityProviderScalingConfig": scaling,
        "LastModified": moment(state.clock.epoch(), "milliseconds"),
    }
    state.providers.put(provider.name, {"shape": shape, "tags": {}})
