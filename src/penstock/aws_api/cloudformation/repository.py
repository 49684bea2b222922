"""Stacks, resources, events, templates and change sets in the store."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from penstock.aws_api.cloudformation import limits
from penstock.aws_api.cloudformation.records import ChangeSet, Json, Resource, Stack
from penstock.aws_api.store import Store, Table
from penstock.model.clock import Clock

STACK_TYPE: Final = "AWS::CloudFormation::Stack"
# Events a second apart at least by this: clients tell them by their time, which is written in milliseconds.
_TICK: Final = 0.001


class Repository:
    """Keys: a stack's ARN; `|` and the logical id, or a number, follow it for what belongs to the stack."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._stacks = store.table("cloudformation.stack")
        self._names = store.table("cloudformation.name")
        self._resources = store.table("cloudformation.resource")
        self._before = store.table("cloudformation.before")
        self._leftovers = store.table("cloudformation.leftover")
        self._events = store.table("cloudformation.event")
        self._templates = store.table("cloudformation.template")
        self._change_sets = store.table("cloudformation.change_set")
        self._counters = store.table("cloudformation.counter")

    def transaction(self) -> AbstractContextManager[None]:
        return self._store.transaction()

    def now(self) -> float:
        return self._clock.epoch()

    # Stacks

    def stack(self, stack_id: str) -> Stack | None:
        value = self._stacks.get(stack_id)
        return None if value is None else Stack(**value)

    def named(self, region: str, name: str) -> Stack | None:
        """The stack that bears this name now."""
        stack_id = self._names.get(f"{region}|{name}")
        return None if stack_id is None else self.stack(stack_id)

    def stacks(self, region: str | None = None) -> list[Stack]:
        """Oldest first."""
        found = [Stack(**value) for _, value in self._stacks.items()]
        return sorted((item for item in found if region in (None, item.region)), key=lambda item: item.created)

    def keep(self, stack: Stack) -> None:
        self._stacks.put(stack.id, stack)

    def add(self, stack: Stack) -> None:
        """A new stack takes its name."""
        self._names.put(f"{stack.region}|{stack.name}", stack.id)
        self.keep(stack)

    def give_up_name(self, stack: Stack) -> None:
        key = f"{stack.region}|{stack.name}"
        if self._names.get(key) == stack.id:
            self._names.delete(key)

    def forget_old(self) -> None:
        """Drop what was deleted longer ago than it can be found."""
        line = self.now() - limits.DELETED_STACK_SECONDS
        for stack in self.stacks():
            if stack.deleted is not None and stack.deleted < line:
                with self.transaction():
                    self._forget(stack)

    def _forget(self, stack: Stack) -> None:
        for table in (self._resources, self._before, self._leftovers, self._events, self._templates):
            _clear(table, f"{stack.id}|")
        for change_set in self.change_sets(stack.id):
            self._change_sets.delete(change_set.id)
        self._counters.delete(stack.id)
        self._stacks.delete(stack.id)

    # Templates

    def keep_template(self, stack_id: str, original: str, processed: Json) -> str:
        """The revision by which it is found."""
        revision = uuid4().hex
        self._templates.put(f"{stack_id}|{revision}", {"original": original, "processed": processed})
        return revision

    def template(self, stack_id: str, revision: str) -> tuple[str, Json]:
        """As it was given, and as it was transformed to."""
        value = self._templates.get(f"{stack_id}|{revision}")
        return ("", {}) if value is None else (value["original"], value["processed"])

    def drop_templates(self, stack: Stack) -> None:
        """All that neither the stack nor a change set of it means."""
        used = {stack.template, (stack.previous or {}).get("template")}
        used |= {item.wanted.get("template") for item in self.change_sets(stack.id)}
        for key, _ in self._templates.items(f"{stack.id}|"):
            if key.rpartition("|")[2] not in used:
                self._templates.delete(key)

    # Resources

    def resource(self, stack: Stack, logical_id: str) -> Resource | None:
        value = self._resources.get(f"{stack.id}|{logical_id}")
        return None if value is None else Resource(**value)

    def resources(self, stack: Stack) -> dict[str, Resource]:
        return _by_name(self._resources, stack)

    def keep_resource(self, stack: Stack, resource: Resource) -> None:
        self._resources.put(f"{stack.id}|{resource.logical_id}", resource)

    def drop_resource(self, stack: Stack, logical_id: str) -> None:
        self._resources.delete(f"{stack.id}|{logical_id}")

    def before(self, stack: Stack) -> dict[str, Resource]:
        """The resources as they were when the update began."""
        return _by_name(self._before, stack)

    def keep_before(self, stack: Stack, resources: Iterable[Resource]) -> None:
        for resource in resources:
            self._before.put(f"{stack.id}|{resource.logical_id}", resource)

    def clear_before(self, stack: Stack) -> None:
        _clear(self._before, f"{stack.id}|")

    def leftovers(self, stack: Stack) -> dict[str, Resource]:
        """By key: what no state of the stack has any more and is still to be deleted."""
        return {key.rpartition("|")[2]: Resource(**value) for key, value in self._leftovers.items(f"{stack.id}|")}

    def leave_over(self, stack: Stack, resource: Resource) -> str:
        """The key by which it is found."""
        key = uuid4().hex
        self.keep_leftover(stack, key, resource)
        return key

    def keep_leftover(self, stack: Stack, key: str, resource: Resource) -> None:
        self._leftovers.put(f"{stack.id}|{key}", resource)

    def drop_leftover(self, stack: Stack, key: str) -> None:
        self._leftovers.delete(f"{stack.id}|{key}")

    # Events

    def stack_event(self, stack: Stack, reason: str = "") -> None:
        self._event(stack, stack.name, stack.id, STACK_TYPE, stack.status, reason, str(uuid4()), None)

    def resource_event(self, stack: Stack, resource: Resource, properties: str | None = None) -> None:
        """Also sets the resource's time."""
        event_id = f"{resource.logical_id}-{resource.status}-{{}}"
        at = self._event(
            stack,
            resource.logical_id,
            resource.physical_id,
            resource.type,
            resource.status,
            resource.reason,
            event_id,
            properties,
        )
        resource.time = at

    def _event(
        self,
        stack: Stack,
        logical_id: str,
        physical_id: str,
        kind: str,
        status: str,
        reason: str,
        event_id: str,
        properties: str | None,
    ) -> float:
        counter = self._counters.get(stack.id) or {"events": 0, "time": 0.0}
        at = max(self.now(), float(counter["time"]) + _TICK)
        number = counter["events"] + 1
        self._counters.put(stack.id, {"events": number, "time": at})
        event = {
            "id": event_id.format(_stamp(at)) if kind != STACK_TYPE else event_id,
            "logical": logical_id,
            "physical": physical_id,
            "type": kind,
            "status": status,
            "reason": reason,
            "time": at,
            "token": (stack.operation or {}).get("client_token", ""),
            "properties": properties,
        }
        self._events.put(_event_key(stack, number), event)
        self._events.delete(_event_key(stack, number - limits.EVENTS_KEPT))
        return at

    def events(self, stack: Stack, before: int | None, most: int) -> tuple[list[Json], int | None]:
        """Those numbered below `before`, newest first; and where to go on, if there are more."""
        last = (self._counters.get(stack.id) or {"events": 0})["events"] if before is None else before - 1
        numbers = range(last, max(last - most, 0), -1)
        found = [self._events.get(_event_key(stack, number)) for number in numbers]
        oldest = last - most + 1
        more = oldest if oldest > 1 and _event_key(stack, oldest - 1) in self._events else None
        return [item for item in found if item is not None], more

    # Change sets

    def change_set(self, change_set_id: str) -> ChangeSet | None:
        value = self._change_sets.get(change_set_id)
        return None if value is None else ChangeSet(**value)

    def change_sets(self, stack_id: str) -> list[ChangeSet]:
        found = [ChangeSet(**value) for _, value in self._change_sets.items() if value["stack_id"] == stack_id]
        return sorted(found, key=lambda item: item.created)

    def keep_change_set(self, change_set: ChangeSet) -> None:
        self._change_sets.put(change_set.id, change_set)

    def drop_change_set(self, change_set: ChangeSet) -> None:
        self._change_sets.delete(change_set.id)


def _by_name(table: Table, stack: Stack) -> dict[str, Resource]:
    found = (Resource(**value) for _, value in table.items(f"{stack.id}|"))
    return {item.logical_id: item for item in found}


def _event_key(stack: Stack, number: int) -> str:
    return f"{stack.id}|{number:010d}"


def _clear(table: Table, prefix: str) -> None:
    for key, _ in table.items(prefix):
        table.delete(key)


def _stamp(at: float) -> str:
    return moment(at).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
