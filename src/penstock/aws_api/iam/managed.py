"""AWS's managed policies, of which only the names are known here, and which policies can be attached.

https://docs.aws.amazon.com/aws-managed-policy/latest/reference/about-managed-policy-reference.html
"""

import hashlib
import re
from base64 import b32encode
from typing import Any, Final

from penstock.aws_api.iam.errors import no_such_entity
from penstock.aws_api.iam.state import IamState
from penstock.aws_api.service import Call

_AWS: Final = re.compile(r"arn:aws[a-z-]*:iam::aws:policy(/(?:[\w+=,.@-]+/)*)([\w+=,.@-]{1,128})", re.ASCII)
# When each was made is not known here; policies began on 2015-02-06 (assumed).
_MADE: Final = 1_423_248_000.0


def aws_policy(arn: str) -> dict[str, Any] | None:
    """A row for AWS's managed policy of this ARN: every name is taken to be one, for there is no list to look in."""
    found = _AWS.fullmatch(arn)
    if not found:
        return None
    path, name = found.groups()
    return {
        "PolicyName": name,
        "PolicyId": "ANPA" + b32encode(hashlib.sha256(arn.encode()).digest())[:17].decode(),
        "Arn": arn,
        "Path": path,
        "DefaultVersionId": "v1",
        "CreateDate": _MADE,
        "UpdateDate": _MADE,
        "Versions": {},
        "Tags": {},
    }


def check_attachable(state: IamState, call: Call, arn: str) -> None:
    """Raises NoSuchEntity."""
    if aws_policy(arn) is None and state.find_policy(call, arn) is None:
        raise no_such_entity(f"Policy {arn} does not exist or is not attachable.")
