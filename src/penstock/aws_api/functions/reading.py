"""From what is kept to what runs: a version's record to a Function. The rules are the template's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from penstock.aws_api.functions.code import Archives
from penstock.aws_api.functions.configuration import CONFIG
from penstock.aws_api.functions.errors import invalid, missing, refused
from penstock.aws_api.functions.state import Record, State
from penstock.model.errors import Place, UserError
from penstock.model.function import (
    AuthType,
    CapacityProvider,
    Cors,
    EventInvokeConfig,
    Function,
    FunctionUrlConfig,
    InvokeMode,
    LayerVersion,
)
from penstock.packaging.layers import is_web_adapter
from penstock.template.capacity_providers import read_architecture, read_capacity_provider
from penstock.template.cors import read_cors
from penstock.template.environment import read_environment
from penstock.template.event_invoke import read_dead_letter, read_event_invoke
from penstock.template.functions import check_runtime
from penstock.template.intrinsics import Pseudo, Resolved, Resolver
from penstock.template.properties import Properties
from penstock.template.sizing import (
    read_concurrency,
    read_environments,
    read_ephemeral_storage,
    read_size,
    read_timeout,
)
from penstock.template.source import Source, Value

_REQUEST: Final = Path("request")


class Reader:
    """Raises ServiceError where the record asks for what cannot run. `given_layers`: ARN to a path on this machine."""

    def __init__(self, state: State, archives: Archives, given_layers: Mapping[str, Path]) -> None:
        self._state = state
        self._archives = archives
        self._given_layers = given_layers
        self._pseudo = Pseudo(state.region, state.account_id, "penstock", "")

    def function(self, record: Record) -> Function:
        """The version as it runs, without alias and URL: `seen_as` adds these."""
        try:
            return self._function(record)
        except UserError as error:
            raise refused(error) from None

    def _function(self, record: Record) -> Function:
        config = record["config"]
        name = config["FunctionName"]
        properties = self._properties(name, "Function", {**config, "FunctionScalingConfig": record.get("scaling")})
        provider = self._provider_of(config)
        check_runtime(properties)
        architecture = read_architecture(properties, "Architectures")
        if architecture is not provider.architecture:
            told = f"Architectures is {architecture}, but the capacity provider is {provider.architecture}"
            raise invalid(told)
        memory, ratio = read_size(properties)
        least, most = read_environments(properties, None)
        return Function(
            logical_id=f"{name}:{config['Version']}",
            name=name,
            arn=self._state.function_arn(name),
            version=config["Version"],
            alias=None,
            handler=config["Handler"],
            runtime=config["Runtime"],
            architecture=architecture,
            memory_mib=memory,
            timeout_s=read_timeout(properties, has_url=False),
            ephemeral_storage_mib=read_ephemeral_storage(properties),
            code=self._archives.path(record["code"]),
            capacity_provider=provider,
            memory_gib_per_vcpu=ratio,
            max_concurrency=read_concurrency(properties, config["Runtime"], memory / 1024 / ratio),
            min_environments=least,
            max_environments=most,
            url=None,
            layers=tuple(map(self._layer, config.get("Layers", ()))),
            environment=read_environment(properties, name, {}),
            log_group=config["LoggingConfig"]["LogGroup"],
            log_level=config["LoggingConfig"]["ApplicationLogLevel"],
            dead_letter_arn=read_dead_letter(properties),
            description=config["Description"],
            role=config["Role"],
        )

    def fill_in(self, config: Record, function: Function) -> None:
        """What the configuration left open, as it is on AWS: ratio and concurrency are shown as numbers."""
        managed = config["CapacityProviderConfig"][CONFIG]
        managed["CapacityProviderArn"] = function.capacity_provider.arn
        managed["PerExecutionEnvironmentMaxConcurrency"] = function.max_concurrency
        managed["ExecutionEnvironmentMemoryGiBPerVCpu"] = function.memory_gib_per_vcpu

    def _provider_of(self, config: Record) -> CapacityProvider:
        given = config["CapacityProviderConfig"][CONFIG]["CapacityProviderArn"]
        found = self._state.providers.get(given.rpartition(":")[2])
        if found is None or (given.startswith("arn:") and found["shape"]["CapacityProviderArn"] != given):
            arn = given if given.startswith("arn:") else self._state.arn("capacity-provider", given)
            raise missing(f"Capacity provider not found: {arn}")
        return self.provider(found["shape"])

    def provider(self, shape: Record) -> CapacityProvider:
        """From a CapacityProvider shape."""
        arn = shape["CapacityProviderArn"]
        name = arn.rpartition(":")[2]
        try:
            return read_capacity_provider(self._properties(name, "CapacityProvider", shape), name, arn)
        except UserError as error:
            raise refused(error) from None

    def _layer(self, reference: Mapping[str, Any]) -> LayerVersion:
        arn = reference["Arn"]
        layer = LayerVersion(arn)
        if is_web_adapter(layer) or arn in self._given_layers:
            return layer
        kept = self._state.layers.get(layer_key(*arn.rsplit(":", 2)[1:]))
        if kept is None or kept["arn"] != arn:
            raise invalid(f"Layer version {arn} does not exist.")
        return LayerVersion(arn, self._archives.path(kept["code"]))

    def url_config(self, name: str, shape: Record) -> FunctionUrlConfig:
        """From a FunctionUrlConfig shape."""
        properties = self._properties(name, "Url", shape)
        try:
            cors: Cors | None = read_cors(properties) if shape.get("Cors") else None
        except UserError as error:
            raise refused(error) from None
        return FunctionUrlConfig(AuthType(shape["AuthType"]), InvokeMode(shape.get("InvokeMode", "BUFFERED")), cors)

    def event_invoke(self, name: str, shape: Record | None) -> EventInvokeConfig:
        """From a FunctionEventInvokeConfig shape."""
        if shape is None:
            return EventInvokeConfig()
        try:
            return read_event_invoke(self._properties(name, "EventInvokeConfig", shape))
        except UserError as error:
            raise refused(error) from None

    def _properties(self, name: str, kind: str, values: Mapping[str, Any]) -> Properties:
        values = {key: value for key, value in values.items() if value is not None}
        source = Source(_REQUEST, {"Resources": {name: {"Type": f"AWS::Lambda::{kind}", "Properties": values}}}, {})
        return Properties(name, values, source, _Literal(source, {}, self._pseudo))


class _Literal(Resolver):
    """A request holds no intrinsic functions: a variable may be called `Ref`."""

    def resolve(self, value: Value, place: Place) -> Resolved:
        return value


def layer_key(name: str, version: str) -> str:
    return f"{name}/{int(version):010}"
