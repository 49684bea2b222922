"""Lists in pages: at most MaxItems at a time, and a Marker for the rest."""

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from penstock.aws_api.functions.errors import invalid
from penstock.aws_api.service import Answer

Item = TypeVar("Item")

# Longest page of ListFunctions, ListVersionsByFunction, ListFunctionUrlConfigs and ListCapacityProviders; what the
# others do is assumed: https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
PAGE: Final = 50


def page(
    items: Sequence[Item], key: Callable[[Item], str], params: Mapping[str, Any]
) -> tuple[Sequence[Item], str | None]:
    """The page that Marker and MaxItems ask for of `items`, which are in the order of `key`, and the next Marker.

    The marker names the last item seen, so that what comes and goes in between disturbs nothing else.
    Raises ServiceError.
    """
    start = 0
    if marker := params.get("Marker"):
        start = bisect_right(items, _read_marker(marker), key=key)
    end = start + min(params.get("MaxItems") or PAGE, PAGE)
    taken = items[start:end]
    return taken, _marker(key(taken[-1])) if end < len(items) else None


def paged(member: str, items: Sequence[Any], marker: str | None) -> Answer:
    return {member: list(items), "NextMarker": marker} if marker else {member: list(items)}


def _marker(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _read_marker(marker: str) -> str:
    try:
        return base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        # assumed: AWS says nowhere what a marker of one's own gets.
        raise invalid("Invalid pagination token: Marker") from None
