"""Lists a page at a time: https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html."""

import base64
from collections.abc import Sequence
from typing import Any, Final

from penstock.aws_api.service import Answer, Params, ServiceError

_DEFAULT: Final = 100
_MOST: Final = 1000


def page(found: Sequence[Any], params: Params, member: str) -> Answer:
    """Of `found` what is asked for, as `member` of the answer. Raises ValidationError."""
    start = _start(params.get("Marker"))
    end = start + min(params.get("MaxItems") or _DEFAULT, _MOST)
    answer: Answer = {member: list(found[start:end]), "IsTruncated": end < len(found)}
    if end < len(found):
        answer["Marker"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return answer


def _start(marker: str | None) -> int:
    if not marker:
        return 0
    try:
        return max(0, int(base64.b64decode(marker, altchars=b"-_", validate=True)))
    except ValueError:
        raise ServiceError("ValidationError", f"Invalid Marker: {marker}") from None
