"""Answers a page at a time: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html#api-pagination."""

import base64
from collections.abc import Sequence
from typing import Any, Final

from penstock.aws_api.ec2.errors import invalid_value
from penstock.aws_api.service import Answer, Params

_MOST: Final = 1000
_PREFIX: Final = b"page/"


def page(found: Sequence[Any], params: Params, name: str) -> Answer:
    """Of `found` what is asked for, as member `name` of the answer. Raises InvalidParameterValue."""
    start = _start(params.get("NextToken"))
    end = start + min(params.get("MaxResults") or _MOST, _MOST)
    answer: Answer = {name: list(found[start:end])}
    if end < len(found):
        answer["NextToken"] = base64.urlsafe_b64encode(_PREFIX + str(end).encode()).decode()
    return answer


def _start(token: str | None) -> int:
    if not token:
        return 0
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True)
        return int(text.removeprefix(_PREFIX)) if text.startswith(_PREFIX) else int("none")
    except ValueError:
        raise invalid_value(f"Invalid value '{token}' for nextToken") from None
