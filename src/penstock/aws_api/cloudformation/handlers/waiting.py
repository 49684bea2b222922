"""How a handler waits for what Lambda does after it has answered."""

from penstock.aws_api.cloudformation.handlers.base import Job, handler_failure
from penstock.aws_api.service import Answer


async def function_settled(job: Job, name: str) -> None:
    """The function exists and its last update is over. Raises HandlerFailure when one of them failed.

    https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
    """

    answer = await function_free(job, name)
    if answer.get("State") == "Failed":
        raise _not_stable(answer.get("StateReason"), "creation")
    if answer.get("LastUpdateStatus") == "Failed":
        raise _not_stable(answer.get("LastUpdateStatusReason"), "update")


async def function_free(job: Job, name: str) -> Answer:
    """The function as it is once nothing of it is on its way: an update before this one may have been cut off."""

    async def look() -> Answer | None:
        answer = await job.call("lambda", "GetFunctionConfiguration", FunctionName=name)
        pending = answer.get("State") == "Pending" or answer.get("LastUpdateStatus") == "InProgress"
        return None if pending else answer

    return await job.until(look)


async def version_active(job: Job, name: str, version: str) -> None:
    """The version of a managed function has its first environments. Raises HandlerFailure when that failed."""

    async def look() -> bool | None:
        answer = await job.call("lambda", "GetFunctionConfiguration", FunctionName=name, Qualifier=version)
        state = answer.get("State", "Active")
        if state == "Failed":
            raise _not_stable(answer.get("StateReason"), "publishing of the version")
        return None if state in ("Pending", "Activating") else True

    await job.until(look)


def _not_stable(reason: object, what: str) -> Exception:
    return handler_failure(str(reason or f"The {what} failed"), "NotStabilized")
