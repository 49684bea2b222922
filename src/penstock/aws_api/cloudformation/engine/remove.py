"""Deletes resources: those that need others before the others."""

from collections.abc import Callable, Mapping

from penstock.aws_api.cloudformation import limits
from penstock.aws_api.cloudformation.engine.guard import guarded
from penstock.aws_api.cloudformation.engine.run import Run
from penstock.aws_api.cloudformation.engine.walk import reversed_needs, walk
from penstock.aws_api.cloudformation.handlers.base import HandlerFailure
from penstock.aws_api.cloudformation.records import Resource


async def remove(
    run: Run,
    resources: Mapping[str, Resource],
    *,
    kept: Callable[[Resource], bool],
    gone: Callable[[str, Resource], None],
    still: Callable[[str, Resource], None],
) -> list[str]:
    """The logical ids of those that could not be deleted; `kept` says of which only the record goes.

    `gone` and `still` keep what became of one, by its key, in the transaction of its event.
    """
    failed: list[str] = []

    async def one(key: str) -> bool:
        resource = resources[key]
        if kept(resource):
            _tell(run, key, resource, "DELETE_SKIPPED", "", gone)
            return True
        if not resource.exists:
            _tell(run, key, resource, "DELETE_COMPLETE", "", gone)
            return True
        _tell(run, key, resource, "DELETE_IN_PROGRESS", "", still)
        try:
            await delete_one(run, resource)
        except HandlerFailure as failure:
            failed.append(resource.logical_id)
            _tell(run, key, resource, "DELETE_FAILED", failure.reason, still)
            return False
        _tell(run, key, resource, "DELETE_COMPLETE", "", gone)
        return True

    await walk(_order(resources), one, at_once=limits.RESOURCES_AT_ONCE)
    return sorted(failed)


def _order(resources: Mapping[str, Resource]) -> dict[str, set[str]]:
    """Keys are not logical ids: what was replaced and what replaced it may both be among them."""
    keys: dict[str, list[str]] = {}
    for key, resource in resources.items():
        keys.setdefault(resource.logical_id, []).append(key)
    needs = {
        key: {other for name in resource.needs for other in keys.get(name, []) if other != key}
        for key, resource in resources.items()
    }
    return reversed_needs(needs)


async def delete_one(run: Run, resource: Resource) -> None:
    """Raises HandlerFailure. What was perhaps made is looked for."""
    if not resource.exists:
        return
    handler = run.handler(resource.type)
    job = run.job(resource, resource.properties, resource.perhaps, may_stop=False)
    found = [resource.physical_id] if resource.physical_id else await guarded(handler.find(job))
    for physical_id in found:
        job.physical_id = physical_id
        await guarded(handler.delete(job))


def _tell(
    run: Run,
    key: str,
    resource: Resource,
    status: str,
    reason: str,
    then: Callable[[str, Resource], None],
) -> None:
    resource.status, resource.reason = status, reason
    with run.repository.transaction():
        run.repository.resource_event(run.stack, resource)
        then(key, resource)
