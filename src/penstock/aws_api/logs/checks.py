"""Parameters as AWS checks them; botocore's client checks only some of it.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html, per operation.
"""

import re
from collections.abc import Mapping
from typing import Final

from penstock.aws_api.logs import errors
from penstock.aws_api.service import Params

_GROUP_NAME: Final = re.compile(r"[\.\-_/#A-Za-z0-9]{1,512}")
_STREAM_NAME: Final = re.compile(r"[^:*]{1,512}")
_MAX_TAGS: Final = 50
RETENTION_DAYS: Final = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
)  # fmt: skip


def group_name(params: Params, name: str = "logGroupName") -> str:
    """Raises ServiceError, as all here do."""
    value = _required(params, name)
    if not _GROUP_NAME.fullmatch(value):
        raise errors.constraint(value, name, r"satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+")
    return value


def stream_name(params: Params, name: str = "logStreamName") -> str:
    value = _required(params, name)
    if not _STREAM_NAME.fullmatch(value):
        raise errors.constraint(value, name, r"satisfy regular expression pattern: [^:*]*")
    return value


def named_group(params: Params) -> str:
    """The group by its name, or by `logGroupIdentifier`: its name or ARN."""
    name, identifier = params.get("logGroupName"), params.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise errors.invalid("Exactly one of logGroupName and logGroupIdentifier must be specified.")  # assumed
    return group_name(params) if name is not None else identified(str(identifier), "logGroupIdentifier")


def identified(identifier: str, name: str) -> str:
    """`arn:aws:logs:<region>:<account>:log-group:<name>`, also with `:*`, or the name itself."""
    found = re.fullmatch(r"arn:[^:]+:logs:[^:]*:[^:]*:log-group:([^:]+)(:\*)?", identifier)
    return group_name({name: found[1] if found else identifier}, name)


def limit(params: Params, most: int, default: int | None = None) -> int:
    value = int(params.get("limit") or default or most)
    if not 1 <= value <= most:
        raise errors.constraint(value, "limit", f"have value {_bound(value, most)}")
    return value


def tags(given: Mapping[str, str], held: Mapping[str, str] | None = None) -> dict[str, str]:
    """`held` with what is given, within the limits of tags."""
    merged = {**(held or {}), **given}
    if len(merged) > _MAX_TAGS:
        raise errors.invalid(f"A log group cannot have more than {_MAX_TAGS} tags.")  # assumed
    for key, value in given.items():
        if not 1 <= len(key) <= 128 or len(value) > 256 or key.lower().startswith("aws:"):
            raise errors.constraint(key, "tags", "be a tag key of 1 to 128 characters with a value of up to 256")
    return merged


def _required(params: Params, name: str) -> str:
    value = params.get(name)
    if not value:
        raise errors.constraint("null" if value is None else value, name, "not be null")
    return str(value)


def _bound(value: int, most: int) -> str:
    return f"less than or equal to {most}" if value > most else "greater than or equal to 1"
