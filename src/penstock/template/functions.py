"""AWS::Lambda::Function resources to Function values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from penstock.model.function import Architecture, CapacityProvider, Function
from penstock.template.capacity_providers import read_architecture
from penstock.template.code import find_code, find_layers
from penstock.template.environment import EnvVars, read_environment
from penstock.template.event_invoke import read_dead_letter
from penstock.template.hints import did_you_mean
from penstock.template.intrinsics import Resolver, UnresolvableError
from penstock.template.physical import FUNCTION, Resources
from penstock.template.properties import Path, Properties
from penstock.template.published import LATEST_PUBLISHED, Published
from penstock.template.sizing import (
    CONFIG,
    read_concurrency,
    read_environments,
    read_ephemeral_storage,
    read_size,
    read_timeout,
)
from penstock.template.source import Source

# https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-runtimes.html
RUNTIMES: Final = (
    "python3.13",
    "python3.14",
    "nodejs22.x",
    "nodejs24.x",
    "java21",
    "java25",
    "dotnet8",
    "dotnet10",
    "provided.al2023",
)
# https://docs.aws.amazon.com/lambda/latest/api/API_LoggingConfig.html
_LOG_LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
# Not available on Managed Instances. https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
_NOT_WITH_PROVIDER: Final = ("VpcConfig", "SnapStart")
# botocore's service model lambda/2015-03-31 (Description).
_MAX_DESCRIPTION: Final = 256
_PROVIDER: Final[Path] = (*CONFIG, "CapacityProviderArn")
# How SAM names what the transform renames.
_SAM_NAMES: Final[dict[Path, Path]] = {
    CONFIG: ("CapacityProviderConfig",),
    _PROVIDER: ("CapacityProviderConfig", "Arn"),
    ("Code",): ("CodeUri",),
    ("Code", "ZipFile"): ("InlineCode",),
    ("DeadLetterConfig",): ("DeadLetterQueue",),
}


@dataclass(frozen=True, slots=True)
class FunctionReader:
    """Reads the functions of one stack. `env_vars` and `min_environments` come from the command line."""

    source: Source
    resources: Resources
    resolver: Resolver
    providers: Mapping[str, CapacityProvider]
    env_vars: EnvVars
    min_environments: int | None

    def read(self) -> tuple[list[Function], list[str]]:
        """The functions on a capacity provider, and warnings, among them one for each function that is not."""
        functions: list[Function] = []
        warnings: list[str] = []
        for logical_id, values in self.resources.of_type(FUNCTION).items():
            serverless = str(self.source.get("Resources", logical_id, "Type")).startswith("AWS::Serverless::")
            written = _SAM_NAMES if serverless else {}
            properties = Properties(logical_id, values, self.source, self.resolver, written)
            if properties.get("CapacityProviderConfig") is None:
                warnings.append(f"{logical_id} is not started: it has no CapacityProviderConfig")
                continue
            function = self._function(properties)
            functions.append(function)
            if function.version == LATEST_PUBLISHED and not properties.boolean("PublishToLatestPublished"):
                told = "publishes no version, so AWS would not run it; give it an AutoPublishAlias"
                warnings.append(f"{logical_id} {told}")
        return functions, warnings

    def _function(self, properties: Properties) -> Function:
        logical_id = properties.owner
        name, arn = self.resources.name(logical_id), self.resources.arn(logical_id)
        published = Published(self.source, self.resources, self.resolver)
        _check_supported(properties)
        runtime = check_runtime(properties)
        provider = self._provider(properties)
        url = published.url(arn)
        memory, ratio = read_size(properties)
        least, most = read_environments(properties, self.min_environments)
        return Function(
            logical_id=logical_id,
            name=name,
            arn=arn,
            version=published.version(arn) or LATEST_PUBLISHED,
            alias=published.alias(arn),
            handler=properties.required_text("Handler"),
            runtime=runtime,
            architecture=_architecture(properties, provider),
            memory_mib=memory,
            timeout_s=read_timeout(properties, has_url=url is not None),
            ephemeral_storage_mib=read_ephemeral_storage(properties),
            code=find_code(properties, "Code"),
            capacity_provider=provider,
            memory_gib_per_vcpu=ratio,
            max_concurrency=read_concurrency(properties, runtime, memory / 1024 / ratio),
            min_environments=least,
            max_environments=most,
            url=url,
            layers=find_layers(properties, self.resources),
            environment=read_environment(properties, name, self.env_vars),
            log_group=properties.text("LoggingConfig", "LogGroup") or f"/aws/lambda/{name}",
            log_level=properties.choice("LoggingConfig", "ApplicationLogLevel", allowed=_LOG_LEVELS),
            event_invoke=published.event_invoke(arn),
            dead_letter_arn=read_dead_letter(properties),
            description=_description(properties),
            role=_role(properties),
            place=self.source.place("Resources", logical_id),
        )

    def _provider(self, properties: Properties) -> CapacityProvider:
        reference = properties.required_text(*_PROVIDER)
        for arn, provider in self.providers.items():
            if reference in (arn, provider.name):
                return provider
        names = [provider.logical_id for provider in self.providers.values()]
        hint = "the template must hold it; " + (f"allowed: !GetAtt {names[0]}.Arn" if names else "it holds none")
        raise properties.error(_PROVIDER, f"names no capacity provider of this template ({reference}): {hint}")


def _check_supported(properties: Properties) -> None:
    for name in _NOT_WITH_PROVIDER:
        if properties.get(name) is not None:
            raise properties.error((name,), "cannot stand together with CapacityProviderConfig")
    if properties.choice("PackageType", allowed=("Zip", "Image")) == "Image":
        raise properties.error(("PackageType",), "Image is not supported; allowed: Zip")


def check_runtime(properties: Properties) -> str:
    """The Runtime. Raises UserError for one that Managed Instances do not have."""
    runtime = properties.required_text("Runtime")
    if runtime not in RUNTIMES:
        told = f"{runtime} does not run on Managed Instances{did_you_mean(runtime, RUNTIMES)}"
        raise properties.error(("Runtime",), told)
    return runtime


def _architecture(properties: Properties, provider: CapacityProvider) -> Architecture:
    architecture = read_architecture(properties, "Architectures")
    if architecture is not provider.architecture:
        told = f"is {architecture}, but capacity provider {provider.logical_id} is {provider.architecture}"
        raise properties.error(("Architectures",), told)
    return architecture


def _description(properties: Properties) -> str:
    text = properties.text("Description") or ""
    if len(text) > _MAX_DESCRIPTION:
        raise properties.error(("Description",), f"has {len(text)} characters; allowed: at most {_MAX_DESCRIPTION}")
    return text


def _role(properties: Properties) -> str:
    """Empty when only a real account could tell: nobody is given the role here."""
    try:
        return properties.text("Role") or ""
    except UnresolvableError:
        return ""
