"""The brief form of an event and of an answer, between our adapter and this platform, on a link alone.

Most invocations have a small event and are answered whole at once. Then what HTTP says of them is always the same but
for a few values, and these are sent in its place: a NUL first, with which no HTTP message begins, and one behind each.
`penstock_adapter.runtime_wire` is the other end.
"""

from typing import TYPE_CHECKING, Any, Final, Protocol

from penstock.model.invocation import Invocation
from penstock.runtime_api.messages import ACCEPTED, AHEAD_BRIEF, INVOCATION, NEXT
from penstock.wire.exchange import Exchange
from penstock.wire.gather import handle_read
from penstock.wire.http_server import HttpConnection
from penstock.wire.prelude import CONTENT_TYPE as PRELUDE_TYPE
from penstock.wire.request_head import BAD_REQUEST

if TYPE_CHECKING:
    from penstock.wire.http_messages import Headers

# With what else is sent of it, a longer event might not come in one piece on a link.
_MAX_EVENT_BYTES: Final = 8 * 1024
_ANSWER_HEADERS: Final["Headers"] = [
    (b"lambda-runtime-function-response-mode", b"streaming"),
    (b"content-type", PRELUDE_TYPE.encode()),
]


def brief_event(invocation: Invocation, attempt_id: str, event: bytes) -> bytes | None:
    """The answer to a poll; None for an invocation that needs the long form."""
    arn, trace_id = invocation.function_arn, invocation.trace_id
    long = len(event) + len(trace_id) > _MAX_EVENT_BYTES
    if long or invocation.client_context or invocation.cognito_identity:
        return None
    head = f"\0{invocation.request_id}\0{attempt_id}\0{invocation.deadline_ms}\0{arn}\0{trace_id}\0"
    return head.encode() + event


class BriefDoor(Protocol):
    """What opens a brief answer, and the poll behind it, without a head to read."""

    def open_brief_response(self, connection: HttpConnection, request_id: bytes, attempt_id: bytes) -> Exchange: ...
    def open_brief_poll(self, connection: HttpConnection) -> Exchange: ...


class BriefConnection(HttpConnection):
    """A connection on a link: a brief answer stands for `/response`, its whole body, and the poll it has had before.

    That it was taken is said by the next event alone, if that is brief as well; that it was not, in the long form.
    With a `door` no head is made up for it: method, target and headers stay those of the poll.
    """

    __slots__ = ("_accepted", "_door", "_in_brief", "_owed", "_polls")

    def __init__(self, *how: Any, door: BriefDoor | None = None) -> None:
        super().__init__(*how)
        self._door = door
        self._polls = False  # what is remembered is the poll, and nothing else
        self._in_brief = False
        self._accepted = False  # so says what was answered last
        self._owed = False  # that an answer was taken is still to be said

    def respond(self, response: bytes) -> None:
        self._accepted = response is ACCEPTED
        if self._in_brief and self._accepted:
            self._owed = True
            self.finish()
            return
        if self._owed:
            self._owed = False
            if response[0]:  # what is not brief does not say it
                response = ACCEPTED + response
        super().respond(response)

    def hold_answers(self) -> None:
        """A refusal needs a parser, for which an event in the brief form must not come in the same piece."""
        if self._accepted:
            super().hold_answers()

    def data_received(self, data: bytes) -> None:
        """Nothing need be acknowledged at once: our adapter does not wait for it (`wire.acknowledge`)."""
        brief = not data[0] and self._remembered and self._between_requests
        handle_read(self._read_brief if brief else self._read, data)

    def _read_brief(self, data: bytes) -> None:
        parts = data.split(b"\0", 3)
        if len(parts) < 4:
            self._refuse(BAD_REQUEST)
            return
        _, request_id, attempt_id, body = parts
        # An id is one segment of a path: the long form has words for any other.
        door = self._door if self._polls and b"/" not in request_id else None
        self._in_brief = True
        if door:
            self._begin()
            self._exchange = door.open_brief_response(self, request_id, attempt_id)
        else:
            headers = [*_ANSWER_HEADERS, (b"lambda-runtime-invocation-id", attempt_id)]
            self._begin_known(b"POST", b"%b%b/response" % (INVOCATION, request_id), headers)
        if body:
            self.on_body(body)
        self.on_message_complete()
        self._in_brief = False
        if not self._between_requests:
            return
        if door:
            self._begin()
            self._exchange = door.open_brief_poll(self)
        else:
            self._begin_known(*self._remembered_head)
        self.on_message_complete()

    def _remember(self, data: bytes) -> None:
        super()._remember(data)
        method, target, headers = self._remembered_head
        self._polls = method == b"GET" and target == NEXT and AHEAD_BRIEF in headers
