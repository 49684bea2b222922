"""Brings a stack's resources to what its template says: makes, changes and replaces. Removing comes later."""

from collections.abc import Iterable
from typing import Any

from penstock.aws_api.cloudformation import limits, texts
from penstock.aws_api.cloudformation.engine.guard import guarded
from penstock.aws_api.cloudformation.engine.remove import delete_one
from penstock.aws_api.cloudformation.engine.run import Run
from penstock.aws_api.cloudformation.engine.walk import walk
from penstock.aws_api.cloudformation.handlers.base import Handler, HandlerFailure, Job, Stopped
from penstock.aws_api.cloudformation.handlers.registry import HANDLERS
from penstock.aws_api.cloudformation.reading.design import Definition, Design
from penstock.aws_api.cloudformation.records import GONE, Json, Resource
from penstock.model.errors import UserError
from penstock.template.intrinsics import text_of


async def deploy(run: Run, design: Design) -> None:
    """Adds and changes in one order: each resource after all it needs. `run.failed` names what could not be done."""
    await _Deployment(run, design).deploy()


class _Deployment:
    def __init__(self, run: Run, design: Design) -> None:
        self._run = run
        self._design = design
        self._repository = run.repository
        self._stack = run.stack
        self._before = run.repository.before(run.stack)
        design.look_in(lambda name: run.repository.resource(run.stack, name))

    async def deploy(self) -> None:
        done = await walk(self._design.needs, self._one, at_once=limits.RESOURCES_AT_ONCE, halted=self._run.stop_asked)
        if len(done) < len(self._design.resources):
            self._run.stop("Resources were not made")

    async def _one(self, logical_id: str) -> bool:
        definition = self._design.resources[logical_id]
        resource = self._repository.resource(self._stack, logical_id)
        if resource is not None and resource.status in GONE:
            resource = None
        try:
            handler = self._run.handler(definition.type)
            properties = self._design.properties(logical_id)
            if resource is not None and self._half_made(resource):
                await delete_one(self._run, resource)
                resource = None
        except (HandlerFailure, UserError) as error:
            reason = error.reason if isinstance(error, HandlerFailure) else error.message
            self._cannot(definition, resource, reason)
            return False
        if resource is None:
            return await self._create(self._new(definition, properties))
        if resource.type != definition.type:
            return await self._replace(resource, definition, properties)
        changed = changed_properties(resource, properties)
        tags_differ = handler.taggable and any(state["tags"] != self._stack.tags for state in resource.perhaps)
        if changed & handler.create_only:
            return await self._replace(resource, definition, properties)
        if changed or tags_differ:
            return await self._update(resource, definition, properties, changed)
        self._take_over(resource, definition)
        if resource.status.endswith("FAILED"):
            self._run.keep(resource, "UPDATE_COMPLETE")
        else:
            self._repository.keep_resource(self._stack, resource)
        return True

    def _half_made(self, resource: Resource) -> bool:
        """What an operation before this one failed to make, and was not to take back, is made anew."""
        before = self._before.get(resource.logical_id)
        replaced = before is not None and before.physical_id != resource.physical_id
        return resource.status == "CREATE_FAILED" or (resource.status == "UPDATE_FAILED" and replaced)

    def _new(self, definition: Definition, properties: Json) -> Resource:
        resource = Resource(definition.logical_id, definition.type, self._repository.now(), properties=properties)
        resource.tags = dict(self._stack.tags)
        self._take_over(resource, definition)
        return resource

    def _take_over(self, resource: Resource, definition: Definition) -> None:
        """What the template says of a resource beside its properties."""
        resource.needs = sorted(definition.needs)
        resource.deletion_policy = definition.deletion_policy
        resource.replace_policy = definition.replace_policy
        resource.metadata = definition.metadata

    def _cannot(self, definition: Definition, resource: Resource | None, reason: str) -> None:
        if resource is None:
            self._run.fail(self._new(definition, {}), "CREATE_FAILED", reason)
        else:
            failed = resource.status if resource.status.endswith("_FAILED") else "UPDATE_FAILED"
            self._run.fail(resource, failed, reason)

    async def _create(self, resource: Resource) -> bool:
        self._run.keep(resource, "CREATE_IN_PROGRESS")
        return await self._make(resource, "CREATE", texts.CREATION_CANCELLED)

    async def _replace(self, old: Resource, definition: Definition, properties: Json) -> bool:
        name = properties.get(self._run.handler(definition.type).name_property)
        if name is not None and name == old.properties.get(_name_property(old)):
            self._run.fail(old, "UPDATE_FAILED", texts.same_name(str(name)))
            return False
        resource = self._new(definition, properties)
        leftover = ""
        with self._repository.transaction():
            before = self._before.get(old.logical_id)
            if old.exists and (before is None or before.physical_id != old.physical_id):
                # What no state of the stack has: neither the one to come nor the one to return to.
                leftover = self._repository.leave_over(self._stack, old)
            self._run.keep(resource, "UPDATE_IN_PROGRESS", texts.REPLACES)
        return await self._make(resource, "UPDATE", texts.UPDATE_CANCELLED, old, leftover)

    async def _make(
        self, resource: Resource, verb: str, cancelled: str, old: Resource | None = None, leftover: str = ""
    ) -> bool:
        try:
            handler = self._run.handler(resource.type)
            check(handler, self._run, resource)
            job = self._run.job(resource, resource.properties)
            resource.physical_id = await guarded(handler.draft(job))
            resource.note = job.note
            self._repository.keep_resource(self._stack, resource)
            job.physical_id = resource.physical_id
            job.on_initiated = lambda physical_id, attributes: self._initiated(resource, verb, physical_id, attributes)
            await guarded(handler.create(job))
        except (HandlerFailure, Stopped) as failure:
            reason = failure.reason if isinstance(failure, HandlerFailure) else cancelled
            self._not_made(resource, old, leftover, f"{verb}_FAILED", reason)
            return False
        resource.attributes = job.attributes
        self._run.keep(resource, f"{verb}_COMPLETE")
        return True

    def _not_made(self, resource: Resource, old: Resource | None, leftover: str, status: str, reason: str) -> None:
        if resource.initiated:
            self._run.fail(resource, status, reason)
            return
        resource.physical_id, resource.note = "", {}
        with self._repository.transaction():
            if leftover:
                self._repository.drop_leftover(self._stack, leftover)
            self._run.fail(resource if old is None else old, status, reason)

    def _initiated(self, resource: Resource, verb: str, physical_id: str, attributes: Json) -> None:
        resource.initiated, resource.physical_id = True, physical_id
        resource.attributes = dict(attributes)
        self._run.keep(resource, f"{verb}_IN_PROGRESS", texts.INITIATED)

    async def _update(
        self, resource: Resource, definition: Definition, properties: Json, changed: frozenset[str]
    ) -> bool:
        states = resource.perhaps
        resource.earlier = [state for at, state in enumerate(states) if state not in states[:at]]
        resource.properties, resource.tags = properties, dict(self._stack.tags)
        self._take_over(resource, definition)
        self._run.keep(resource, "UPDATE_IN_PROGRESS")
        try:
            handler = self._run.handler(resource.type)
            check(handler, self._run, resource)
            job = update_job(self._run, resource, resource.earlier, changed)
            await guarded(handler.update(job))
        except (HandlerFailure, Stopped) as failure:
            reason = failure.reason if isinstance(failure, HandlerFailure) else texts.UPDATE_CANCELLED
            self._run.fail(resource, "UPDATE_FAILED", reason)
            return False
        resource.attributes, resource.earlier = job.attributes, []
        self._run.keep(resource, "UPDATE_COMPLETE")
        return True


def _name_property(resource: Resource) -> str:
    handler = HANDLERS.get(resource.type)
    return handler.name_property if handler else ""


def changed_properties(resource: Resource, wanted: Json) -> frozenset[str]:
    """What is to be brought about: also what an attempt that failed may have changed, or not."""
    return frozenset[str]().union(*(different(state["properties"], wanted) for state in resource.perhaps))


def update_job(run: Run, wanted: Resource, states: list[Json], changed: Iterable[str], *, may_stop: bool = True) -> Job:
    """`states` are those it may be in, as `Resource.perhaps` gives them."""
    job = run.job(wanted, wanted.properties, states, may_stop=may_stop)
    job.changed = frozenset(changed)
    if run.handler(wanted.type).taggable:
        job.previous_tags = _certain(
            [{**state["tags"], **fitted.get("Tags", {})} for state, fitted in zip(states, job.perhaps, strict=True)],
            job.tags,
        )
    return job


def _certain(states: list[dict[str, str]], wanted: dict[str, str]) -> dict[str, str]:
    """The tags that it has in all states; and those of any state that it is not to have any more."""
    return {
        key: value
        for tags in states
        for key, value in tags.items()
        if key not in wanted or all(other.get(key) == value for other in states)
    }


def different(old: Json, new: Json) -> frozenset[str]:
    """The names of properties that are not the same in both: 20 and "20" are, 1 and true are not."""
    return frozenset(name for name in old.keys() | new.keys() if _as_text(old.get(name)) != _as_text(new.get(name)))


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    return text_of(value)


def check(handler: Handler, run: Run, resource: Resource) -> None:
    faults = handler.faults(resource.properties, run.dispatcher)
    if faults:
        raise HandlerFailure(faults_text(resource.logical_id, faults))


def faults_text(logical_id: str, faults: list[str]) -> str:
    return f"Properties validation failed for resource {logical_id} with message:\n[{', '.join(faults)}]"
