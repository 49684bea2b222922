"""What carrying out a template would change: the `Changes` of a change set.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from penstock.aws_api.cloudformation.engine.deploy import different, faults_text
from penstock.aws_api.cloudformation.handlers.base import Handler
from penstock.aws_api.cloudformation.handlers.registry import HANDLERS
from penstock.aws_api.cloudformation.reading.design import Definition, Design
from penstock.aws_api.cloudformation.reading.values import UNKNOWN, is_unknown
from penstock.aws_api.cloudformation.records import GONE, Json, Resource
from penstock.aws_api.service import Dispatcher
from penstock.model.errors import UserError
from penstock.template.intrinsics import SUB_VARIABLE
from penstock.template.references import references

_REPLACEMENT: Final = {"Always": "True", "Conditionally": "Conditional", "Never": "False"}


@dataclass(frozen=True, slots=True)
class Plan:
    """`faults` are reasons why it cannot be carried out, each a sentence."""

    changes: list[Json]
    faults: list[str]


def plan(
    design: Design,
    current: Mapping[str, Resource],
    tags: dict[str, str],
    dispatcher: Dispatcher,
) -> Plan:
    """`current` are the stack's resources, `tags` those it is to have. Leaves `design` looking into `current`."""
    return _Planner(design, current, tags, dispatcher).plan()


class _Planner:
    def __init__(
        self, design: Design, current: Mapping[str, Resource], tags: dict[str, str], dispatcher: Dispatcher
    ) -> None:
        self._design = design
        self._current = {name: item for name, item in current.items() if item.status not in GONE}
        self._tags = tags
        self._dispatcher = dispatcher
        self._values = design.look_in(self._current.get)
        self._faults: list[str] = []

    def plan(self) -> Plan:
        self._check_types()
        changes: list[Json] = []
        if not self._faults:
            for definition in in_order(self._design):
                change = self._change(definition)
                if change is not None:
                    changes.append(change)
            self._faults += self._bad_attributes(self._design.source.section("Outputs"), self._design.resources)
            changes += [
                _named("Remove", item) for name, item in self._current.items() if name not in self._design.resources
            ]
        return Plan(changes, self._faults)

    def _check_types(self) -> None:
        unknown: dict[str, list[str]] = {}
        for name, item in self._design.resources.items():
            if item.type not in HANDLERS:
                unknown.setdefault(item.type, []).append(name)
        if unknown:
            named = ", ".join(f"{kind} ({', '.join(sorted(names))})" for kind, names in sorted(unknown.items()))
            self._faults.append(f"Template format error: Unrecognized resource types: [{named}]")

    def _change(self, definition: Definition) -> Json | None:
        name, old = definition.logical_id, self._current.get(definition.logical_id)
        handler = HANDLERS[definition.type]
        if old is not None and (not old.initiated or old.status == "CREATE_FAILED"):
            old = None
        if old is None:
            self._values.undecided.add(name)
        properties = self._resolved(definition)
        faults = handler.faults(properties, self._dispatcher)
        faults += [f"#: {fault}" for fault in self._bad_attributes(definition.properties, self._design.resources)]
        if faults:
            self._faults.append(faults_text(name, faults))
        if old is None:
            return _named("Add", Resource(name, definition.type, 0.0))
        if old.type != definition.type:
            self._values.undecided.add(name)
            return {**_named("Modify", old), "Replacement": "True", "Scope": ["Properties"], "Details": []}
        return self._modification(definition, handler, old, properties)

    def _modification(self, definition: Definition, handler: Handler, old: Resource, properties: Json) -> Json | None:
        details = [
            self._detail(definition, handler, key, properties) for key in sorted(different(old.properties, properties))
        ]
        scope = ["Properties"] if details else []
        if handler.taggable and old.tags != self._tags:
            scope.append("Tags")
            details.append(_attribute("Tags"))
        for attribute, before, after in (
            ("DeletionPolicy", old.deletion_policy, definition.deletion_policy),
            ("Metadata", old.metadata, definition.metadata),
            ("UpdateReplacePolicy", old.replace_policy, definition.replace_policy),
        ):
            if before != after:
                scope.append(attribute)
                details.append(_attribute(attribute))
        if not scope and not old.status.endswith("_FAILED"):
            return None
        recreation = {str(item["Target"].get("RequiresRecreation")) for item in details}
        worst = next((word for word in ("Always", "Conditionally") if word in recreation), "Never")
        if worst != "Never":
            self._values.undecided.add(definition.logical_id)
        return {**_named("Modify", old), "Replacement": _REPLACEMENT[worst], "Scope": scope, "Details": details}

    def _detail(self, definition: Definition, handler: Handler, key: str, properties: Json) -> Json:
        dynamic = is_unknown(properties.get(key))
        recreation = ("Conditionally" if dynamic else "Always") if key in handler.create_only else "Never"
        detail: Json = {
            "Target": {"Attribute": "Properties", "Name": key, "RequiresRecreation": recreation},
            "Evaluation": "Dynamic" if dynamic else "Static",
            "ChangeSource": "DirectModification",
        }
        for entry in references(definition.properties.get(key), ()):
            target = entry.name.split(".")[0]
            if target in self._design.declared:
                detail |= {"ChangeSource": "ParameterReference", "CausingEntity": target}
            elif target in self._values.undecided:
                source = "ResourceAttribute" if entry.function == "Fn::GetAtt" else "ResourceReference"
                detail |= {"ChangeSource": source, "CausingEntity": entry.name}
        return detail

    def _resolved(self, definition: Definition) -> Json:
        try:
            return self._design.properties(definition.logical_id)
        except UserError:
            pass
        found: Json = {}
        for key in definition.properties:
            try:
                value = self._design.property(definition.logical_id, key)
            except UserError as error:
                named = {entry.name.split(".")[0] for entry in references(definition.properties[key], ())}
                if not named & self._values.undecided:
                    self._faults.append(f"Template error: {error.message}")
                # A function of what is not known yet is not known yet.
                value = f"{UNKNOWN}}}}}"
            if value is not None:
                found[key] = value
        return found

    def _bad_attributes(self, value: Any, resources: Mapping[str, Definition]) -> Iterator[str]:
        for target, attribute in asked_attributes(value):
            if target in resources and attribute not in HANDLERS[resources[target].type].attributes:
                yield f"Template error: resource {target} does not support attribute type {attribute} in Fn::GetAtt"


def asked_attributes(value: Any) -> Iterator[tuple[str, str]]:
    """Every `Fn::GetAtt`, and every variable of `Fn::Sub`, whose resource and attribute are written out."""
    if isinstance(value, list):
        for item in value:
            yield from asked_attributes(item)
    if not isinstance(value, dict):
        return
    parts, text = value.get("Fn::GetAtt"), value.get("Fn::Sub")
    if isinstance(parts, str):
        parts = parts.split(".", 1)
    if isinstance(parts, list) and len(parts) >= 2 and all(isinstance(part, str) for part in parts):
        yield parts[0], ".".join(parts[1:])
    if isinstance(text, list) and text:
        text = text[0]
    if isinstance(text, str):
        variables = (match[1].strip().partition(".") for match in SUB_VARIABLE.finditer(text))
        yield from ((target, attribute) for target, dot, attribute in variables if dot)
    for item in value.values():
        yield from asked_attributes(item)


def in_order(design: Design) -> list[Definition]:
    """Each after all it needs."""
    found: dict[str, Definition] = {}
    left = dict(design.resources)
    while left:
        for name in [key for key, item in left.items() if item.needs <= found.keys()]:
            found[name] = left.pop(name)
    return list(found.values())


def _named(action: str, resource: Resource) -> Json:
    change: Json = {
        "Action": action,
        "LogicalResourceId": resource.logical_id,
        "ResourceType": resource.type,
        "Scope": [],
        "Details": [],
    }
    if resource.physical_id:
        change["PhysicalResourceId"] = resource.physical_id
    return change


def _attribute(name: str) -> Json:
    return {
        "Target": {"Attribute": name, "RequiresRecreation": "Never"},
        "Evaluation": "Static",
        "ChangeSource": "DirectModification",
    }
