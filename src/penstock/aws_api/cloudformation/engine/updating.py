"""How a stack is updated, and how it returns to what it was."""

from collections.abc import Mapping

from penstock.aws_api.cloudformation import limits, texts
from penstock.aws_api.cloudformation.engine.deletion import RETAINED
from penstock.aws_api.cloudformation.engine.deploy import changed_properties, deploy, update_job
from penstock.aws_api.cloudformation.engine.finish import finish
from penstock.aws_api.cloudformation.engine.guard import guarded
from penstock.aws_api.cloudformation.engine.remove import remove
from penstock.aws_api.cloudformation.engine.run import Run
from penstock.aws_api.cloudformation.engine.walk import walk
from penstock.aws_api.cloudformation.handlers.base import HandlerFailure, Stopped
from penstock.aws_api.cloudformation.records import GONE, SAVED, Resource
from penstock.aws_api.service import ServiceError


async def update(run: Run) -> None:
    """The stack is in UPDATE_IN_PROGRESS, and has the template it is to get."""
    try:
        design = run.design()
        await deploy(run, design)
        if not run.stop_asked():
            fault = finish(run, design)
            if fault is None:
                _to_cleanup(run, set(design.resources))
                await cleanup(run)
                return
            run.stop(fault)
    except ServiceError as error:
        run.stop(error.message)
    await give_up(run)


def _to_cleanup(run: Run, wanted: set[str]) -> None:
    """From here on there is no way back: what only the old state had is left over."""
    repository, stack = run.repository, run.stack
    current = repository.resources(stack)
    with repository.transaction():
        _leave(run, repository.before(stack), {name: item for name, item in current.items() if name in wanted})
        for name in current:
            if name not in wanted:
                repository.drop_resource(stack, name)
        repository.clear_before(stack)
        stack.previous = None
        run.begin_phase("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "cleanup")


def _leave(run: Run, old: Mapping[str, Resource], new: Mapping[str, Resource]) -> None:
    for name, resource in old.items():
        now = new.get(name)
        if not resource.exists or (now is not None and now.physical_id == resource.physical_id):
            continue
        if now is not None:
            resource.deletion_policy = resource.replace_policy
        run.repository.leave_over(run.stack, resource)


async def cleanup(run: Run) -> None:
    """The stack is in a CLEANUP_IN_PROGRESS state. What cannot be deleted is given up, as CloudFormation does."""
    repository, stack = run.repository, run.stack
    run.go_on()

    def gone(key: str, _: Resource) -> None:
        repository.drop_leftover(stack, key)

    def still(key: str, resource: Resource) -> None:
        repository.keep_leftover(stack, key, resource)

    def kept(resource: Resource) -> bool:
        return resource.deletion_policy in RETAINED

    failed = await remove(run, repository.leftovers(stack), kept=kept, gone=gone, still=still)
    status = stack.status.removesuffix("_CLEANUP_IN_PROGRESS")
    with repository.transaction():
        for key in repository.leftovers(stack):
            repository.drop_leftover(stack, key)
        run.end(status, "One or more resources could not be deleted." if failed else "")


async def give_up(run: Run) -> None:
    stack = run.stack
    reason = _reason(run) if run.failed else run.stop_reason
    if stack.disable_rollback:
        run.end("UPDATE_FAILED", reason)
        return
    start_return(run, reason)
    await take_back(run)


def _reason(run: Run) -> str:
    before = run.repository.before(run.stack)
    made = [name for name in sorted(run.failed) if name not in before]
    changed = [name for name in sorted(run.failed) if name in before]
    parts = [texts.failed_to(verb, names).strip() for verb, names in (("create", made), ("update", changed)) if names]
    return " ".join(parts)


def start_return(run: Run, reason: str = "") -> None:
    """The stack has its former template again, and begins to roll back to it."""
    stack = run.stack
    run.go_on()
    with run.repository.transaction():
        for name in SAVED:
            if stack.previous is not None:
                setattr(stack, name, stack.previous[name])
        run.begin_phase("UPDATE_ROLLBACK_IN_PROGRESS", "rollback", reason)


async def take_back(run: Run) -> None:
    """The stack is in UPDATE_ROLLBACK_IN_PROGRESS."""
    run.go_on()
    repository, stack = run.repository, run.stack
    skip = set((stack.operation or {}).get("skip", ()))
    before = repository.before(stack)

    async def one(name: str) -> bool:
        return await _return(run, before[name], skip=name in skip)

    await walk({name: item.needs for name, item in before.items()}, one, at_once=limits.RESOURCES_AT_ONCE)
    if run.failed:
        run.end("UPDATE_ROLLBACK_FAILED", texts.failed_to("update", sorted(run.failed)).strip())
        return
    with repository.transaction():
        current = repository.resources(stack)
        for name, resource in current.items():
            if name not in before:
                if resource.exists:
                    resource.deletion_policy = "Delete"
                    repository.leave_over(stack, resource)
                repository.drop_resource(stack, name)
        repository.clear_before(stack)
        stack.previous = None
        run.begin_phase("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "cleanup")
    await cleanup(run)


async def _return(run: Run, old: Resource, *, skip: bool) -> bool:
    """One resource as it was. It keeps the properties it may have now until it has the old ones again."""
    repository, stack = run.repository, run.stack
    now = repository.resource(stack, old.logical_id)
    if now is None or old.status in GONE or skip:
        run.keep(old, "UPDATE_COMPLETE") if skip else repository.keep_resource(stack, old)
        return True
    if now.physical_id != old.physical_id:
        with repository.transaction():
            if now.exists:
                now.deletion_policy = "Delete"
                repository.leave_over(stack, now)
            run.keep(old, "UPDATE_COMPLETE")
        return True
    changed = changed_properties(now, old.properties)
    if not changed and all(state["tags"] == old.tags for state in now.perhaps):
        if now.status.endswith(("_FAILED", "_IN_PROGRESS")):
            run.keep(old, "UPDATE_COMPLETE")
        else:
            repository.keep_resource(stack, old)
        return True
    run.keep(now, "UPDATE_IN_PROGRESS")
    try:
        job = update_job(run, old, now.perhaps, changed, may_stop=False)
        await guarded(run.handler(old.type).update(job))
    except (HandlerFailure, Stopped) as failure:
        run.fail(now, "UPDATE_FAILED", getattr(failure, "reason", texts.UPDATE_CANCELLED))
        return False
    old.attributes = job.attributes
    run.keep(old, "UPDATE_COMPLETE")
    return True
