"""What a request from outside to a hook gets, in any mode."""

from typing import Final

from penstock_adapter.http_answer import buffered_answer, prelude
from penstock_adapter.http_event import HttpRequest
from penstock_adapter.runtime_slot import RuntimeSlot

_STATUS: Final = 403
_HEADERS: Final = ((b"content-type", b"text/plain; charset=utf-8"),)
_BODY: Final = b"Forbidden"


def forbid(slot: RuntimeSlot, request: HttpRequest, *, streaming: bool) -> None:
    """Answers in the app's place, whatever AWS_LWA_ERROR_STATUS_CODES says of the app's own answers."""
    body = b"" if request.method == "HEAD" else _BODY
    if not streaming:
        slot.post_response(buffered_answer(request.kind, _STATUS, _HEADERS, body))
        return
    slot.begin_stream(prelude(_STATUS, _HEADERS))
    if body:
        slot.send_chunk(body)
    slot.end_stream()
