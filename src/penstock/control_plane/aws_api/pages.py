"""Lists in pages: at most MaxItems at a time, and a Marker for the rest."""

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from penstock.invoke_api.refusal import RefusalError, validation_error

Item = TypeVar("Item")

# Longest page of ListFunctions, ListVersionsByFunction, ListFunctionUrlConfigs and ListCapacityProviders; what the
# others do is assumed: https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
PAGE: Final = 50
# Greatest MaxItems: MaxListItems and MaxItems in botocore's service model lambda/2015-03-31.
MAX_LIST_ITEMS: Final = 10_000
MAX_ITEMS: Final = 50


def page(
    items: Sequence[Item], key: Callable[[Item], str], query: Mapping[str, str], greatest: int = MAX_LIST_ITEMS
) -> tuple[Sequence[Item], str | None]:
    """The page that Marker and MaxItems ask for of `items`, which are in the order of `key`, and the next Marker.

    The marker names the last item seen, so that what comes and goes in between disturbs nothing else.
    Raises RefusalError.
    """
    start = 0
    if marker := query.get("Marker"):
        start = bisect_right(items, _read_marker(marker), key=key)
    end = start + min(_max_items(query.get("MaxItems"), greatest), PAGE)
    taken = items[start:end]
    return taken, _marker(key(taken[-1])) if end < len(items) else None


def _max_items(text: str | None, greatest: int) -> int:
    if not text:
        return PAGE
    # Not more digits than a number could have: int() takes long over long texts.
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 12):
        raise RefusalError(400, "SerializationException", "MaxItems is not an integer")  # assumed
    number = int(text)
    if number < 1:
        raise validation_error("maxItems", text, "Member must have value greater than or equal to 1")
    if number > greatest:
        raise validation_error("maxItems", text, f"Member must have value less than or equal to {greatest}")
    return number


def _marker(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _read_marker(marker: str) -> str:
    try:
        return base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        # assumed: AWS says nowhere what a marker of one's own gets.
        raise RefusalError(400, "InvalidParameterValueException", "Invalid pagination token: Marker") from None
