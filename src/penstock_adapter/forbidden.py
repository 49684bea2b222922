"""What a request from outside to a hook gets, in any mode: 403 and no body, as of LWA."""

from typing import Final

from penstock_adapter.http_answer import buffered_answer, prelude
from penstock_adapter.http_event import HttpRequest
from penstock_adapter.runtime_slot import RuntimeSlot

_STATUS: Final = 403


def forbid(slot: RuntimeSlot, request: HttpRequest, *, streaming: bool) -> None:
    """Answers in the app's place, whatever AWS_LWA_ERROR_STATUS_CODES says of the app's own answers."""
    slot.warn(f"refused a request to a SnapStart hook: {request.method} {request.target[:200]}")
    if streaming:
        slot.begin_stream(prelude(_STATUS, ()))
        slot.end_stream()
    else:
        slot.post_response(buffered_answer(request.kind, _STATUS, (), b""))
