"""Refusals in CloudFormation's own words.

Codes: https://github.com/boto/botocore/blob/develop/botocore/data/cloudformation/2010-05-15/service-2.json
Texts as clients of AWS report them; where no report is known, they are assumed.
"""

from collections.abc import Iterable

from penstock.aws_api.service import ServiceError


def invalid(message: str) -> ServiceError:
    return ServiceError("ValidationError", message)


def template_error(message: str) -> ServiceError:
    return invalid(f"Template format error: {message}")


def no_stack_with_id(name: str) -> ServiceError:
    return invalid(f"Stack with id {name} does not exist")


def no_stack(name: str) -> ServiceError:
    return invalid(f"Stack [{name}] does not exist")


def stack_exists(name: str) -> ServiceError:
    return ServiceError("AlreadyExistsException", f"Stack [{name}] already exists")


def not_updatable(stack_id: str, status: str) -> ServiceError:
    return invalid(f"Stack:{stack_id} is in {status} state and can not be updated.")


def not_deletable(name: str, status: str) -> ServiceError:
    return invalid(f"Stack [{name}] cannot be deleted while in status {status}")


def needs_capabilities(capabilities: Iterable[str]) -> ServiceError:
    return ServiceError("InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(capabilities)}]")


def no_change_set(name: str) -> ServiceError:
    return ServiceError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)


def change_set_exists(name: str) -> ServiceError:
    return ServiceError("AlreadyExistsException", f"ChangeSet [{name}] already exists")


def not_executable(change_set_id: str, status: str) -> ServiceError:
    message = f"ChangeSet [{change_set_id}] cannot be executed in its current status of [{status}]"
    return ServiceError("InvalidChangeSetStatus", message)


def not_supported(what: str) -> ServiceError:
    """Ours: CloudFormation has it, Penstock does not."""
    return invalid(f"{what} is not supported by Penstock")


NO_UPDATES = "No updates are to be performed."
NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
BY_USER = "User Initiated"
INITIATED = "Resource creation Initiated"
CREATION_CANCELLED = "Resource creation cancelled"
UPDATE_CANCELLED = "Resource update cancelled"
REPLACES = "Requested update requires the creation of a new physical resource; hence creating one."
# Ours: what a stack says whose operation ended with the process that ran it.
INTERRUPTED = "Penstock was stopped while the operation ran."


def same_name(name: str) -> str:
    return (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
        f"Rename {name} and update the stack again."
    )


def failed_to(verb: str, names: Iterable[str], *, rollback: bool = False) -> str:
    """`The following resource(s) failed to create: [A, B]. Rollback requested by user.`"""
    tail = " Rollback requested by user." if rollback else " "
    return f"The following resource(s) failed to {verb}: [{', '.join(names)}].{tail}"
