"""How a stack is created, and what becomes of one that cannot be."""

from penstock.aws_api.cloudformation import texts
from penstock.aws_api.cloudformation.engine.deletion import delete
from penstock.aws_api.cloudformation.engine.deploy import deploy
from penstock.aws_api.cloudformation.engine.finish import finish
from penstock.aws_api.cloudformation.engine.remove import remove
from penstock.aws_api.cloudformation.engine.run import Run
from penstock.aws_api.cloudformation.records import GONE, Resource
from penstock.aws_api.service import ServiceError


async def create(run: Run) -> None:
    """The stack is in CREATE_IN_PROGRESS."""
    minutes = run.stack.timeout_minutes
    run.limit(None if minutes is None else minutes * 60.0)
    try:
        design = run.design()
        await deploy(run, design)
        if run.superseded:
            return
        if not run.stop_asked():
            fault = finish(run, design)
            if fault is None:
                run.end("CREATE_COMPLETE")
                return
            run.stop(fault)
    except ServiceError as error:
        run.stop(error.message)
    await give_up(run)


async def give_up(run: Run) -> None:
    """What the stack's own settings say of a creation that failed."""
    stack = run.stack
    failed = sorted(run.failed)
    reason = texts.failed_to("create", failed) if failed else f"{run.stop_reason} "
    if stack.disable_rollback or stack.on_failure == "DO_NOTHING":
        run.end("CREATE_FAILED", reason.rstrip())
        return
    run.go_on()
    if stack.on_failure == "DELETE":
        run.begin_phase("DELETE_IN_PROGRESS", "delete", f"{reason.rstrip()} Delete requested by user.")
        await delete(run)
        return
    run.begin_phase("ROLLBACK_IN_PROGRESS", "rollback", f"{reason.rstrip()} Rollback requested by user.")
    await take_back(run)


async def take_back(run: Run) -> None:
    """The stack is in ROLLBACK_IN_PROGRESS: what was made is deleted."""
    run.go_on()
    repository, stack = run.repository, run.stack

    def keep(_: str, resource: Resource) -> None:
        repository.keep_resource(stack, resource)

    def kept(resource: Resource) -> bool:
        return resource.deletion_policy == "Retain" and not stack.retain_except_on_create

    there = {name: item for name, item in repository.resources(stack).items() if item.status not in GONE}
    failed = await remove(run, there, kept=kept, gone=keep, still=keep)
    if failed:
        run.end("ROLLBACK_FAILED", texts.failed_to("delete", failed).rstrip())
        return
    run.end("ROLLBACK_COMPLETE")
