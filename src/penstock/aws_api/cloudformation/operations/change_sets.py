"""Operations on change sets. A change set is made before it is answered: there is no state in between to see."""

from collections.abc import Mapping
from typing import Final
from uuid import uuid4

from penstock.aws_api.cloudformation import limits, texts
from penstock.aws_api.cloudformation.operations.desk import Desk, check_capabilities, page
from penstock.aws_api.cloudformation.operations.stacks import (
    check_updatable,
    remember,
    set_options,
    start_creation,
    start_update,
)
from penstock.aws_api.cloudformation.operations.views import change_set_summary_view, change_set_view, change_view
from penstock.aws_api.cloudformation.reading.processing import TransformFailure
from penstock.aws_api.cloudformation.records import ChangeSet, Json, Stack
from penstock.aws_api.service import Answer, Call, Context, Operation, Params, ServiceError
from penstock.template.intrinsics import partition

_REVIEW: Final = "REVIEW_IN_PROGRESS"


class ChangeSetOperations:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._repository = desk.repository

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {
            "CreateChangeSet": self.create,
            "DeleteChangeSet": self.delete,
            "DescribeChangeSet": self.describe,
            "ExecuteChangeSet": self.execute,
            "ListChangeSets": self.list,
        }

    async def create(self, call: Call) -> Answer:
        params, context = call.params, call.context
        kind = str(params.get("ChangeSetType", "UPDATE"))
        for name in ("DeploymentMode", "ImportExistingResources", "IncludeNestedStacks", "ResourcesToImport"):
            if params.get(name):
                raise texts.not_supported(f"{name} of CreateChangeSet")
        if kind not in ("CREATE", "UPDATE"):
            raise texts.not_supported(f"ChangeSetType {kind}")
        stack, new = self._subject(str(params["StackName"]), kind, str(params["ChangeSetName"]), context)
        self._check_free(stack, str(params["ChangeSetName"]))
        change_set = self._new(stack, kind, params, context)
        try:
            wanted = await self._desk.wanted(params, context, stack, update=kind == "UPDATE")
        except TransformFailure as failure:
            _failed(change_set, str(failure))
        else:
            check_capabilities(wanted, reviewed=True)
            found = self._desk.plan(wanted, stack)
            change_set.changes = found.changes
            if found.faults:
                _failed(change_set, "\n".join(found.faults))
            elif kind == "UPDATE" and not self._desk.changes_anything(wanted, stack, found.changes):
                _failed(change_set, texts.NO_CHANGES)
            change_set.wanted = dict(wanted.fields)
        stack, new = self._again(stack, new, change_set, context)
        self._check_free(stack, change_set.name)
        with self._repository.transaction():
            if change_set.wanted:
                revision = self._repository.keep_template(stack.id, wanted.original, wanted.template)
                change_set.wanted["template"] = revision
            if new:
                self._repository.add(stack)
                self._repository.stack_event(stack, texts.BY_USER)
            self._repository.keep_change_set(change_set)
        return {"Id": change_set.id, "StackId": stack.id}

    def _subject(self, name: str, kind: str, change_set: str, context: Context) -> tuple[Stack, bool]:
        """The stack, and whether it is new. Raises ServiceError."""
        found = self._repository.stack(name) if name.startswith("arn:") else None
        stack = found or self._repository.named(context.region, name)
        if stack is not None and stack.deleted is not None:
            stack = None
        if kind == "CREATE":
            if stack is None:
                return self._desk.new_stack(name, context), True
            if stack.status != _REVIEW:
                told = f"Stack [{stack.name}] already exists and cannot be created again with the changeSet"
                raise texts.invalid(f"{told} [{change_set}].")
            return stack, False
        if stack is None:
            raise texts.no_stack(name)
        if stack.status == _REVIEW:
            raise texts.invalid(f"Stack [{name}] does not exist")
        check_updatable(stack)
        return stack, False

    def _again(self, stack: Stack, new: bool, change_set: ChangeSet, context: Context) -> tuple[Stack, bool]:
        """The same after a pause, in which another call may have come."""
        if new:
            if self._repository.named(context.region, stack.name) is not None:
                raise texts.stack_exists(stack.name)
            return stack, True
        return self._subject(stack.id, change_set.type, change_set.name, context)

    def _check_free(self, stack: Stack, name: str) -> None:
        others = self._repository.change_sets(stack.id)
        if any(item.name == name for item in others):
            raise texts.change_set_exists(name)
        if len(others) >= limits.CHANGE_SETS_OF_A_STACK:
            raise ServiceError("LimitExceededException", f"ChangeSet limit exceeded for stack {stack.name}")

    def _new(self, stack: Stack, kind: str, params: Params, context: Context) -> ChangeSet:
        name = str(params["ChangeSetName"])
        arn = f"arn:{partition(context.region)}:cloudformation:{context.region}:{context.account_id}"
        options: Json = {}
        if "OnStackFailure" in params:
            options["on_failure"] = str(params["OnStackFailure"])
            if kind == "UPDATE" and options["on_failure"] == "DELETE":
                raise texts.invalid("OnStackFailure cannot be set to DELETE for an UPDATE change set")
        return ChangeSet(
            id=f"{arn}:changeSet/{name}/{uuid4()}",
            name=name,
            stack_id=stack.id,
            stack_name=stack.name,
            type=kind,
            created=self._repository.now(),
            description=str(params.get("Description", "")),
            options=options,
        )

    def _found(self, params: Params, context: Context) -> ChangeSet:
        """By ARN, or by its name and its stack's. Raises ServiceError."""
        name, stack_name = str(params["ChangeSetName"]), params.get("StackName")
        if name.startswith("arn:"):
            change_set = self._repository.change_set(name)
            if change_set is None:
                raise texts.no_change_set(name)
            return change_set
        if not stack_name:
            raise texts.invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
        stack = self._desk.stack(str(stack_name), context, texts.no_stack)
        for item in self._repository.change_sets(stack.id):
            if item.name == name:
                return item
        raise texts.no_change_set(name)

    def describe(self, call: Call) -> Answer:
        change_set = self._found(call.params, call.context)
        changes, more = page(change_set.changes, call.params)
        return {**change_set_view(change_set), "Changes": [change_view(item) for item in changes], **more}

    def list(self, call: Call) -> Answer:
        stack = self._desk.stack(str(call.params["StackName"]), call.context, texts.no_stack)
        found, more = page(self._repository.change_sets(stack.id), call.params)
        return {"Summaries": [change_set_summary_view(item) for item in found], **more}

    def delete(self, call: Call) -> Answer:
        name = str(call.params["ChangeSetName"])
        try:
            change_set = self._found(call.params, call.context)
        except ServiceError as error:
            if error.code == "ChangeSetNotFound" and name.startswith("arn:"):
                # By ARN, what is gone already is deleted.
                return {}
            raise
        if change_set.execution == "EXECUTE_IN_PROGRESS":
            raise ServiceError(
                "InvalidChangeSetStatus",
                f"ChangeSet [{change_set.id}] cannot be deleted in its current execution status of "
                f"[{change_set.execution}]",
            )
        with self._repository.transaction():
            self._repository.drop_change_set(change_set)
            stack = self._repository.stack(change_set.stack_id)
            if stack is not None:
                self._repository.drop_templates(stack)
        return {}

    async def execute(self, call: Call) -> Answer:
        params = call.params
        change_set = self._found(params, call.context)
        if change_set.execution != "AVAILABLE":
            status = change_set.status if change_set.execution == "UNAVAILABLE" else change_set.execution
            raise texts.not_executable(change_set.id, status)
        stack = self._desk.living(change_set.stack_id, call.context)
        create = stack.status == _REVIEW
        if not create:
            check_updatable(stack)
        with self._repository.transaction():
            self._use(change_set, stack)
            stack.endpoint = call.context.endpoint
            if create:
                set_options(stack, _creation_options(change_set, params))
            else:
                stack.disable_rollback = bool(params.get("DisableRollback", _does_nothing(change_set)))
                stack.retain_except_on_create = bool(params.get("RetainExceptOnCreate", False))
                remember(self._desk, stack)
            self._desk.adopt_fields(stack, change_set.wanted)
            stack.change_set_id = change_set.id
            if create:
                start_creation(self._desk, stack, params, new=False, change_set=change_set.id)
            else:
                start_update(self._desk, stack, params, change_set=change_set.id)
        await (self._desk.engine.create if create else self._desk.engine.update)(stack)
        return {}

    def _use(self, change_set: ChangeSet, stack: Stack) -> None:
        """The others would change what is no more: CloudFormation deletes them.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html
        """
        change_set.execution = "EXECUTE_IN_PROGRESS"
        self._repository.keep_change_set(change_set)
        for other in self._repository.change_sets(stack.id):
            if other.id != change_set.id:
                self._repository.drop_change_set(other)


def _failed(change_set: ChangeSet, reason: str) -> None:
    change_set.status, change_set.reason, change_set.execution = "FAILED", reason, "UNAVAILABLE"


def _does_nothing(change_set: ChangeSet) -> bool:
    return change_set.options.get("on_failure") == "DO_NOTHING"


def _creation_options(change_set: ChangeSet, params: Params) -> Json:
    options: Json = {"RetainExceptOnCreate": params.get("RetainExceptOnCreate", False)}
    if "DisableRollback" in params:
        options["DisableRollback"] = params["DisableRollback"]
    elif "on_failure" in change_set.options:
        options["OnFailure"] = change_set.options["on_failure"]
    return options
