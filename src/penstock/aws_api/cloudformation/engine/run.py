"""One operation on one stack while it runs: what its parts share."""

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final
from uuid import uuid4

from penstock.aws_api.cloudformation.handlers.base import Ground, Handler, HandlerFailure, Job
from penstock.aws_api.cloudformation.handlers.registry import HANDLERS
from penstock.aws_api.cloudformation.reading.design import Design, design_of
from penstock.aws_api.cloudformation.reading.given import HIDDEN
from penstock.aws_api.cloudformation.records import Json, Resource, Stack
from penstock.aws_api.cloudformation.repository import Repository
from penstock.aws_api.service import Context, Dispatcher
from penstock.model import ids
from penstock.model.clock import Clock

_SHORTEST_INSIDE: Final = 6


class Run:
    """Every write that belongs together is one transaction, so that a process may be killed between any two of them."""

    def __init__(
        self,
        stack: Stack,
        repository: Repository,
        dispatcher: Dispatcher,
        clock: Clock,
        sleep: Callable[[float], Awaitable[object]],
        export: Callable[[Stack, str], str | None],
    ) -> None:
        self.stack = stack
        self.repository = repository
        self.dispatcher = dispatcher
        self.failed: list[str] = []
        self.stop_reason = ""
        """Why nothing more is to be begun; set from outside as well."""
        self.superseded = False
        """Another operation has taken the stack: nothing of it is this one's to write any more."""
        self._secrets = [str(item["value"]) for item in stack.parameters if item["hidden"] and item["value"]]
        self._clock = clock
        self._export = export
        self._end: float | None = None
        context = Context(stack.region, stack.account, ids.request_id(), stack.endpoint)
        self._ground = Ground(dispatcher, clock, sleep, context, stack.name, self.stop_asked)

    # The operation

    def limit(self, seconds: float | None) -> None:
        """How long the operation may take from now on."""
        self._end = None if seconds is None else self._clock.monotonic() + seconds

    def stop(self, reason: str) -> None:
        self.stop_reason = self.stop_reason or reason

    def go_on(self) -> None:
        """What follows is not to be stopped by what stopped the part before."""
        self.stop_reason, self._end, self.failed = "", None, []

    def stop_asked(self) -> bool:
        if self._end is not None and self._clock.monotonic() >= self._end:
            self.stop("Stack creation time exceeded the specified timeout.")
        return bool(self.stop_reason or self.failed)

    def begin_phase(self, status: str, phase: str, reason: str = "", **more: Any) -> None:
        """The stack's status, its event and what a restart finds, set together."""
        with self.repository.transaction():
            self._refresh()
            self.stack.status, self.stack.reason = status, reason
            self.stack.operation = {**(self.stack.operation or {"token": uuid4().hex}), "phase": phase, **more}
            self.repository.keep(self.stack)
            self.repository.stack_event(self.stack, reason)

    def end(self, status: str, reason: str = "") -> None:
        """The last of it. Call it inside a transaction when more is to be set at the same moment."""
        with self.repository.transaction():
            self._refresh()
            self.stack.status, self.stack.reason = status, reason
            self.repository.stack_event(self.stack, reason)
            self._end_change_set(status)
            self.stack.operation = None
            self.repository.drop_templates(self.stack)
            self.repository.keep(self.stack)

    def _refresh(self) -> None:
        """What may be set while the operation runs."""
        kept = self.repository.stack(self.stack.id)
        if kept is not None:
            self.stack.protected, self.stack.policy = kept.protected, kept.policy

    def _end_change_set(self, status: str) -> None:
        change_set = self.repository.change_set((self.stack.operation or {}).get("change_set", ""))
        if change_set is not None:
            good = status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
            change_set.execution = "EXECUTE_COMPLETE" if good else "EXECUTE_FAILED"
            self.repository.keep_change_set(change_set)

    # Its parts

    def design(self) -> Design:
        """The stack's template and parameters as they are now."""
        _, template = self.repository.template(self.stack.id, self.stack.template)
        return design_of(self.stack, template, self.export)

    def export(self, name: str) -> str | None:
        return self._export(self.stack, name)

    def handler(self, kind: str) -> Handler:
        """Raises HandlerFailure for a type that no one makes: a newer Penstock may have kept it."""
        found = HANDLERS.get(kind)
        if found is None:
            raise HandlerFailure(f"Resource type {kind} is not supported by Penstock")
        return found

    def job(self, resource: Resource, properties: Json, states: Iterable[Json] = (), *, may_stop: bool = True) -> Job:
        """`properties`, and those of `states`, as resolved; the job has them as the handler takes them."""
        handler = self.handler(resource.type)
        fitted = handler.fitted(properties)
        tags = {**resource.tags, **fitted.get("Tags", {})} if handler.taggable else {}
        return Job(
            self._ground,
            resource.logical_id,
            fitted,
            resource.physical_id,
            perhaps=[handler.fitted(state["properties"]) for state in states],
            changed=frozenset(fitted),
            attributes=dict(resource.attributes),
            note=dict(resource.note),
            tags=tags,
            may_stop=may_stop,
        )

    def keep(self, resource: Resource, status: str, reason: str = "") -> None:
        """The resource with its new status, and the event that tells it."""
        resource.status, resource.reason = status, reason
        with self.repository.transaction():
            properties = json.dumps(hidden(resource.properties, self._secrets)) if resource.properties else None
            self.repository.resource_event(self.stack, resource, properties)
            self.repository.keep_resource(self.stack, resource)

    def fail(self, resource: Resource, status: str, reason: str) -> None:
        self.failed.append(resource.logical_id)
        self.keep(resource, status, reason)


def hidden(value: Any, secrets: list[str]) -> Any:
    """Without the values of parameters that must not be shown."""
    if isinstance(value, dict):
        return {key: hidden(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [hidden(item, secrets) for item in value]
    if not isinstance(value, str):
        return value
    for secret in secrets:
        # A short one stands inside other words by chance.
        if value == secret or len(secret) >= _SHORTEST_INSIDE:
            value = value.replace(secret, HIDDEN)
    return value
