"""What stands in front of a function: its version, its alias, its Function URL and its asynchronous invocations."""

from dataclasses import dataclass
from typing import Final

from penstock.model.function import AuthType, EventInvokeConfig, FunctionUrlConfig, InvokeMode
from penstock.template.cors import read_cors
from penstock.template.event_invoke import read_event_invoke
from penstock.template.intrinsics import Resolver, UnresolvableError
from penstock.template.physical import ALIAS, EVENT_INVOKE_CONFIG, FIRST_VERSION, FUNCTION, URL, VERSION, Resources
from penstock.template.properties import Path, Properties
from penstock.template.source import Map, Source

# The moving slot of published code that costs no numbered version.
# https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html (PublishTo)
LATEST_PUBLISHED: Final = "$LATEST.PUBLISHED"
_LATEST: Final = "$LATEST"
# Where the transform has taken the properties of its own resources from.
_SAM_NAMES: Final[dict[Path, Path]] = {
    **{(name,): ("FunctionUrlConfig", name) for name in ("AuthType", "Cors", "InvokeMode")},
    **{
        (name,): ("EventInvokeConfig", name)
        for name in ("DestinationConfig", "MaximumEventAgeInSeconds", "MaximumRetryAttempts")
    },
}


@dataclass(frozen=True, slots=True)
class Published:
    """Reads Version, Alias and Url resources by the function they belong to."""

    source: Source
    resources: Resources
    resolver: Resolver

    def version(self, function_arn: str) -> str | None:
        """`1` when the template publishes a version."""
        return FIRST_VERSION if self._of(VERSION, "FunctionName", function_arn) else None

    def alias(self, function_arn: str) -> str | None:
        """The first alias's name. Raises UserError for provisioned concurrency, which Managed Instances do not have."""
        aliases = self._of(ALIAS, "FunctionName", function_arn)
        for view in (*aliases, *self._of(VERSION, "FunctionName", function_arn)):
            if view.get("ProvisionedConcurrencyConfig") is not None:
                told = "cannot stand together with the function's CapacityProviderConfig"
                raise view.error(("ProvisionedConcurrencyConfig",), told)
        return aliases[0].required_text("Name") if aliases else None

    def url(self, function_arn: str) -> FunctionUrlConfig | None:
        urls = self._of(URL, "TargetFunctionArn", function_arn)
        return _read_url(urls[0]) if urls else None

    def event_invoke(self, function_arn: str) -> EventInvokeConfig:
        """Of the alias, else of the version: a configuration counts for its own qualifier only."""
        configs = {
            self._qualifier(view, function_arn): view
            for view in self._of(EVENT_INVOKE_CONFIG, "FunctionName", function_arn)
        }
        found = (configs[name] for name in self._served(function_arn) if name in configs)
        view = next(found, None)
        return read_event_invoke(view) if view else EventInvokeConfig()

    def _served(self, function_arn: str) -> tuple[str, ...]:
        """The qualifiers that Penstock runs, the alias first."""
        published = (self.alias(function_arn), self.version(function_arn))
        return tuple(name for name in published if name) or (LATEST_PUBLISHED, _LATEST)

    def _qualifier(self, view: Properties, function_arn: str) -> str:
        qualifier = view.required_text("Qualifier")
        aliases = [alias.required_text("Name") for alias in self._of(ALIAS, "FunctionName", function_arn)]
        allowed = (*aliases, *filter(None, [self.version(function_arn)]), LATEST_PUBLISHED, _LATEST)
        if qualifier not in allowed:
            raise view.bad_value(("Qualifier",), qualifier, f"allowed: {', '.join(allowed)}")
        return qualifier

    def function_of_url(self, url_id: str) -> str | None:
        """Logical id of the function behind a Url resource."""
        target = unqualified(self.resources.arn(url_id))
        functions = (name for name in self.resources.of_type(FUNCTION) if self.resources.arn(name) == target)
        return next(functions, None)

    def _of(self, kind: str, reference: str, function_arn: str) -> list[Properties]:
        views = [self._view(logical_id, values) for logical_id, values in self.resources.of_type(kind).items()]
        return [view for view in views if self._target(view, reference) == function_arn]

    def _target(self, view: Properties, reference: str) -> str | None:
        try:
            return unqualified(self.resources.function_arn(view.required_text(reference)))
        except UnresolvableError:
            return None  # of a function in another stack

    def _view(self, logical_id: str, values: Map) -> Properties:
        if logical_id in self.source.section("Resources"):
            return Properties(logical_id, values, self.source, self.resolver)
        return Properties(self.source.owner(logical_id), values, self.source, self.resolver, _SAM_NAMES)


def unqualified(arn: str) -> str:
    """`arn:aws:lambda:region:account:function:name`, without a version or alias."""
    return ":".join(arn.split(":")[:7])


def _read_url(properties: Properties) -> FunctionUrlConfig:
    auth_type = properties.choice("AuthType", allowed=tuple(AuthType))
    if auth_type is None:
        raise properties.error(("AuthType",), f"is missing; allowed: {', '.join(AuthType)}")
    invoke_mode = properties.choice("InvokeMode", allowed=tuple(InvokeMode))
    return FunctionUrlConfig(
        auth_type=AuthType(auth_type),
        invoke_mode=InvokeMode(invoke_mode) if invoke_mode else InvokeMode.BUFFERED,
        cors=read_cors(properties) if properties.get("Cors") is not None else None,
    )
