"""How a stack is deleted."""

from penstock.aws_api.cloudformation import texts
from penstock.aws_api.cloudformation.engine.remove import remove
from penstock.aws_api.cloudformation.engine.run import Run
from penstock.aws_api.cloudformation.records import GONE, Resource

RETAINED = ("Retain", "RetainExceptOnCreate")


async def delete(run: Run) -> None:
    """The stack is in DELETE_IN_PROGRESS."""
    run.go_on()
    repository, stack = run.repository, run.stack
    retain = set((stack.operation or {}).get("retain", ()))
    _leave_replaced(run)
    current = repository.resources(stack)
    resources = {f"stack/{name}": item for name, item in current.items() if item.status not in GONE}
    resources |= {f"left/{key}": item for key, item in repository.leftovers(stack).items()}

    def kept(resource: Resource) -> bool:
        return resource.deletion_policy in RETAINED or resource.logical_id in retain

    def still(key: str, resource: Resource) -> None:
        if key.startswith("left/"):
            repository.keep_leftover(stack, key.partition("/")[2], resource)
        else:
            repository.keep_resource(stack, resource)

    def gone(key: str, resource: Resource) -> None:
        if key.startswith("left/"):
            repository.drop_leftover(stack, key.partition("/")[2])
        else:
            repository.keep_resource(stack, resource)

    failed = await remove(run, resources, kept=kept, gone=gone, still=still)
    if failed and not (stack.operation or {}).get("force"):
        run.end("DELETE_FAILED", texts.failed_to("delete", failed))
        return
    with repository.transaction():
        stack.deleted = repository.now()
        repository.give_up_name(stack)
        run.end("DELETE_COMPLETE")


def _leave_replaced(run: Run) -> None:
    """After an update that failed and was not rolled back, what it replaced is still there."""
    repository, stack = run.repository, run.stack
    current = repository.resources(stack)
    with repository.transaction():
        for name, resource in repository.before(stack).items():
            now = current.get(name)
            if now is None or (resource.exists and now.physical_id != resource.physical_id):
                repository.leave_over(stack, resource)
        repository.clear_before(stack)
