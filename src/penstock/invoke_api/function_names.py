"""The names by which a request can call for a function: name, partial ARN, full ARN, each with or without a qualifier.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_RequestParameters
Texts of the errors as their readers quote them, such as
https://docs.aws.amazon.com/scheduler/latest/UserGuide/troubleshooting.html (the qualifier that does not match). Pure.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from penstock.invoke_api.refusal import RefusalError, validation_error

# NamespacedFunctionName and NumericLatestPublishedOrAliasQualifier of botocore's model lambda/2015-03-31; the texts of
# errors quote them.
_REGION: Final = r"(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}"
_NAME_PATTERN: Final = (
    rf"(arn:(aws[a-zA-Z-]*)?:lambda:)?({_REGION}:)?(\d{{12}}:)?(function:)?"
    r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
_MAX_NAME: Final = 256
_QUALIFIER_PATTERN: Final = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
_MAX_QUALIFIER: Final = 128

_NAME_RULE: Final = re.compile(_NAME_PATTERN, re.ASCII)
_QUALIFIER_RULE: Final = re.compile(_QUALIFIER_PATTERN, re.ASCII)
_REGION_RULE: Final = re.compile(_REGION, re.ASCII)
_ACCOUNT_RULE: Final = re.compile(r"\d{12}", re.ASCII)
_PLAIN_NAME: Final = re.compile(r"[a-zA-Z0-9-_]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class FunctionName:
    """What a request says: None where it leaves it open."""

    name: str
    qualifier: str | None = None
    account: str | None = None
    region: str | None = None


def read_function_name(label: str, qualifier: str | None = None) -> FunctionName:
    """`label` as it stands in the path, percent-encoded or not; `qualifier` as the query gives it, decoded.

    Raises RefusalError: ValidationException, or InvalidParameterValueException when both name different qualifiers.
    """
    if not qualifier and _PLAIN_NAME.fullmatch(label) and len(label) <= _MAX_NAME:
        return FunctionName(label)
    text = unquote(label)
    _check("functionName", text, _NAME_RULE, _NAME_PATTERN, _MAX_NAME)
    found = _split(text)
    if not qualifier:
        return found
    _check("qualifier", qualifier, _QUALIFIER_RULE, _QUALIFIER_PATTERN, _MAX_QUALIFIER)
    if found.qualifier and found.qualifier != qualifier:
        message = "The derived qualifier from the function name does not match the specified qualifier."
        raise RefusalError(400, "InvalidParameterValueException", message)
    return FunctionName(found.name, qualifier, found.account, found.region)


def require_here(name: FunctionName, region: str, account_id: str) -> None:
    """Raises RefusalError when an ARN names another region, or another account, which never gave leave."""
    if name.region and name.region != region:
        message = f"Functions from '{name.region}' are not reachable in this region ('{region}')"
        raise RefusalError(404, "ResourceNotFoundException", message)
    if name.account and name.account != account_id:
        message = (
            f"User: arn:aws:iam::{account_id}:root is not authorized to perform: lambda:InvokeFunction on resource: "
            f"{_arn(name, region, name.account)} "
            "because no resource-based policy allows the lambda:InvokeFunction action"
        )
        raise RefusalError(403, "AccessDeniedException", message)


def not_found(name: FunctionName, region: str, account_id: str) -> RefusalError:
    message = f"Function not found: {_arn(name, region, account_id)}"
    return RefusalError(404, "ResourceNotFoundException", message)


def _arn(name: FunctionName, region: str, account_id: str) -> str:
    qualifier = f":{name.qualifier}" if name.qualifier else ""
    return f"arn:aws:lambda:{region}:{account_id}:function:{name.name}{qualifier}"


def _check(member: str, value: str, rule: re.Pattern[str], pattern: str, longest: int) -> None:
    if not rule.fullmatch(value):
        raise validation_error(member, value, f"Member must satisfy regular expression pattern: {pattern}")
    if len(value) > longest:
        raise validation_error(member, value, f"Member must have length less than or equal to {longest}")


def _split(text: str) -> FunctionName:
    """By colons and not by the pattern's groups: in `my-func-1:live` these would take the name for a region."""
    parts = text.split(":")
    arn = parts[0] == "arn" and len(parts) > 3
    if arn:
        del parts[:3]
    region = parts.pop(0) if len(parts) > (1 if arn else 2) and _REGION_RULE.fullmatch(parts[0]) else None
    account = parts.pop(0) if len(parts) > 2 and _ACCOUNT_RULE.fullmatch(parts[0]) else None
    if len(parts) > 1 and parts[0] == "function":
        del parts[0]
    return FunctionName(parts[0], parts[1] if len(parts) > 1 else None, account, region)
