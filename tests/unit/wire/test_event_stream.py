"""Messages of the event stream, as botocore reads them."""

import struct
import zlib

from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from penstock.wire.event_stream import EventType

CHUNK = EventType("PayloadChunk", "application/octet-stream")


def test_layout() -> None:
    message = EventType("E", "t").message(b"hi")
    headers = b"\x0d:message-type\x07\x00\x05event\x0b:event-type\x07\x00\x01E\x0d:content-type\x07\x00\x01t"
    assert message[:8] == struct.pack(">II", 12 + len(headers) + 2 + 4, len(headers))
    assert message[8:12] == struct.pack(">I", zlib.crc32(message[:8]))
    assert message[12:-4] == headers + b"hi"
    assert message[-4:] == struct.pack(">I", zlib.crc32(message[:-4]))


@given(st.lists(st.binary(max_size=2_000), max_size=5), st.integers(1, 64))
def test_botocore_reads_it_however_it_is_cut(payloads: list[bytes], size: int) -> None:
    data = b"".join(map(CHUNK.message, payloads))
    buffer = EventStreamBuffer()
    found = []
    for at in range(0, len(data), size):
        buffer.add_data(data[at : at + size])
        found += list(buffer)
    assert [event.payload for event in found] == payloads
    for event in found:
        assert event.to_response_dict()["headers"] == {
            ":message-type": "event",
            ":event-type": "PayloadChunk",
            ":content-type": "application/octet-stream",
        }


@given(st.binary(min_size=1, max_size=70_000))
def test_a_chunk_is_the_message_framed(payload: bytes) -> None:
    message = CHUNK.message(payload)
    assert CHUNK.http_chunk(payload) == b"%x\r\n%b\r\n" % (len(message), message)
    assert CHUNK.size(payload) == len(message)
