"""A processed template with its parameters, as the engine takes it: which resources, after which others, with what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.aws_api.cloudformation import limits
from penstock.aws_api.cloudformation.reading.given import Declaration, as_parameters, declarations
from penstock.aws_api.cloudformation.reading.values import StackResolver, StackValues
from penstock.aws_api.cloudformation.records import Json, Resource, Stack
from penstock.aws_api.cloudformation.texts import invalid, not_supported, template_error
from penstock.model.errors import Place, UserError
from penstock.template.intrinsics import Absent, Pseudo, text_of
from penstock.template.references import references
from penstock.template.source import Map, Source, Value

_FILE: Final = Path("template")
_PLACE: Final = Place(_FILE)
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-product-attribute-reference.html
_ATTRIBUTES: Final = frozenset(
    ("Condition", "DeletionPolicy", "DependsOn", "Metadata", "Properties", "Type", "UpdateReplacePolicy")
)
# No type that is made here heeds them.
_IGNORED_NOWHERE: Final = ("CreationPolicy", "UpdatePolicy")
_POLICIES: Final = ("Delete", "Retain", "Snapshot", "RetainExceptOnCreate")


@dataclass(frozen=True, slots=True)
class Definition:
    """One resource as the template has it; `needs` are the resources it is made after."""

    logical_id: str
    type: str
    properties: Map
    needs: frozenset[str]
    deletion_policy: str
    replace_policy: str
    metadata: Json | None


class Design:
    """Raises ServiceError on a template that cannot be carried out."""

    def __init__(
        self,
        template: Map,
        parameters: list[Json],
        pseudo: Pseudo,
        export: Callable[[str], str | None],
        notification_arns: list[str],
    ) -> None:
        self.source = Source(_FILE, template, {})
        self.declared: dict[str, Declaration] = declarations(self.source)
        values = as_parameters(self.declared, parameters)
        self.resolver = StackResolver(self.source, values, pseudo, export, notification_arns)
        self._known = {*values, *pseudo.values()}
        try:
            self.resources = self._active()
            self._check_outputs()
        except UserError as error:
            raise _told(error) from None
        if len(self.resources) > limits.RESOURCES:
            raise template_error(f"Number of resources, {len(self.resources)}, is greater than maximum allowed, 500")
        self._check_circles()

    @property
    def description(self) -> str:
        return str(self.source.content.get("Description", ""))

    @property
    def needs(self) -> dict[str, frozenset[str]]:
        return {name: item.needs for name, item in self.resources.items()}

    def look_in(self, find: Callable[[str], Resource | None]) -> StackValues:
        """Let references take their values from `find`."""
        values = StackValues(self.resources, find)
        self.resolver.resources = values
        return values

    def properties(self, logical_id: str) -> Json:
        """Raises UserError for a value that cannot be had."""
        resolved = self.resolver.resolve(self.resources[logical_id].properties, _PLACE)
        assert isinstance(resolved, dict)
        return resolved

    def property(self, logical_id: str, name: str) -> Value:
        resolved = self.resolver.resolve(self.resources[logical_id].properties[name], _PLACE)
        return None if isinstance(resolved, Absent) else resolved

    def outputs(self) -> list[Json]:
        """`[{"key", "value", "description", "export"}]`. Raises UserError."""
        found = []
        for name, item in self._active_outputs().items():
            entry: Json = {"key": name, "value": self._text(item.get("Value"), f"Output {name}")}
            entry["description"] = str(item.get("Description", ""))
            export = item.get("Export")
            if isinstance(export, dict):
                entry["export"] = self._text(export.get("Name"), f"Export of output {name}")
            found.append(entry)
        return found

    def _text(self, value: Value, what: str) -> str:
        resolved = self.resolver.resolve(value, _PLACE)
        text = None if isinstance(resolved, Absent) else text_of(resolved)
        if text is None:
            raise UserError(f"{what}: the Value field must be a string")
        return text

    def _holds(self, item: Map) -> bool:
        return "Condition" not in item or self.resolver.condition(item["Condition"], _PLACE)

    def _active(self) -> dict[str, Definition]:
        items = {name: item for name, item in self.source.section("Resources").items() if isinstance(item, dict)}
        active = {name: item for name, item in items.items() if self._holds(item)}
        found, unresolved = {}, set()
        for name, item in active.items():
            if not name.isalnum() or not name.isascii():
                raise template_error(f"Resource name {name} is non alphanumeric.")
            chosen = self.resolver.chosen(item.get("Properties", {}), _PLACE)
            named = {(entry.function, entry.name.split(".")[0]) for entry in references(chosen, ())}
            depends_on = _depends_on(item)
            for function, target in named:
                if target not in active and target not in self._known:
                    if function == "Fn::GetAtt":
                        raise invalid(f"Template error: instance of Fn::GetAtt references undefined resource {target}")
                    unresolved.add(target)
            unresolved |= {target for target in depends_on if target not in items}
            needs = ({target for _, target in named} | depends_on) & active.keys()
            found[name] = self._definition(name, item, frozenset(needs))
        if unresolved:
            raise _unresolved(unresolved, "Resources")
        return found

    def _definition(self, name: str, item: Map, needs: frozenset[str]) -> Definition:
        for attribute in item:
            if attribute in _IGNORED_NOWHERE:
                raise not_supported(f"{attribute} of resource {name}")
            if attribute not in _ATTRIBUTES:
                raise invalid(f"Invalid template resource property '{attribute}'")
        kind, properties, metadata = item.get("Type"), item.get("Properties", {}), item.get("Metadata")
        if not isinstance(kind, str):
            raise template_error(f"[/Resources/{name}] Every Resources object must contain a Type member.")
        if not isinstance(properties, dict):
            raise template_error(f"[/Resources/{name}/Properties] Every Properties member must be an object.")
        return Definition(
            name,
            kind,
            properties,
            needs,
            self._policy(name, item, "DeletionPolicy"),
            self._policy(name, item, "UpdateReplacePolicy"),
            metadata if isinstance(metadata, dict) else None,
        )

    def _policy(self, name: str, item: Map, which: str) -> str:
        value = self.resolver.resolve(item.get(which, "Delete"), _PLACE)
        if value not in _POLICIES:
            raise template_error(f"Unrecognized {which} {value} for resource {name}")
        return str(value)

    def _active_outputs(self) -> dict[str, Map]:
        items = {name: item for name, item in self.source.section("Outputs").items() if isinstance(item, dict)}
        return {name: item for name, item in items.items() if self._holds(item)}

    def _check_outputs(self) -> None:
        unresolved = set()
        for name, item in self._active_outputs().items():
            if "Value" not in item:
                raise template_error(f"Output {name} is malformed. Every Outputs member must contain a Value object")
            chosen = self.resolver.chosen({key: item[key] for key in ("Value", "Export") if key in item}, _PLACE)
            for entry in references(chosen, ()):
                target = entry.name.split(".")[0]
                if target not in self.resources and target not in self._known:
                    unresolved.add(target)
        if unresolved:
            raise _unresolved(unresolved, "Outputs")

    def _check_circles(self) -> None:
        left = dict(self.needs)
        while True:
            free = [name for name, needs in left.items() if not needs & left.keys()]
            if not free:
                break
            for name in free:
                del left[name]
        if left:
            raise invalid(f"Circular dependency between resources: [{', '.join(sorted(left))}]")


def _depends_on(item: Map) -> set[str]:
    names = item.get("DependsOn", [])
    return {str(name) for name in (names if isinstance(names, list) else [names])}


def _unresolved(names: set[str], block: str) -> Exception:
    listed = ", ".join(sorted(names))
    return template_error(f"Unresolved resource dependencies [{listed}] in the {block} block of the template")


def _told(error: UserError) -> Exception:
    return invalid(f"Template error: {error.message}")


def pseudo_of(stack: Stack) -> Pseudo:
    return Pseudo(stack.region, stack.account, stack.name, stack.id)


def design_of(stack: Stack, template: Map, export: Callable[[str], str | None], wanted: Json | None = None) -> Design:
    """The design of a stack's template. `wanted` are fields that it is to have instead of its own."""
    fields = wanted or {"parameters": stack.parameters, "notification_arns": stack.notification_arns}
    return Design(template, fields["parameters"], pseudo_of(stack), export, fields["notification_arns"])


def capabilities_needed(resources: Mapping[str, Definition]) -> tuple[str, ...]:
    """What must be acknowledged before these are made, the stronger one alone.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html (Capabilities)
    """
    names = {
        "AWS::IAM::Group": "GroupName",
        "AWS::IAM::InstanceProfile": "InstanceProfileName",
        "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
        "AWS::IAM::Role": "RoleName",
        "AWS::IAM::User": "UserName",
    }
    nameless = ("AWS::IAM::AccessKey", "AWS::IAM::Policy", "AWS::IAM::UserToGroupAddition")
    found = [item for item in resources.values() if item.type in names or item.type in nameless]
    if any(names.get(item.type, "") in item.properties for item in found):
        return ("CAPABILITY_NAMED_IAM",)
    return ("CAPABILITY_IAM",) if found else ()
