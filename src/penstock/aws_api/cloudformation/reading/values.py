"""What `Ref`, `Fn::GetAtt` and `Fn::ImportValue` give while a stack is made, and while a change of it is planned."""

import ipaddress
from collections.abc import Callable, Collection, Mapping
from typing import Final

from penstock.aws_api.cloudformation.records import Resource
from penstock.model.errors import Place, UserError
from penstock.template.intrinsics import Pseudo, Resolved, Resolver, text_of
from penstock.template.parameters import Parameter
from penstock.template.source import Source, Value

# What a change set says of a value that only carrying it out can tell; CloudFormation's own marker begins so.
UNKNOWN: Final = "{{changeSet:KNOWN_AFTER_APPLY"


def is_unknown(value: Value) -> bool:
    """Whether any part of `value` is not known yet."""
    if isinstance(value, dict):
        return any(is_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(is_unknown(item) for item in value)
    return isinstance(value, str) and UNKNOWN in value


class StackValues:
    """A `ResourceValues` over what is kept. `undecided` are resources yet to be made: nothing is known of them."""

    def __init__(self, names: Collection[str], find: Callable[[str], Resource | None]) -> None:
        self._names = names
        self._find = find
        self.undecided: set[str] = set()

    def __contains__(self, logical_id: object) -> bool:
        return logical_id in self._names

    def ref(self, logical_id: str, place: Place) -> Value:
        if logical_id in self.undecided:
            return f"{UNKNOWN}:{logical_id}}}}}"
        return self._found(logical_id, place).physical_id

    def attribute(self, logical_id: str, name: str, place: Place) -> Value:
        if logical_id in self.undecided:
            return f"{UNKNOWN}:{logical_id}.{name}}}}}"
        attributes = self._found(logical_id, place).attributes
        if name not in attributes:
            raise UserError(f"resource {logical_id} does not support attribute type {name} in Fn::GetAtt", place)
        value: Value = attributes[name]
        return value

    def _found(self, logical_id: str, place: Place) -> Resource:
        resource = self._find(logical_id)
        if resource is None or not resource.physical_id:
            raise UserError(f"Unresolved resource dependencies [{logical_id}]", place)
        return resource


class StackResolver(Resolver):
    """With what only an account can tell: other stacks' exports. `imported` collects the names it was asked for."""

    def __init__(
        self,
        source: Source,
        parameters: Mapping[str, Parameter],
        pseudo: Pseudo,
        export: Callable[[str], str | None],
        notification_arns: list[str],
    ) -> None:
        super().__init__(source, parameters, pseudo)
        self.imported: set[str] = set()
        self._export = export
        self._pseudo_values["AWS::NotificationARNs"] = [*notification_arns]
        self._functions["Fn::ImportValue"] = self._import
        self._functions["Fn::Cidr"] = self._cidr
        self._functions["Fn::GetStackOutput"] = _refused("Fn::GetStackOutput")
        self._functions["Fn::Transform"] = _refused("Fn::Transform")

    def _import(self, value: Value, place: Place) -> Resolved:
        name = text_of(self._value(value, place))
        if not name:
            raise UserError("Fn::ImportValue takes the name of an export", place)
        found = self._export(name)
        if found is None:
            raise UserError(f"No export named {name} found.", place)
        self.imported.add(name)
        return found

    def _cidr(self, value: Value, place: Place) -> Resolved:
        """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-cidr.html"""
        parts = [text_of(self._value(item, place)) for item in self._list(value, "Fn::Cidr", place)]
        try:
            network = ipaddress.ip_network(str(parts[0]), strict=False)
            count = int(str(parts[1]))
            bits = int(str(parts[2])) if len(parts) > 2 else 8
            if not 1 <= count <= 256:
                raise ValueError("count")
            subnets = network.subnets(new_prefix=network.max_prefixlen - bits)
            return [str(next(subnets)) for _ in range(count)]
        except (IndexError, StopIteration, ValueError):
            raise UserError(
                "Fn::Cidr takes a block of addresses, a count of 1 to 256 and a number of bits", place
            ) from None


def _refused(name: str) -> Callable[[Value, Place], Resolved]:
    def refuse(_: Value, place: Place) -> Resolved:
        raise UserError(f"{name} is not supported", place)

    return refuse
