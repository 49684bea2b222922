"""A slot whose connection breaks in the middle of an answer: what had begun to leave is never sent again."""

import asyncio

import pytest

from penstock_adapter.endpoint import Endpoint
from penstock_adapter.invocation import Invocation
from penstock_adapter.output import Output
from penstock_adapter.runtime_client import RuntimeClient
from penstock_adapter.runtime_slot import RuntimeSlot
from penstock_adapter.runtime_wire import ACCEPTED

EVENT = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nlambda-runtime-aws-request-id: r1\r\n\r\n{}"


class Handler:
    """Holds each invocation, and notes what it is told."""

    def __init__(self, slot: RuntimeSlot) -> None:
        self.slot = slot
        self.heard: list[str] = []

    def invoke(self, invocation: Invocation) -> None:
        self.slot.hold()
        self.heard.append(invocation.request_id)

    def pause(self) -> None:
        self.heard.append("pause")

    def resume(self) -> None:
        self.heard.append("resume")

    def abandon(self) -> None:
        self.heard.append("abandon")


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        pass


def slot_with_invocation(monkeypatch: pytest.MonkeyPatch) -> tuple[RuntimeSlot, Handler, Wire]:
    made: list[Handler] = []

    def new_handler(slot: RuntimeSlot) -> Handler:
        made.append(Handler(slot))
        return made[0]

    output = Output(write=lambda line: None)
    client = RuntimeClient(Endpoint("127.0.0.1", 9001), 1, new_handler, output, pytest.fail, polls_ahead=True)
    [slot] = client._slots
    monkeypatch.setattr(slot, "connect", lambda: None)
    wire = Wire()
    slot.connection_made(wire)
    slot.data_received(EVENT)
    return slot, made[0], wire


def test_an_answer_that_had_begun_to_leave_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    slot, handler, first = slot_with_invocation(monkeypatch)
    slot.begin_stream(b"{}")
    slot.send_chunk(b"one")
    slot.flush()
    slot.send_chunk(b"two")  # gathered, not yet written
    slot.connection_lost(None)
    assert b"one" in first.written
    assert handler.heard == ["r1", "abandon"]
    slot.release()
    second = Wire()
    slot.connection_made(second)
    assert second.written.startswith(b"GET ")
    assert b"two" not in second.written


def test_an_answer_of_which_nothing_left_goes_out_on_the_next_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    slot, handler, first = slot_with_invocation(monkeypatch)
    before = first.written
    slot.begin_stream(b"{}")
    slot.send_chunk(b"one")
    slot.connection_lost(None)
    assert first.written == before
    assert handler.heard == ["r1", "pause"]
    second = Wire()
    slot.connection_made(second)
    assert b"one" in second.written
    assert handler.heard == ["r1", "pause", "resume"]


def test_the_next_answer_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    slot, handler, _ = slot_with_invocation(monkeypatch)
    slot.begin_stream(b"{}")
    slot.end_stream()
    slot.release()
    slot.data_received(ACCEPTED + EVENT)
    assert handler.heard == ["r1", "r1"]
    slot.begin_stream(b"{}")
    slot.connection_lost(None)
    assert handler.heard == ["r1", "r1", "pause"]
