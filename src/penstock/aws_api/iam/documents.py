"""Policy documents: what is refused of them, and how an answer holds them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from penstock.aws_api.iam.errors import limit_exceeded, malformed_policy

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: characters without white space; that of a
# trust policy is 2,048, and 8,192 where the quota was raised as far as it goes.
_MAX_TRUST: Final = 2048
_MAX_MANAGED: Final = 6144
MAX_INLINE: Final = 10_240
_VERSIONS: Final = ("2012-10-17", "2008-10-17")
_EFFECTS: Final = ("Allow", "Deny")
_SPACE: Final = re.compile(r"\s")


def size_of(text: str) -> int:
    """As the quotas count it."""
    return len(_SPACE.sub("", text))


def check_trust_policy(text: str) -> None:
    """Raises MalformedPolicyDocument, LimitExceeded."""
    for statement in _statements(text, "This policy contains invalid Json"):
        for field in ("Effect", "Principal", "Action"):
            if field not in statement and f"Not{field}" not in statement:
                raise malformed_policy(f"Missing required field {field}")
        for field in ("Resource", "NotResource"):
            if field in statement:
                raise malformed_policy(f"Has prohibited field {field}")
        _check_effect(statement)
    if size_of(text) > _MAX_TRUST:
        raise limit_exceeded(f"Cannot exceed quota for ACLSizePerRole: {_MAX_TRUST}")


def check_managed_policy(text: str) -> None:
    """Raises MalformedPolicyDocument, LimitExceeded."""
    check_identity_policy(text)
    if size_of(text) > _MAX_MANAGED:
        raise limit_exceeded(f"Cannot exceed quota for PolicySize: {_MAX_MANAGED}")


def check_identity_policy(text: str) -> None:
    """Raises MalformedPolicyDocument."""
    for statement in _statements(text, "Syntax errors in policy."):
        if "Principal" in statement or "NotPrincipal" in statement:
            raise malformed_policy("Policy document should not specify a principal.")
        if "Action" not in statement and "NotAction" not in statement:
            raise malformed_policy("Policy statement must contain actions.")
        if "Resource" not in statement and "NotResource" not in statement:
            raise malformed_policy("Policy statement must contain resources.")
        _check_effect(statement)


def in_answer(text: str) -> str:
    """URL-encoded, as RFC 3986 says. https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html"""
    return quote(text, safe="")


def _statements(text: str, no_json: str) -> list[Mapping[str, Any]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise malformed_policy(no_json) from None
    statements = document.get("Statement") if isinstance(document, dict) else None
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements or not all(isinstance(one, dict) for one in statements):
        raise malformed_policy("Syntax errors in policy.")
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise malformed_policy("Syntax errors in policy.")
    return statements


def _check_effect(statement: Mapping[str, Any]) -> None:
    if statement.get("Effect") not in _EFFECTS:
        raise malformed_policy("Syntax errors in policy.")
