"""One line per request at a door: what it knows when the answer is over."""

from typing import NamedTuple


class AccessRecord(NamedTuple):
    """`duration` in seconds from the complete request to the end of the answer, `sent` in body bytes.

    `note` is empty for an answer that went through; else it says what went wrong in a few words.
    """

    function: str
    method: str
    path: str
    status: int
    duration: float
    sent: int
    environment_id: str
    request_id: str
    note: str = ""
