"""What all operations share: finding stacks, and making sense of a template and its parameters."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import uuid4

from penstock.aws_api.cloudformation import limits, texts
from penstock.aws_api.cloudformation.changes import Plan, plan
from penstock.aws_api.cloudformation.engine.engine import Engine
from penstock.aws_api.cloudformation.reading.design import Design, capabilities_needed, design_of
from penstock.aws_api.cloudformation.reading.documents import parsed, template_text, transforms
from penstock.aws_api.cloudformation.reading.given import as_parameters, declarations, given_parameters
from penstock.aws_api.cloudformation.reading.processing import processed
from penstock.aws_api.cloudformation.records import Json, Stack
from penstock.aws_api.cloudformation.repository import Repository
from penstock.aws_api.service import Context, Dispatcher, Params, ServiceError
from penstock.model.errors import UserError
from penstock.template.intrinsics import partition
from penstock.template.source import Map, Source

T = TypeVar("T")
# Reading a longer template takes long enough to be felt by others; ours to choose.
_LONG: Final = 50_000
_NAME: Final = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stack as a request wants it. `fields` are those of `SAVED` without the template, which is not kept yet."""

    original: str
    template: Map
    design: Design
    fields: Json
    capabilities: tuple[str, ...]
    """Those that are needed."""
    macros: bool


@dataclass(frozen=True, slots=True)
class Desk:
    repository: Repository
    engine: Engine
    dispatcher: Dispatcher

    def stack(
        self, name: str, context: Context, refusal: Callable[[str], ServiceError] = texts.no_stack_with_id
    ) -> Stack:
        """By name, or by ARN, which finds deleted ones too. Raises `refusal`."""
        by_name = self.repository.named(context.region, name)
        found = self.repository.stack(name) if name.startswith("arn:") else by_name
        if found is None or found.region != context.region:
            raise refusal(name)
        return found

    def living(self, name: str, context: Context) -> Stack:
        """One that is not deleted. Raises ServiceError."""
        stack = self.stack(name, context, texts.no_stack)
        if stack.deleted is not None:
            raise texts.no_stack(name)
        return stack

    def new_stack(self, name: str, context: Context) -> Stack:
        """Not kept yet. Raises ServiceError for a name that cannot be."""
        if not _NAME.fullmatch(name):
            raise texts.invalid(
                f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
            )
        living = [item for item in self.repository.stacks(context.region) if item.deleted is None]
        if len(living) >= limits.STACKS:
            raise ServiceError("LimitExceededException", f"Limit for stack has been exceeded: {limits.STACKS}")
        arn = f"arn:{partition(context.region)}:cloudformation:{context.region}:{context.account_id}"
        stack_id = f"{arn}:stack/{name}/{uuid4()}"
        return Stack(stack_id, name, context.region, context.account_id, context.endpoint, self.repository.now())

    async def wanted(self, params: Params, context: Context, stack: Stack, *, update: bool) -> Wanted:
        """Raises ServiceError, and TransformFailure when a macro refuses the template."""
        text = await self._text(params, context, stack)
        try:
            return await self._made_of(text, params, stack, update=update)
        except RecursionError:
            raise texts.template_error("nested too deeply") from None

    async def _made_of(self, text: str, params: Params, stack: Stack, *, update: bool) -> Wanted:
        source = await (asyncio.to_thread(parsed, text) if len(text) > _LONG else _at_once(parsed, text))
        declared = declarations(source)
        previous = {item["key"]: item["value"] for item in stack.parameters} if update else {}
        parameters = given_parameters(declared, params.get("Parameters", ()), previous)
        values = as_parameters(declared, parameters)
        if transforms(source):
            template = await asyncio.to_thread(processed, source, values, stack.region)
        else:
            template = processed(source, values, stack.region)
        fields = {**self._fields(params, stack, update=update), "parameters": parameters}
        design = design_of(stack, template, lambda name: self.engine.export(stack, name), fields)
        needed = capabilities_needed(design.resources)
        fields["description"] = design.description
        return Wanted(text, template, design, fields, needed, bool(transforms(source)))

    async def _text(self, params: Params, context: Context, stack: Stack) -> str:
        if not params.get("UsePreviousTemplate"):
            return await template_text(params, self.dispatcher, context)
        if params.get("TemplateBody") or params.get("TemplateURL"):
            raise texts.invalid("You cannot specify both usePreviousTemplate and Template Body/Template URL.")
        if not stack.template:
            raise texts.invalid("No previous template exists for this stack")
        return self.repository.template(stack.id, stack.template)[0]

    def _fields(self, params: Params, stack: Stack, *, update: bool) -> Json:
        """What is not given stays as it is in an update."""
        if params.get("RollbackConfiguration", {}).get("RollbackTriggers"):
            raise texts.not_supported("RollbackTriggers of RollbackConfiguration")
        kept = {
            "tags": stack.tags if update else {},
            "notification_arns": stack.notification_arns if update else [],
            "rollback_configuration": stack.rollback_configuration if update else {},
            "role_arn": stack.role_arn if update else "",
            "outputs": stack.outputs,
            "imports": stack.imports,
        }
        given = {
            "tags": tags_given(params),
            "notification_arns": list(params["NotificationARNs"]) if "NotificationARNs" in params else None,
            "rollback_configuration": dict(params["RollbackConfiguration"])
            if "RollbackConfiguration" in params
            else None,
            "role_arn": params.get("RoleARN"),
        }
        capabilities = {"capabilities": [str(item) for item in params.get("Capabilities", ())]}
        return {**kept, **{name: value for name, value in given.items() if value is not None}, **capabilities}

    def plan(self, wanted: Wanted, stack: Stack) -> Plan:
        return plan(wanted.design, self.repository.resources(stack), wanted.fields["tags"], self.dispatcher)

    def changes_anything(self, wanted: Wanted, stack: Stack, changes: Sequence[Json]) -> bool:
        """Besides resources, a stack has outputs and tags."""
        if changes or wanted.fields["tags"] != stack.tags:
            return True
        if wanted.fields["notification_arns"] != stack.notification_arns:
            return True
        old = self.repository.template(stack.id, stack.template)[1]
        if old.get("Outputs") != wanted.template.get("Outputs"):
            return True
        try:
            return wanted.design.outputs() != stack.outputs
        except UserError:
            # To be told when it is carried out.
            return True

    def adopt(self, stack: Stack, wanted: Wanted) -> None:
        """The stack is now as wanted; the caller keeps it, in the same transaction."""
        revision = self.repository.keep_template(stack.id, wanted.original, wanted.template)
        self.adopt_fields(stack, {**wanted.fields, "template": revision})

    def adopt_fields(self, stack: Stack, fields: Json) -> None:
        for name, value in fields.items():
            setattr(stack, name, value)


async def _at_once(act: Callable[[str], Source], text: str) -> Source:
    return act(text)


def check_capabilities(wanted: Wanted, *, reviewed: bool) -> None:
    """Raises ServiceError when one is needed that was not given; the stronger one counts for the weaker.

    `reviewed`: a change set shows what macros make, so none is needed for them.
    """
    given = set(wanted.fields["capabilities"])
    if "CAPABILITY_NAMED_IAM" in given:
        given.add("CAPABILITY_IAM")
    expanding = ("CAPABILITY_AUTO_EXPAND",) if wanted.macros and not reviewed else ()
    missing = [item for item in (*wanted.capabilities, *expanding) if item not in given]
    if missing:
        raise texts.needs_capabilities(missing)


def tags_given(params: Params) -> dict[str, str] | None:
    if "Tags" not in params:
        return None
    tags = {str(item["Key"]): str(item["Value"]) for item in params["Tags"]}
    if len(tags) > limits.TAGS:
        raise texts.invalid(f"Number of tags exceeds the maximum of {limits.TAGS}")
    for key in tags:
        if key.lower().startswith("aws:"):
            raise texts.invalid("aws: prefixed tag key names are not allowed for external use.")
    return tags


def page(items: Sequence[T], params: Params) -> tuple[Sequence[T], dict[str, Any]]:
    """The page that NextToken asks for, and the NextToken of the one after it."""
    token = params.get("NextToken")
    start = 0 if token is None else position(token)
    end = start + limits.PAGE
    return items[start:end], {"NextToken": str(end)} if end < len(items) else {}


def position(token: Any) -> int:
    """What a NextToken of ours stands for."""
    text = str(token)
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise texts.invalid("Invalid NextToken")
    return int(text)
