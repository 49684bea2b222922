"""Messages of AWS's event stream encoding, built in pieces so that a payload is copied once, with its HTTP framing.

Prelude (total length, length of headers, CRC-32 of both), headers, payload, CRC-32 of all before it; numbers are
big-endian: https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream
Names of the headers: https://smithy.io/2.0/aws/amazon-eventstream.html
"""

import struct
from typing import Final
from zlib import crc32

# The largest payload that AWS's clients take from one message:
# https://github.com/aws/aws-sdk-go-v2/blob/main/aws/protocol/eventstream/message.go (maxPayloadLen)
MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024

CONTENT_TYPE: Final = b"application/vnd.amazon.eventstream"

_LENGTHS: Final = struct.Struct(">II")
_CRC: Final = struct.Struct(">I")
_PRELUDE_BYTES: Final = _LENGTHS.size + _CRC.size
_STRING: Final = 7


class EventType:
    """One kind of event of a stream; its headers are encoded once."""

    __slots__ = ("_frame_bytes", "_headers")

    def __init__(self, name: str, content_type: str) -> None:
        fields = ((":message-type", "event"), (":event-type", name), (":content-type", content_type))
        self._headers = b"".join(_header(*field) for field in fields)
        self._frame_bytes = _PRELUDE_BYTES + len(self._headers) + _CRC.size

    def size(self, payload: bytes) -> int:
        """Bytes of the whole message."""
        return self._frame_bytes + len(payload)

    def around(self, payload: bytes) -> tuple[bytes, bytes]:
        """What stands before and after `payload`, which has at most MAX_PAYLOAD_BYTES."""
        lengths = _LENGTHS.pack(self.size(payload), len(self._headers))
        before = lengths + _CRC.pack(crc32(lengths)) + self._headers
        return before, _CRC.pack(crc32(payload, crc32(before)))

    def message(self, payload: bytes) -> bytes:
        before, after = self.around(payload)
        return b"".join((before, payload, after))

    def http_chunk(self, payload: bytes) -> bytes:
        """The message as one chunk of a chunked body."""
        before, after = self.around(payload)
        return b"".join((b"%x\r\n" % self.size(payload), before, payload, after, b"\r\n"))


def _header(name: str, value: str) -> bytes:
    """A header whose value is a string."""
    raw_name, raw_value = name.encode(), value.encode()
    return struct.pack(">B", len(raw_name)) + raw_name + struct.pack(">BH", _STRING, len(raw_value)) + raw_value
