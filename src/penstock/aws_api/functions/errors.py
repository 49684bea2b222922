"""Lambda's refusals. Texts as observed on AWS, in the snapshots of https://github.com/localstack/localstack
(tests/aws/services/lambda_), unless a place says otherwise.
"""

from penstock.aws_api.service import ServiceError
from penstock.model.errors import UserError


def invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterValueException", message, 400, {"Type": "User"})


def missing(message: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", message, 404, {"Type": "User"})


def conflict(message: str) -> ServiceError:
    return ServiceError("ResourceConflictException", message, 409, {"Type": "User"})


def statement_exists(sid: str) -> ServiceError:
    return conflict(
        f"The statement id ({sid}) provided already exists. Please provide a new statement id, "
        "or remove the existing statement."
    )


def precondition() -> ServiceError:
    message = (
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve "
        "the latest Revision Id"
    )
    return ServiceError("PreconditionFailedException", message, 412, {"Type": "User"})


def refused(error: UserError) -> ServiceError:
    """What the template's own rules refuse. AWS's texts for these are not published."""
    return invalid(error.message)


def not_offered(what: str) -> ServiceError:
    return invalid(f"Penstock does not offer {what}")
