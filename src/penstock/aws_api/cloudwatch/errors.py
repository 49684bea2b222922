"""The refusals of CloudWatch, in its words as far as they are known.

Observed on AWS: https://github.com/getmoto/moto (tests/test_cloudwatch) and reports of users. The rest is `assumed`.
"""

from penstock.aws_api.service import ServiceError


def invalid_value(message: str) -> ServiceError:
    return ServiceError("InvalidParameterValue", message)


def invalid_combination(message: str) -> ServiceError:
    return ServiceError("InvalidParameterCombination", message)


def missing(name: str) -> ServiceError:
    return ServiceError("MissingParameter", f"The parameter {name} is required.")


def validation(message: str) -> ServiceError:
    return ServiceError("ValidationError", message)


def invalid_token() -> ServiceError:
    return ServiceError("InvalidNextToken", "The NextToken is invalid.")


def not_offered(what: str) -> ServiceError:
    """What AWS has and this does not; the words are ours."""
    return validation(f"{what} is not supported here")
