"""Capacity providers. Made without an instance, so that one is Active at once here; on AWS within a minute.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateCapacityProvider.html
"""

from collections.abc import Mapping
from typing import Any, Final

from penstock.aws_api.functions.configuration import CONFIG
from penstock.aws_api.functions.errors import conflict, invalid, missing
from penstock.aws_api.functions.lives import Lives
from penstock.aws_api.functions.paging import page, paged
from penstock.aws_api.functions.shapes import whole
from penstock.aws_api.functions.state import LATEST, Record, State, moment
from penstock.aws_api.service import Answer, Call, Operation
from penstock.invoke_api.refusal import validation_error
from penstock.model.capacity import CapacityProviderState
from penstock.model.limits import DEFAULT_MAX_VCPU

_STATES: Final = tuple(state.value for state in CapacityProviderState)
_SCALING: Final = "CapacityProviderScalingConfig"
# What UpdateCapacityProvider can change.
_CHANGEABLE: Final = (_SCALING, "PropagateTags", "TelemetryConfig")
_FIXED: Final = ("VpcConfig", "PermissionsConfig", "InstanceRequirements", "KmsKeyArn")


class Providers:
    def __init__(self, state: State, lives: Lives) -> None:
        self._state = state
        self._lives = lives

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {
            "CreateCapacityProvider": self._create,
            "DeleteCapacityProvider": self._delete,
            "GetCapacityProvider": self._get,
            "ListCapacityProviders": self._list,
            "ListFunctionVersionsByCapacityProvider": self._list_versions,
            "UpdateCapacityProvider": self._update,
        }

    async def _create(self, call: Call) -> Answer:
        state, params = self._state, call.params
        name = params["CapacityProviderName"]
        if name in state.providers:
            raise conflict(f"Capacity provider already exists: {name}")  # assumed
        await self._check_network(params["VpcConfig"])
        shape: Record = {member: params[member] for member in (*_FIXED, *_CHANGEABLE) if params.get(member)}
        shape["CapacityProviderArn"] = state.arn("capacity-provider", name)
        shape["InstanceRequirements"] = {"Architectures": ["x86_64"]} | dict(shape.get("InstanceRequirements") or {})
        self._complete(name, shape)
        if name in state.providers:  # somebody else was faster
            raise conflict(f"Capacity provider already exists: {name}")
        state.providers.put(name, {"shape": shape, "tags": dict(params.get("Tags") or {})})
        return {"CapacityProvider": shape | {"State": CapacityProviderState.PENDING.value}}

    def _complete(self, name: str, shape: Record) -> None:
        """Defaults, and the rules of a template. Raises ServiceError."""
        scaling = shape.get(_SCALING) or {}
        shape[_SCALING] = {"MaxVCpuCount": DEFAULT_MAX_VCPU, "ScalingMode": "Auto"} | scaling
        logging = {"SystemLogLevel": "INFO", "LogGroup": f"/aws/lambda/capacity-provider/{name}"}
        given = (shape.get("TelemetryConfig") or {}).get("LoggingConfig") or {}
        shape["TelemetryConfig"] = {"LoggingConfig": logging | given}
        shape["LastModified"] = moment(self._state.clock.epoch(), "milliseconds")
        self._lives.reader.provider(shape)

    async def _check_network(self, vpc: Mapping[str, Any]) -> None:
        """Subnets and groups must be there. Raises ServiceError with EC2's words."""
        state = self._state
        for operation, member, ids in (
            ("DescribeSubnets", "SubnetIds", vpc["SubnetIds"]),
            ("DescribeSecurityGroups", "GroupIds", vpc.get("SecurityGroupIds")),
        ):
            if ids and state.dispatcher.offers("ec2", operation):
                try:
                    await state.dispatcher.call("ec2", operation, {member: list(ids)}, state.context())
                except Exception as error:
                    raise invalid(getattr(error, "message", str(error))) from None

    def _update(self, call: Call) -> Answer:
        name, record = self._find(call)
        shape = dict(record["shape"])
        shape |= {member: call.params[member] for member in _CHANGEABLE if member in call.params}
        self._complete(name, shape)
        self._state.providers.put(name, record | {"shape": shape})
        self._state.host.configure(self._lives.reader.provider(shape))
        return {"CapacityProvider": shape | {"State": CapacityProviderState.ACTIVE.value}}

    def _get(self, call: Call) -> Answer:
        """By name or by ARN."""
        _, record = self._find(call)
        return {"CapacityProvider": _shown(record)}

    def _find(self, call: Call) -> tuple[str, Record]:
        given = call.params["CapacityProviderName"]
        name = given.rpartition(":")[2]
        record = self._state.providers.get(name)
        arn = given if given.startswith("arn:") else self._state.arn("capacity-provider", name)
        if record is None or record["shape"]["CapacityProviderArn"] != arn:
            raise missing(f"Capacity provider not found: {arn}")
        return name, record

    def _list(self, call: Call) -> Answer:
        wanted = call.params.get("State") or CapacityProviderState.ACTIVE.value
        if wanted not in _STATES:
            raise validation_error("state", wanted, f"Member must satisfy enum value set: [{', '.join(_STATES)}]")
        records = self._state.providers.items() if wanted == CapacityProviderState.ACTIVE else []
        taken, marker = page(records, lambda item: item[0], call.params)
        return paged("CapacityProviders", [_shown(record) for _, record in taken], marker)

    def _list_versions(self, call: Call) -> Answer:
        _, record = self._find(call)
        arn = record["shape"]["CapacityProviderArn"]
        taken, marker = page(self._versions(arn), lambda item: item[0], call.params)
        versions = [_version(self._state, one) for _, one in taken]
        return paged("FunctionVersions", versions, marker) | {"CapacityProviderArn": arn}

    def _versions(self, arn: str, *, latest: bool = False) -> list[tuple[str, Record]]:
        """Published ones; with `latest`, `$LATEST` as well."""
        return [
            (key, record)
            for key, record in self._state.versions.items()
            if record["config"]["CapacityProviderConfig"][CONFIG]["CapacityProviderArn"] == arn
            and (latest or record["config"]["Version"] != LATEST)
        ]

    def _delete(self, call: Call) -> Answer:
        name, record = self._find(call)
        arn = record["shape"]["CapacityProviderArn"]
        functions = {one["config"]["FunctionName"] for _, one in self._versions(arn, latest=True)}
        if functions:
            # In the sense of the text seen on AWS: https://www.serverless.com/framework/docs/providers/aws/guide/managed-instances
            told = f"The capacity provider is in use by {len(functions)} functions. To delete it, first remove its"
            raise conflict(f"{told} association with {arn}")
        self._state.providers.delete(name)
        return {"CapacityProvider": record["shape"] | {"State": CapacityProviderState.DELETING.value}}


def _shown(record: Record) -> Record:
    shape: Record = record["shape"]
    return shape | {"State": CapacityProviderState.ACTIVE.value}


def _version(state: State, record: Record) -> Record:
    config = whole(state, record, record["config"]["Version"])
    return {"FunctionArn": config["FunctionArn"], "State": config["State"]}
