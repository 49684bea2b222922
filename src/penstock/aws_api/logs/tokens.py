"""Where a reader of events is, and where a list goes on."""

import base64
import re
from typing import Final, NamedTuple

from penstock.aws_api.logs.errors import invalid

# An event's id is a decimal number of this many digits on AWS.
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
_DIGITS: Final = 56
_EVENT: Final = re.compile(r"([fb])/([0-9]{56})")
_RANK_BITS: Final = 32
_POSITION_BITS: Final = 64
_MOST: Final = 1 << 56 + _RANK_BITS + _POSITION_BITS


class Key(NamedTuple):
    """The order of events: by time in epoch milliseconds, then by file, then as they were written."""

    time: int
    rank: int = 0
    position: int = 0


def event_id(key: Key) -> str:
    number = key.time << _RANK_BITS + _POSITION_BITS | key.rank << _POSITION_BITS | key.position
    return f"{number:0{_DIGITS}}"


def event_token(key: Key, *, forward: bool) -> str:
    """For events behind `key`, or before it."""
    return f"{'f' if forward else 'b'}/{event_id(key)}"


def read_event_token(token: str) -> tuple[Key, bool]:
    """The key, and whether it goes forward. Raises ServiceError."""
    found = _EVENT.fullmatch(token)
    number = int(found[2]) if found else _MOST
    if found is None or number >= _MOST:
        # As observed on AWS: https://github.com/getmoto/moto (tests/test_logs).
        raise invalid("The specified nextToken is invalid.")
    rank = number >> _POSITION_BITS & (1 << _RANK_BITS) - 1
    key = Key(number >> _RANK_BITS + _POSITION_BITS, rank, number & (1 << _POSITION_BITS) - 1)
    return key, found[1] == "f"


def list_token(last: str) -> str:
    """To go on behind the item called `last`."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def read_list_token(token: str) -> str:
    """Raises ServiceError."""
    try:
        return base64.b64decode(token.encode(), b"-_", validate=True).decode()
    except ValueError:
        raise invalid("The specified nextToken is invalid.") from None
