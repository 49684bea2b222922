"""Refusals in IAM's words: codes from https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html and the
operations' own pages; texts as SDK users quote them in public threads.
"""

from penstock.aws_api.service import ServiceError


def no_such_entity(text: str) -> ServiceError:
    return ServiceError("NoSuchEntity", text, 404)


def already_exists(text: str) -> ServiceError:
    return ServiceError("EntityAlreadyExists", text, 409)


def delete_conflict(text: str) -> ServiceError:
    return ServiceError("DeleteConflict", text, 409)


def limit_exceeded(text: str) -> ServiceError:
    return ServiceError("LimitExceeded", text, 409)


def malformed_policy(text: str) -> ServiceError:
    return ServiceError("MalformedPolicyDocument", text, 400)


def invalid_input(text: str) -> ServiceError:
    return ServiceError("InvalidInput", text, 400)


def validation_error(value: object, member: str, constraint: str) -> ServiceError:
    text = (
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
        f"Member must {constraint}"
    )
    return ServiceError("ValidationError", text, 400)
