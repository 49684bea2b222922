"""What the Lambda API says of the functions that run, and what it can change of them: how many environments they have.
An operation's parameters in, its output shape out.

Texts of errors as AWS gives them, in the snapshots of https://github.com/localstack/localstack
(tests/aws/services/lambda_).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import orjson

from penstock.control_plane.aws_api.operations import Call
from penstock.control_plane.aws_api.pages import MAX_ITEMS, page
from penstock.control_plane.aws_api.shapes import (
    Shape,
    alias,
    capacity_provider,
    code_location,
    function_configuration,
    function_url,
    with_state,
)
from penstock.control_plane.registry import LATEST, LATEST_PUBLISHED, Registered, Registry
from penstock.control_plane.scaling_config import Scalable, read_scaling_config
from penstock.invoke_api.function_names import FunctionName, not_found, read_function_name
from penstock.invoke_api.refusal import RefusalError, validation_error
from penstock.model.function import CapacityProvider
from penstock.template.intrinsics import partition

_CAPACITY_PROVIDER_STATES: Final = ("Pending", "Active", "Failed", "Deleting")
_VERSION: Final = re.compile(r"[0-9]+")


class LambdaApi:
    """Answers the operations named in `offered`."""

    def __init__(self, registry: Registry, region: str, account_id: str) -> None:
        self._registry = registry
        self._region = region
        self._account_id = account_id
        self._answers: Mapping[str, Callable[[Call], Shape]] = {
            "GetAlias": self._get_alias,
            "GetCapacityProvider": self._get_capacity_provider,
            "GetFunction": self._get_function,
            "GetFunctionConfiguration": self._get_function_configuration,
            "GetFunctionScalingConfig": self._get_scaling_config,
            "GetFunctionUrlConfig": self._get_function_url_config,
            "ListAliases": self._list_aliases,
            "ListCapacityProviders": self._list_capacity_providers,
            "ListFunctionUrlConfigs": self._list_function_url_configs,
            "ListFunctionVersionsByCapacityProvider": self._list_versions_by_capacity_provider,
            "ListFunctions": self._list_functions,
            "ListVersionsByFunction": self._list_versions,
            "PutFunctionScalingConfig": self._put_scaling_config,
        }

    @property
    def offered(self) -> frozenset[str]:
        return frozenset(self._answers)

    def answer(self, call: Call) -> Shape:
        """The operation's output shape. Raises RefusalError: 501 for one that is not offered."""
        answer = self._answers.get(call.operation)
        if answer is None:
            message = f"The operation {call.operation} of lambda is not offered by Penstock"
            raise RefusalError(501, "NotImplementedException", message)
        return answer(call)

    # --- functions ---

    def _list_functions(self, call: Call) -> Shape:
        wanted = call.query.get("FunctionVersion")
        if wanted not in (None, "ALL"):
            raise validation_error("functionVersion", wanted, "Member must satisfy enum value set: [ALL]")
        listed = [(one, version) for one in self._registry.functions for version in _versions(one, every=bool(wanted))]
        taken, marker = page(listed, _version_key, call.query)
        # With ALL each one says in its ARN which it is.
        shapes = [function_configuration(one, version, version if wanted else None) for one, version in taken]
        return _paged("Functions", shapes, marker)

    def _list_versions(self, call: Call) -> Shape:
        registered, _ = self._function(call)
        listed = [(registered, version) for version in _versions(registered, every=True)]
        taken, marker = page(listed, _version_key, call.query)
        return _paged("Versions", [function_configuration(one, version, version) for one, version in taken], marker)

    def _get_function(self, call: Call) -> Shape:
        registered, _ = self._function(call)
        return {"Configuration": self._get_function_configuration(call), "Code": code_location(registered.function)}

    def _get_function_configuration(self, call: Call) -> Shape:
        registered, qualifier = self._function(call)
        version = registered.version_of(qualifier or LATEST)
        if version is None:
            raise _missing(f"Function not found: {registered.function.arn}:{qualifier}")
        return with_state(function_configuration(registered, version, qualifier), registered.function)

    # --- aliases ---

    def _list_aliases(self, call: Call) -> Shape:
        registered, _ = self._function(call)
        name, version = registered.function.alias, registered.function.version
        names = [name] if name and call.query.get("FunctionVersion", version) == version else []
        taken, marker = page(names, str, call.query)
        return _paged("Aliases", [alias(registered, one) for one in taken], marker)

    def _get_alias(self, call: Call) -> Shape:
        registered, _ = self._function(call)
        name = call.labels["Name"]
        if name != registered.function.alias:
            raise _missing(f"Cannot find alias arn: {registered.function.arn}:{name}")
        return alias(registered, name)

    # --- Function URLs ---

    def _get_function_url_config(self, call: Call) -> Shape:
        name = read_function_name(call.labels["FunctionName"], call.query.get("Qualifier"))
        if name.qualifier == LATEST:
            raise _bad_url_qualifier(name.qualifier, r"((?!^\d+$)^[0-9a-zA-Z-_]+$)")
        if name.qualifier and _VERSION.fullmatch(name.qualifier):
            raise _bad_url_qualifier(name.qualifier, r"(^\$LATEST$)|((?!^[0-9]+$)([a-zA-Z0-9-_]+))")
        registered = self._here(name)
        found = _url(registered) if registered and name.qualifier == registered.function.alias else None
        if found is None:
            raise _missing("The resource you requested does not exist.")
        return found

    def _list_function_url_configs(self, call: Call) -> Shape:
        registered = self._here(read_function_name(call.labels["FunctionName"]))
        if registered is None:
            raise _missing("Function does not exist")
        found = _url(registered)
        taken, marker = page([found] if found else [], lambda shape: str(shape["FunctionArn"]), call.query, MAX_ITEMS)
        return _paged("FunctionUrlConfigs", taken, marker)

    # --- capacity providers ---

    def _list_capacity_providers(self, call: Call) -> Shape:
        state = call.query.get("State", "Active")
        if state not in _CAPACITY_PROVIDER_STATES:
            states = ", ".join(_CAPACITY_PROVIDER_STATES)
            raise validation_error("state", state, f"Member must satisfy enum value set: [{states}]")
        listed = list(self._registry.capacity_providers.values()) if state == "Active" else []
        taken, marker = page(listed, lambda made: made[0].name, call.query, MAX_ITEMS)
        return _paged("CapacityProviders", [self._capacity_provider(*made) for made in taken], marker)

    def _get_capacity_provider(self, call: Call) -> Shape:
        """By name or by ARN."""
        provider = self._find_capacity_provider(call)
        _, made = self._registry.capacity_providers[provider.name]
        return {"CapacityProvider": self._capacity_provider(provider, made)}

    def _find_capacity_provider(self, call: Call) -> CapacityProvider:
        given = call.labels["CapacityProviderName"]
        arn = given if given.startswith("arn:") else self._arn("lambda", f"capacity-provider:{given}")
        for provider, _ in self._registry.capacity_providers.values():
            if provider.arn == arn:
                return provider
        raise _missing(f"Capacity provider not found: {arn}")

    def _list_versions_by_capacity_provider(self, call: Call) -> Shape:
        provider = self._find_capacity_provider(call)
        there = [one for one in self._registry.functions if one.function.capacity_provider.arn == provider.arn]
        taken, marker = page(there, lambda one: one.function.name, call.query, MAX_ITEMS)
        versions: list[Shape] = [{"FunctionArn": _version_arn(one), "State": self._state(one)} for one in taken]
        return _paged("FunctionVersions", versions, marker) | {"CapacityProviderArn": provider.arn}

    # --- scaling ---

    def _get_scaling_config(self, call: Call) -> Shape:
        registered, scalable = self._scalable(call)
        shape: Shape = {
            "FunctionArn": _version_arn(registered),
            "AppliedFunctionScalingConfig": scalable.applied.shape(),
        }
        if scalable.requested is not None:
            shape["RequestedFunctionScalingConfig"] = scalable.requested.shape()
        return shape

    def _put_scaling_config(self, call: Call) -> Shape:
        _, scalable = self._scalable(call)
        try:
            body = orjson.loads(call.body or b"{}")
        except orjson.JSONDecodeError:
            raise RefusalError(400, "SerializationException", "The body is not JSON") from None
        scalable.put(read_scaling_config(body))
        return {"FunctionState": scalable.state}

    def _scalable(self, call: Call) -> tuple[Registered, Scalable]:
        """A version and its bounds. The qualifier must name one: `$LATEST.PUBLISHED` or a number."""
        qualifier = call.query.get("Qualifier", "")
        if qualifier != LATEST_PUBLISHED and not _VERSION.fullmatch(qualifier):
            pattern = r"(\$LATEST\.PUBLISHED|[0-9]+)"
            raise validation_error("qualifier", qualifier, f"Member must satisfy regular expression pattern: {pattern}")
        registered, _ = self._function(call)
        scalable = self._registry.scalable(registered.function.name)
        if scalable is None or registered.version_of(qualifier) is None:
            raise _missing(f"Function not found: {registered.function.arn}:{qualifier}")
        return registered, scalable

    def _state(self, registered: Registered) -> str:
        scalable = self._registry.scalable(registered.function.name)
        return scalable.state if scalable else "Active"

    def _capacity_provider(self, provider: CapacityProvider, made: float) -> Shape:
        # The role that SAM makes when the template names none.
        role = self._arn("iam", f"role/{provider.logical_id}OperatorRole")
        return capacity_provider(provider, made, role)

    # --- names ---

    def _function(self, call: Call) -> tuple[Registered, str | None]:
        """The function a call is for, and the qualifier it gives. Raises RefusalError."""
        name = read_function_name(call.labels["FunctionName"], call.query.get("Qualifier"))
        registered = self._here(name)
        if registered is None:
            raise not_found(name, name.region or self._region, name.account or self._account_id)
        return registered, name.qualifier

    def _here(self, name: FunctionName) -> Registered | None:
        """The function of that name, unless it is said to be in another region or account."""
        here = name.region in (None, self._region) and name.account in (None, self._account_id)
        return self._registry.get(name.name) if here else None

    def _arn(self, service: str, resource: str) -> str:
        region = "" if service == "iam" else self._region
        return f"arn:{partition(self._region)}:{service}:{region}:{self._account_id}:{resource}"


def _versions(registered: Registered, *, every: bool) -> tuple[str, ...]:
    return (LATEST, registered.function.version) if every else (LATEST,)


def _version_key(item: tuple[Registered, str]) -> str:
    registered, version = item
    # A blank sorts before everything a name can hold, so that keys are in the order of names.
    return f"{registered.function.name} {version}"


def _version_arn(registered: Registered) -> str:
    return f"{registered.function.arn}:{registered.function.version}"


def _url(registered: Registered) -> Shape | None:
    config = registered.function.url
    return function_url(registered, registered.url, config) if config and registered.url else None


def _paged(member: str, items: Sequence[Shape], marker: str | None) -> Shape:
    return {member: items, "NextMarker": marker} if marker else {member: items}


def _bad_url_qualifier(qualifier: str, pattern: str) -> RefusalError:
    return validation_error("qualifier", qualifier, f"Member must satisfy regular expression pattern: {pattern}")


def _missing(message: str) -> RefusalError:
    return RefusalError(404, "ResourceNotFoundException", message)
