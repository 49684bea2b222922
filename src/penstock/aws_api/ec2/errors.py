"""Refusals in EC2's words: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html.

Texts are as SDK users quote them in public threads.
"""

from collections.abc import Iterable

from penstock.aws_api.service import ServiceError


def not_found(code: str, noun: str, ids: Iterable[str]) -> ServiceError:
    """`noun` such as `subnet ID`."""
    names = list(ids)
    listed = ", ".join(names)
    text = f"The {noun} '{listed}' does not exist" if len(names) == 1 else f"The {noun}s '{listed}' do not exist"
    return ServiceError(code, text)


def invalid_value(text: str) -> ServiceError:
    return ServiceError("InvalidParameterValue", text)


def missing(parameter: str) -> ServiceError:
    return ServiceError("MissingParameter", f"The request must contain the parameter {parameter}")


def invalid_combination(text: str) -> ServiceError:
    return ServiceError("InvalidParameterCombination", text)


def dry_run() -> ServiceError:
    return ServiceError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
