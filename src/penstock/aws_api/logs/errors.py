"""The refusals of CloudWatch Logs, in its words as far as they are known.

Observed on AWS: https://github.com/localstack/localstack (tests/aws/services/logs), https://github.com/getmoto/moto
(moto/logs). What stands in neither is `assumed`.
"""

from typing import Final

from penstock.aws_api.service import ServiceError

_NO_GROUP: Final = "The specified log group does not exist."
_NO_STREAM: Final = "The specified log stream does not exist."


def invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterException", message)


def constraint(value: object, name: str, rule: str) -> ServiceError:
    return invalid(
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: Member must {rule}"
    )


def no_group() -> ServiceError:
    return ServiceError("ResourceNotFoundException", _NO_GROUP)


def no_stream() -> ServiceError:
    return ServiceError("ResourceNotFoundException", _NO_STREAM)


def group_exists() -> ServiceError:
    return ServiceError("ResourceAlreadyExistsException", "The specified log group already exists")


def stream_exists() -> ServiceError:
    return ServiceError("ResourceAlreadyExistsException", "The specified log stream already exists")


def not_offered(what: str) -> ServiceError:
    """What AWS has and this does not; the words are ours."""
    return invalid(f"{what} is not supported here")
