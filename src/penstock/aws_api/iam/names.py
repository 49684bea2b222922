"""What things may be called, the unique ids they get, and their ARNs.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-names
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from penstock.aws_api.iam.errors import invalid_input, limit_exceeded, validation_error

_NAME: Final = re.compile(r"[\w+=,.@-]+", re.ASCII)
_PATH: Final = re.compile(r"/|/[\x21-\x7e]+/")
_MAX_PATH: Final = 512
MAX_ROLE_NAME: Final = 64
MAX_POLICY_NAME: Final = 128
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
MAX_TAGS: Final = 50
_MAX_TAG_KEY: Final = 128
_MAX_TAG_VALUE: Final = 256
_ID_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def unique_id(prefix: str) -> str:
    """`AROA` of a role, `ANPA` of a managed policy, and 17 more.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
    """
    return prefix + "".join(secrets.choice(_ID_LETTERS) for _ in range(17))


def arn(account_id: str, kind: str, path: str, name: str) -> str:
    return f"arn:aws:iam::{account_id}:{kind}{path}{name}"


def check_name(name: str, member: str, longest: int) -> None:
    """Raises ValidationError."""
    if len(name) > longest:
        raise validation_error(name, member, f"have length less than or equal to {longest}")
    if not _NAME.fullmatch(name):
        raise validation_error(name, member, r"satisfy regular expression pattern: [\w+=,.@-]+")


def checked_path(params: Mapping[str, Any]) -> str:
    """Raises ValidationError."""
    path = params.get("Path") or "/"
    if len(path) > _MAX_PATH or not _PATH.fullmatch(path):
        pattern = r"(\u002F)|(\u002F[\u0021-\u007F]+\u002F)"
        raise validation_error(path, "path", f"satisfy regular expression pattern: {pattern}")
    return str(path)


def tags_of(before: Mapping[str, str], tags: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    """Those of `before` with `tags` put over them. Keys are not told apart by case.

    Raises InvalidInput, LimitExceeded, ValidationError.
    """
    merged = dict(before)
    given = [tag["Key"].lower() for tag in tags or ()]
    if len(set(given)) < len(given):
        raise invalid_input("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    for tag in tags or ():
        key, value = tag["Key"], tag.get("Value") or ""
        _check_tag(key, value)
        merged = {one: text for one, text in merged.items() if one.lower() != key.lower()} | {key: value}
    if len(merged) > MAX_TAGS:
        raise limit_exceeded(f"The number of tags has reached the maximum limit of {MAX_TAGS}.")
    return merged


def _check_tag(key: str, value: str) -> None:
    if not 0 < len(key) <= _MAX_TAG_KEY:
        raise validation_error(key, "tags.1.member.key", f"have length less than or equal to {_MAX_TAG_KEY}")
    if len(value) > _MAX_TAG_VALUE:
        raise validation_error(value, "tags.1.member.value", f"have length less than or equal to {_MAX_TAG_VALUE}")
    if key.lower().startswith("aws:"):
        raise invalid_input("Tag keys beginning with aws: are reserved for system use.")


def without_tags(before: Mapping[str, str], keys: Sequence[str]) -> dict[str, str]:
    gone = {key.lower() for key in keys}
    return {key: value for key, value in before.items() if key.lower() not in gone}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
