"""Operations on templates: what a stack has, what a template says, whether it is one."""

import json
from collections.abc import Mapping
from typing import Any

from penstock.aws_api.cloudformation import texts
from penstock.aws_api.cloudformation.handlers.registry import HANDLERS
from penstock.aws_api.cloudformation.operations.desk import Desk
from penstock.aws_api.cloudformation.operations.views import without_none
from penstock.aws_api.cloudformation.reading.documents import parsed, template_text, transforms
from penstock.aws_api.cloudformation.reading.given import HIDDEN, Declaration, declarations
from penstock.aws_api.cloudformation.records import Json
from penstock.aws_api.service import Answer, Call, Operation
from penstock.template.source import Source

# SAM's types that become IAM roles. https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
_MAKE_ROLES = ("AWS::Serverless::Function", "AWS::Serverless::CapacityProvider", "AWS::Serverless::StateMachine")


class TemplateOperations:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {
            "GetTemplate": self.get,
            "GetTemplateSummary": self.summary,
            "ValidateTemplate": self.validate,
        }

    def get(self, call: Call) -> Answer:
        params, repository = call.params, self._desk.repository
        stage = str(params.get("TemplateStage", "Original"))
        stack_id, revision = self._revision(call)
        original, processed = repository.template(stack_id, revision)
        body = original if stage == "Original" else json.dumps(processed)
        return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}

    def _revision(self, call: Call) -> tuple[str, str]:
        params, repository = call.params, self._desk.repository
        name = str(params.get("ChangeSetName", ""))
        if name.startswith("arn:"):
            change_set = repository.change_set(name)
            if change_set is None:
                raise texts.no_change_set(name)
            return change_set.stack_id, str(change_set.wanted.get("template", ""))
        stack = self._desk.stack(str(params.get("StackName", "")), call.context)
        if not name:
            if not stack.template:
                raise texts.no_stack_with_id(stack.name)
            return stack.id, stack.template
        for item in repository.change_sets(stack.id):
            if item.name == name:
                return stack.id, str(item.wanted.get("template", ""))
        raise texts.no_change_set(name)

    async def summary(self, call: Call) -> Answer:
        params = call.params
        if params.get("StackSetName"):
            raise texts.not_supported("StackSetName of GetTemplateSummary")
        if params.get("StackName"):
            stack = self._desk.stack(str(params["StackName"]), call.context)
            text = self._desk.repository.template(stack.id, stack.template)[0]
        else:
            text = await template_text(params, self._desk.dispatcher, call.context)
        source = parsed(text)
        types = _types(source)
        by_type: dict[str, list[str]] = {}
        for name, item in source.section("Resources").items():
            if isinstance(item, dict) and isinstance(item.get("Type"), str):
                by_type.setdefault(str(item["Type"]), []).append(name)
        unknown = [kind for kind in types if kind not in HANDLERS and not kind.startswith("AWS::Serverless::")]
        return without_none(
            Parameters=[_declaration(item) for item in declarations(source).values()],
            **_about(source, types),
            ResourceTypes=types,
            Version=_text(source.content.get("AWSTemplateFormatVersion")),
            Metadata=json.dumps(source.content["Metadata"]) if "Metadata" in source.content else None,
            ResourceIdentifierSummaries=[
                {"ResourceType": kind, "LogicalResourceIds": names} for kind, names in sorted(by_type.items())
            ],
            Warnings={"UnrecognizedResourceTypes": unknown} if unknown else None,
        )

    async def validate(self, call: Call) -> Answer:
        source = parsed(await template_text(call.params, self._desk.dispatcher, call.context))
        parameters = [
            without_none(
                ParameterKey=item.name,
                DefaultValue=_default(item),
                NoEcho=item.no_echo,
                Description=item.description or None,
            )
            for item in declarations(source).values()
        ]
        return without_none(Parameters=parameters, **_about(source, _types(source)))


def _about(source: Source, types: list[str]) -> Json:
    capabilities, reason = _capabilities(source, types)
    return {
        "Description": _text(source.content.get("Description")),
        "Capabilities": capabilities or None,
        "CapabilitiesReason": reason or None,
        "DeclaredTransforms": transforms(source) or None,
    }


def _capabilities(source: Source, types: list[str]) -> tuple[list[str], str]:
    makers = [kind for kind in types if kind.startswith("AWS::IAM::") or kind in _MAKE_ROLES]
    found: list[str] = []
    reason = ""
    if makers:
        named = any(_is_named(item) for item in source.section("Resources").values())
        found.append("CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM")
        reason = f"The following resource(s) require capabilities: [{', '.join(makers)}]"
    if transforms(source):
        found.append("CAPABILITY_AUTO_EXPAND")
        reason = reason or f"The following transform(s) require capabilities: [{', '.join(transforms(source))}]"
    return found, reason


def _is_named(resource: Any) -> bool:
    if not isinstance(resource, dict) or not str(resource.get("Type", "")).startswith("AWS::IAM::"):
        return False
    properties = resource.get("Properties")
    names = ("GroupName", "InstanceProfileName", "ManagedPolicyName", "RoleName", "UserName")
    return isinstance(properties, dict) and any(name in properties for name in names)


def _types(source: Source) -> list[str]:
    items = source.section("Resources").values()
    kinds = [item.get("Type") for item in items if isinstance(item, dict)]
    return list(dict.fromkeys(kind for kind in kinds if isinstance(kind, str)))


def _declaration(item: Declaration) -> Json:
    return without_none(
        ParameterKey=item.name,
        DefaultValue=_default(item),
        ParameterType=item.type,
        NoEcho=item.no_echo,
        Description=item.description or None,
        ParameterConstraints={"AllowedValues": item.allowed} if item.allowed else {},
    )


def _default(item: Declaration) -> str | None:
    return HIDDEN if item.no_echo and item.default is not None else item.default


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
