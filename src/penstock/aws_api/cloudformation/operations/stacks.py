"""Operations that change stacks: create, update, delete and what belongs to them."""

from collections.abc import Mapping
from typing import Final
from uuid import uuid4

from penstock.aws_api.cloudformation import texts
from penstock.aws_api.cloudformation.exports import importers
from penstock.aws_api.cloudformation.operations.desk import Desk, Wanted, check_capabilities
from penstock.aws_api.cloudformation.reading.documents import template_text
from penstock.aws_api.cloudformation.reading.processing import TransformFailure
from penstock.aws_api.cloudformation.records import SAVED, Json, Stack
from penstock.aws_api.service import Answer, Call, Operation, Params

# From which states a stack may be updated.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html (stack status codes)
UPDATABLE: Final = frozenset(
    ("CREATE_COMPLETE", "CREATE_FAILED", "UPDATE_COMPLETE", "UPDATE_FAILED", "UPDATE_ROLLBACK_COMPLETE")
)
_DELETABLE_WHILE: Final = frozenset(("CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS"))


class StackOperations:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._repository = desk.repository
        self._engine = desk.engine

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {
            "CancelUpdateStack": self.cancel_update,
            "ContinueUpdateRollback": self.continue_rollback,
            "CreateStack": self.create,
            "DeleteStack": self.delete,
            "GetStackPolicy": self.get_policy,
            "RollbackStack": self.rollback,
            "SetStackPolicy": self.set_policy,
            "UpdateStack": self.update,
            "UpdateTerminationProtection": self.protect,
        }

    async def create(self, call: Call) -> Answer:
        params, context = call.params, call.context
        name = str(params["StackName"])
        self._must_be_new(name, call)
        stack = self._desk.new_stack(name, context)
        set_options(stack, params)
        wanted = await self._wanted(call, stack, update=False)
        check_capabilities(wanted, reviewed=False)
        self._refuse_faults(wanted, stack)
        self._must_be_new(name, call)
        with self._repository.transaction():
            self._desk.adopt(stack, wanted)
            start_creation(self._desk, stack, params, new=True)
        await self._engine.create(stack)
        return {"StackId": stack.id}

    def _must_be_new(self, name: str, call: Call) -> None:
        if self._repository.named(call.context.region, name) is not None:
            raise texts.stack_exists(name)

    async def _wanted(self, call: Call, stack: Stack, *, update: bool) -> Wanted:
        try:
            return await self._desk.wanted(call.params, call.context, stack, update=update)
        except TransformFailure as failure:
            raise texts.invalid(str(failure)) from None

    def _refuse_faults(self, wanted: Wanted, stack: Stack) -> list[Json]:
        found = self._desk.plan(wanted, stack)
        if found.faults:
            raise texts.invalid("\n".join(found.faults))
        return found.changes

    async def update(self, call: Call) -> Answer:
        params, context = call.params, call.context
        stack = self._desk.living(str(params["StackName"]), context)
        check_updatable(stack)
        wanted = await self._wanted(call, stack, update=True)
        check_capabilities(wanted, reviewed=False)
        changes = self._refuse_faults(wanted, stack)
        if not self._desk.changes_anything(wanted, stack, changes):
            raise texts.invalid(texts.NO_UPDATES)
        stack = self._desk.living(stack.id, context)
        check_updatable(stack)
        with self._repository.transaction():
            stack.disable_rollback = bool(params.get("DisableRollback", False))
            stack.retain_except_on_create = bool(params.get("RetainExceptOnCreate", False))
            stack.endpoint = context.endpoint
            remember(self._desk, stack)
            self._desk.adopt(stack, wanted)
            start_update(self._desk, stack, params)
        await self._engine.update(stack)
        return {"StackId": stack.id}

    async def delete(self, call: Call) -> Answer:
        params, context = call.params, call.context
        name = str(params["StackName"])
        found = self._repository.stack(name) if name.startswith("arn:") else None
        stack = found or self._repository.named(context.region, name)
        if stack is None or stack.deleted is not None:
            # Deleting what is not there is no error.
            return {}
        if stack.protected:
            raise texts.invalid(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        if stack.busy and stack.status not in _DELETABLE_WHILE:
            raise texts.not_deletable(stack.name, stack.status)
        retain = [str(item) for item in params.get("RetainResources", ())]
        self._check_retained(stack, retain)
        force = params.get("DeletionMode") == "FORCE_DELETE_STACK"
        if force and stack.status != "DELETE_FAILED":
            raise texts.invalid("FORCE_DELETE_STACK can only be used on a stack in the DELETE_FAILED state")
        if stack.status == "DELETE_IN_PROGRESS" or self._in_use(stack):
            return {}
        with self._repository.transaction():
            stack.status, stack.reason = "DELETE_IN_PROGRESS", ""
            stack.operation = _operation("delete", params, phase="delete", retain=retain, force=force)
            self._repository.keep(stack)
            self._repository.stack_event(stack, texts.BY_USER)
            for change_set in self._repository.change_sets(stack.id):
                self._repository.drop_change_set(change_set)
        await self._engine.delete(stack)
        return {}

    def _check_retained(self, stack: Stack, retain: list[str]) -> None:
        if not retain:
            return
        if stack.status != "DELETE_FAILED":
            raise texts.invalid(
                f"Invalid operation on stack [{stack.id}]. When you delete a stack, specify which resources to retain "
                "only when the stack is in the DELETE_FAILED state."
            )
        unknown = [name for name in retain if name not in self._repository.resources(stack)]
        if unknown:
            listed = ", ".join(unknown)
            raise texts.invalid(f"The specified resources to retain do not exist in the stack: [{listed}]")

    def _in_use(self, stack: Stack) -> bool:
        """Whether another stack imports from this one: the stack stays as it is, and says why."""
        stacks = self._repository.stacks(stack.region)
        for name in (item["export"] for item in stack.outputs if "export" in item):
            users = [item.name for item in importers(stacks, name) if item.id != stack.id]
            if users:
                reason = f"Delete canceled. Cannot delete export {name} as it is in use by {', '.join(users)}."
                with self._repository.transaction():
                    stack.reason = reason
                    self._repository.keep(stack)
                    self._repository.stack_event(stack, reason)
                return True
        return False

    def cancel_update(self, call: Call) -> Answer:
        stack = self._desk.living(str(call.params["StackName"]), call.context)
        if stack.status != "UPDATE_IN_PROGRESS":
            raise texts.invalid("CancelUpdateStack cannot be called from current stack status")
        self._engine.cancel(stack, texts.BY_USER)
        return {}

    async def rollback(self, call: Call) -> Answer:
        stack = self._desk.living(str(call.params["StackName"]), call.context)
        if stack.status not in ("CREATE_FAILED", "UPDATE_FAILED"):
            raise texts.invalid(f"RollbackStack cannot be called from current stack status [{stack.status}]")
        creation = stack.status == "CREATE_FAILED"
        with self._repository.transaction():
            stack.operation = _operation("create" if creation else "update", call.params, phase="rollback")
            stack.status = "ROLLBACK_IN_PROGRESS" if creation else "UPDATE_ROLLBACK_IN_PROGRESS"
            stack.reason = ""
            if not creation:
                self._desk.adopt_fields(stack, stack.previous or {})
            if "RetainExceptOnCreate" in call.params:
                stack.retain_except_on_create = bool(call.params["RetainExceptOnCreate"])
            self._repository.keep(stack)
            self._repository.stack_event(stack, texts.BY_USER)
        await (self._engine.take_back_creation if creation else self._engine.take_back_update)(stack)
        return {"StackId": stack.id}

    async def continue_rollback(self, call: Call) -> Answer:
        stack = self._desk.living(str(call.params["StackName"]), call.context)
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            told = f"Stack [{stack.name}] is in {stack.status} state and can not continue update rollback."
            raise texts.invalid(told)
        skip = [str(item) for item in call.params.get("ResourcesToSkip", ())]
        unknown = [name for name in skip if name not in self._repository.resources(stack)]
        if unknown:
            raise texts.invalid(f"Resources to skip [{', '.join(unknown)}] do not exist in the stack")
        with self._repository.transaction():
            stack.operation = _operation("update", call.params, phase="rollback", skip=skip)
            stack.status, stack.reason = "UPDATE_ROLLBACK_IN_PROGRESS", ""
            self._repository.keep(stack)
            self._repository.stack_event(stack, texts.BY_USER)
        await self._engine.take_back_update(stack)
        return {}

    def protect(self, call: Call) -> Answer:
        stack = self._desk.living(str(call.params["StackName"]), call.context)
        stack.protected = bool(call.params["EnableTerminationProtection"])
        self._repository.keep(stack)
        return {"StackId": stack.id}

    async def set_policy(self, call: Call) -> Answer:
        """Kept and shown; updates are not held against it."""
        policy = await template_text(call.params, self._desk.dispatcher, call.context, "StackPolicy")
        stack = self._desk.living(str(call.params["StackName"]), call.context)
        stack.policy = policy
        self._repository.keep(stack)
        return {}

    def get_policy(self, call: Call) -> Answer:
        stack = self._desk.living(str(call.params["StackName"]), call.context)
        return {"StackPolicyBody": stack.policy} if stack.policy else {}


def check_updatable(stack: Stack) -> None:
    # A creation that failed may go on with an update only when it was not to be rolled back.
    if stack.status not in UPDATABLE:
        raise texts.not_updatable(stack.id, stack.status)


def set_options(stack: Stack, params: Params) -> None:
    """What only the creation of a stack is told. Raises ServiceError."""
    if "OnFailure" in params and "DisableRollback" in params:
        raise texts.invalid("You cannot specify both DisableRollback and OnFailure.")
    stack.on_failure = str(params.get("OnFailure", "ROLLBACK"))
    stack.disable_rollback = bool(params.get("DisableRollback", stack.on_failure == "DO_NOTHING"))
    stack.retain_except_on_create = bool(params.get("RetainExceptOnCreate", False))
    stack.timeout_minutes = params.get("TimeoutInMinutes")
    stack.protected = bool(params.get("EnableTerminationProtection", False))
    stack.policy = str(params.get("StackPolicyBody", ""))


def start_creation(desk: Desk, stack: Stack, params: Params, *, new: bool, change_set: str = "") -> None:
    """Inside a transaction: what has begun is kept before it begins."""
    stack.operation = _operation("create", params, phase="deploy", change_set=change_set)
    stack.status, stack.reason = "CREATE_IN_PROGRESS", ""
    if new:
        desk.repository.add(stack)
    else:
        desk.repository.keep(stack)
    desk.repository.stack_event(stack, texts.BY_USER)


def remember(desk: Desk, stack: Stack) -> None:
    """Inside a transaction: what a rollback returns to; the same still after a failure that was not rolled back."""
    if stack.previous is not None:
        return
    stack.previous = {name: getattr(stack, name) for name in SAVED}
    resources = desk.repository.resources(stack)
    whole = (item for item in resources.values() if item.exists and item.status != "CREATE_FAILED")
    desk.repository.keep_before(stack, whole)


def start_update(desk: Desk, stack: Stack, params: Params, change_set: str = "") -> None:
    stack.operation = _operation("update", params, phase="deploy", change_set=change_set)
    stack.status, stack.reason = "UPDATE_IN_PROGRESS", ""
    stack.updated = desk.repository.now()
    desk.repository.keep(stack)
    desk.repository.stack_event(stack, texts.BY_USER)


def _operation(kind: str, params: Params, **more: object) -> Json:
    return {"kind": kind, "token": uuid4().hex, "client_token": str(params.get("ClientRequestToken", "")), **more}
