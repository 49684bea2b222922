"""The brief form means what the long one does, and nothing else a function sends passes for it."""

from dataclasses import dataclass
from functools import partial
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.model.invocation import Invocation
from penstock.model.limits import MAX_RUNTIME_HEADER_BYTES
from penstock.runtime_api import messages
from penstock.runtime_api.bandwidth import Bandwidth
from penstock.runtime_api.brief import BriefConnection, brief_event
from penstock.wire.prelude import CONTENT_TYPE
from penstock_adapter import invocation as adapter
from penstock_adapter.endpoint import Endpoint
from penstock_adapter.invocation import read_invocation
from penstock_adapter.runtime_wire import (
    LAST_CHUNK,
    brief_answer,
    next_ahead_request,
    read_brief_event,
    read_whole_event,
    short_stream_head,
)
from support.runtime_rig import ARN, INVOCATION, RuntimeRig, request
from support.sink import RecordingSink
from support.transport import Peer

API: Final = Endpoint("127.0.0.1", 9001)
POLL: Final = next_ahead_request(API, brief=True)
NULS: Final = b"\0" * 8
LARGEST: Final = 8 * 1024

VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
EVENTS = st.binary(max_size=200) | st.just(b"\0\0\0") | st.integers(0, LARGEST + 200).map(lambda size: b"e" * size)


# --- events ---


@given(
    request_id=VISIBLE,
    attempt=VISIBLE,
    deadline_ms=st.integers(0, 2**53),
    arn=VISIBLE,
    trace_id=st.just("") | VISIBLE,
    event=EVENTS,
    extra=st.sampled_from(["", "", "", "client_context", "cognito_identity"]),
)
@settings(deadline=None)
def test_an_event_says_the_same(
    request_id: str, attempt: str, deadline_ms: int, arn: str, trace_id: str, event: bytes, extra: str
) -> None:
    made = Invocation(request_id, arn, lambda: event, RecordingSink(), 0.0, deadline_ms, 3, trace_id)
    if extra:
        setattr(made, extra, '{"a":1}')
    brief = brief_event(made, attempt, event)
    if brief is None:
        assert extra or len(event) + len(trace_id) > LARGEST
        return
    whole = read_whole_event(messages.next_response(made, attempt, event))
    assert whole is not None
    assert read_brief_event(brief) == read_invocation(*whole)
    assert read_brief_event(brief) is not None


def test_a_long_trace_id_counts_as_well() -> None:
    made = Invocation("r1", ARN, lambda: b"", RecordingSink(), 0.0, 0, 3, "t" * LARGEST)
    assert brief_event(made, "a1", b"") is not None
    assert brief_event(made, "a1", b"e") is None


# --- answers ---


@dataclass
class Told:
    """What an answer did, and what the worker heard of it."""

    content_type: str | None
    streaming: bool | None
    body: bytes
    finished: bool
    error_type: str | None
    statuses: list[tuple[str, str]]
    idle: int
    said: bytes


class Rig(RuntimeRig):
    """One worker on a link, which has taken an invocation."""

    def __init__(self, bandwidth: Bandwidth | None = None, *, door: bool = True) -> None:
        super().__init__()
        self.api._bandwidth = bandwidth
        self.sink = RecordingSink()
        kind = partial(BriefConnection, door=self.api if door else None)
        self.peer = Peer(self.api.open_exchange, MAX_RUNTIME_HEADER_BYTES, kind)
        self.peer.send(POLL)
        assert self.api.invoke(self.invocation("r1", self.sink))
        found = read_brief_event(self.peer.take())
        assert found is not None
        self.taken = found

    def told(self) -> Told:
        sink = self.sink
        said = self.peer.received.removeprefix(messages.ACCEPTED)
        return Told(
            sink.content_type,
            sink.streaming,
            sink.body,
            sink.finished,
            sink.error_type,
            self.statuses,
            self.api.idle,
            said,
        )

    def next_event(self) -> bytes:
        """What comes with the next invocation, beside the status of an answer that was taken."""
        self.peer.take()
        assert self.api.invoke(self.invocation("r2"))
        return self.peer.take().removeprefix(messages.ACCEPTED)


def long_answer(taken: adapter.Invocation, prelude: bytes, body: bytes) -> bytes:
    return short_stream_head(API, taken, prelude, body) + LAST_CHUNK + POLL


def brief_with_poll(taken: adapter.Invocation, prelude: bytes, body: bytes) -> bytes:
    return brief_answer(taken, prelude, body)


@given(
    prelude=st.binary(max_size=40),
    body=st.binary(max_size=40) | st.just(POLL),
    request_id=st.sampled_from(["", "r1", "r1", "r1", "r1/error", "r1/response", "nobody", "\r\n", "é"]),
    attempt=st.sampled_from(["", "same", "same", "other"]),
    late=st.booleans(),
    bandwidth=st.sampled_from([None, Bandwidth(10, 10)]),
)
@settings(deadline=None)
def test_an_answer_says_the_same(
    prelude: bytes, body: bytes, request_id: str, attempt: str, late: bool, bandwidth: Bandwidth | None
) -> None:
    told = []
    for form, door in ((long_answer, False), (brief_with_poll, False), (brief_with_poll, True)):
        rig = Rig(bandwidth, door=door)
        if late:
            rig.clock.advance(4)
        taken = rig.taken._replace(request_id=request_id)
        if attempt != "same":
            taken = taken._replace(invocation_id=attempt)
        if form is long_answer and not (request_id.isascii() and request_id.isprintable()):
            form = brief_with_poll  # what cannot be said in a head finds no invocation
        rig.peer.send(form(taken, prelude, body))
        told.append(rig.told())
    assert told[0] == told[1] == told[2]
    if request_id == "r1" and attempt != "other" and not late:
        one = told[0]
        assert (one.body, one.finished) == (prelude + NULS + body, True)
        assert (one.content_type, one.streaming, one.said, one.idle) == (CONTENT_TYPE, True, b"", 1)
    else:
        assert (told[0].finished, told[0].idle) == (False, 1)


def test_nothing_is_said_of_an_answer_that_was_taken_but_the_next_event() -> None:
    rig = Rig()
    rig.peer.send(brief_answer(rig.taken, b"{}", b"fine"))
    assert rig.peer.received == b""
    assert rig.api.invoke(rig.invocation("r2"))
    found = read_brief_event(rig.peer.take())
    assert found is not None
    assert found.request_id == "r2"


@pytest.mark.parametrize("form", [long_answer, brief_with_poll])
def test_a_refusal_is_not_kept_for_an_event_in_brief(form: object) -> None:
    rig = Rig()
    rig.clock.advance(4)
    assert callable(form)
    rig.peer.send(form(rig.taken, b"{}", b"late"))
    assert rig.peer.take() == messages.INVOKE_TIMEOUT
    assert rig.next_event().startswith(b"\0r2\0")


def test_an_answer_in_the_long_form_is_accepted_together_with_an_event_in_brief() -> None:
    rig = Rig()
    rig.peer.send(long_answer(rig.taken, b"{}", b"fine"))
    assert rig.peer.received == b""
    assert rig.api.invoke(rig.invocation("r2"))
    assert rig.peer.take().startswith(messages.ACCEPTED + b"\0r2\0")


def test_a_body_of_nothing_is_no_chunk() -> None:
    rig = Rig()
    rig.peer.send(b"\0r1\0\0")
    assert rig.sink.chunks == []
    assert rig.sink.finished


@pytest.mark.parametrize("data", [b"\0", b"\0\0", b"\0r1\0", b"\0r1\0a1", b"\0" + b"x" * 10_000])
def test_what_is_not_even_brief_is_refused_and_the_connection_ends(data: bytes) -> None:
    rig = Rig()
    rig.peer.send(data)
    assert rig.peer.received.startswith(b"HTTP/1.1 400 ")
    assert rig.peer.sees_end
    assert rig.peer.losses == 1
    assert not rig.sink.over, "others may answer yet"
    assert rig.api.idle == 0


def test_without_a_poll_before_it_nothing_is_brief() -> None:
    rig = RuntimeRig()
    sink = RecordingSink()
    rig.poll()
    assert rig.api.invoke(rig.invocation("r1", sink))
    stranger = Peer(rig.api.open_exchange, MAX_RUNTIME_HEADER_BYTES, BriefConnection)
    stranger.send(b"\0r1\0\0whole")
    assert stranger.received.startswith(b"HTTP/1.1 400 ")
    assert stranger.sees_end
    assert not sink.over


def test_while_a_poll_waits_nothing_is_brief() -> None:
    rig = Rig()
    rig.peer.send(POLL)
    rig.peer.send(brief_answer(rig.taken, b"{}", b"fine"))
    assert not rig.sink.over
    assert rig.api.idle == 1
    rig.peer.reset()
    assert rig.api.idle == 0


def test_inside_a_body_a_nul_is_a_byte() -> None:
    rig = Rig()
    data = brief_answer(rig.taken, b"{}", b"fine")
    head = request("POST", f"{INVOCATION}r1/response", {"content-length": str(len(data))})
    rig.peer.send(head, data)
    assert rig.sink.body == data
    assert rig.sink.finished


def test_an_answer_to_anothers_invocation_is_taken_once() -> None:
    """Within one environment an id is all it takes, in either form."""
    rig = Rig()
    other = Peer(rig.api.open_exchange, MAX_RUNTIME_HEADER_BYTES, BriefConnection)
    other.send(POLL)
    assert rig.api.invoke(rig.invocation("r2"))
    other.take()
    other.send(brief_answer(rig.taken, b"{}", b"first"))
    rig.peer.send(brief_answer(rig.taken, b"{}", b"second"))
    assert rig.sink.body == b"{}" + NULS + b"first"
    assert rig.peer.received == messages.INVALID_REQUEST_ID
    assert rig.api.idle == 2


def test_what_is_remembered_may_be_anything_and_is_asked_again() -> None:
    """A function's own doing: a ping in place of a poll."""
    rig = Rig()
    rig.peer.send(request("GET", "/2018-06-01/ping"))
    assert rig.peer.take() == messages.PONG
    rig.peer.send(b"\0r1\0\0whole")
    assert rig.sink.body == b"whole"
    assert rig.peer.received == messages.ACCEPTED + messages.PONG
    assert rig.api.idle == 0


def test_an_answer_that_is_too_large_fails_and_the_worker_hears_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.runtime_api.exchanges.MAX_STREAMED_RESPONSE_BYTES", 10)
    rig = Rig()
    rig.peer.send(brief_answer(rig.taken, b"{}", b"more than ten"))
    assert rig.sink.error_type == "Function.ResponseSizeTooLarge"
    assert rig.peer.take() == messages.TOO_LARGE
    assert rig.api.idle == 1
    assert rig.next_event().startswith(b"\0r2\0")
