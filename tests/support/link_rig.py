"""Two ends of a link joined in memory, and protocols on its connections that note what they are told."""

import asyncio
from collections.abc import Callable, Mapping
from struct import Struct
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from penstock_adapter.link import Link
from penstock_adapter.memory_pipe import MemoryTransport, connect

if TYPE_CHECKING:
    from penstock_adapter.link_transport import LinkTransport

_HEAD: Final = Struct("<IIB")
Teller = Callable[[], None]


def frame(number: int, kind: int, payload: bytes = b"", size: int | None = None) -> bytes:
    """One frame, whose head may tell another size than its payload's."""
    return _HEAD.pack(len(payload) if size is None else size, number, kind) + payload


def read_frames(data: bytes) -> list[tuple[int, int, bytes]]:
    """Connection, kind and payload of each."""
    found = []
    while data:
        size, number, kind = _HEAD.unpack_from(data)
        found.append((number, kind, data[_HEAD.size : _HEAD.size + size]))
        data = data[_HEAD.size + size :]
    return found


async def turns(count: int = 8) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class End(asyncio.Protocol):
    """`half_open`: it goes on writing when the other end has ended. `fails_in` names a callback that raises."""

    def __init__(self, *, half_open: bool = False, fails_in: str = "") -> None:
        self.told: list[object] = []
        self.pieces: list[bytes] = []
        self.transport: LinkTransport = cast("LinkTransport", None)
        self._half_open = half_open
        self._fails_in = fails_in

    @property
    def received(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def held(self) -> int:
        """Bytes that have come and that it has not taken."""
        return sum(map(len, self.transport._held))

    def _fail(self, where: str) -> None:
        if where == self._fails_in:
            raise LookupError(where)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("LinkTransport", transport)

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)
        self._fail("data")

    def eof_received(self) -> bool:
        self.told.append("end")
        self._fail("end")
        return self._half_open

    def connection_lost(self, error: Exception | None) -> None:
        self.told.append(error if error is None else type(error))
        self._fail("lost")

    def pause_writing(self) -> None:
        self.told.append("pause")
        self._fail("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")


class Wire(asyncio.Transport):
    """The real connection of a link, by hand: notes each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.gathered = 0
        self.aborted = False
        self.reading = True
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self._closing
        self.writes.append(bytes(data))

    def writelines(self, list_of_data: object) -> None:
        self.gathered += 1
        self.write(b"".join(cast("list[bytes]", list_of_data)))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    def abort(self) -> None:
        self._closing = self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def take(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self.writes)
        self.writes.clear()
        return data


class LinkRig:
    """Client and server over a pipe in memory. Must be made inside a running event loop."""

    def __init__(self, server_extra: Mapping[str, object] = MappingProxyType({})) -> None:
        self.client = Link(on_lost=lambda error: self.lost.append(("client", error)))
        self.server = Link(self._accept, on_lost=lambda error: self.lost.append(("server", error)))
        self.lost: list[tuple[str, Exception | None]] = []
        self.ends: list[End] = []
        """The server's, as they were opened."""
        self.next_end: Callable[[], End] = End
        connect(self.client, self.server, server_extra)

    def _accept(self) -> End:
        self.ends.append(self.next_end())
        return self.ends[-1]

    async def open(self, ours: End | None = None, theirs: End | None = None) -> tuple[End, End]:
        """A connection: the client's end and the server's."""
        end = ours or End()
        if theirs is not None:
            self.next_end = lambda: theirs
        self.client.open(end)
        await turns()
        self.next_end = End
        return end, self.ends[-1]

    @property
    def pipe(self) -> MemoryTransport:
        """The real connection, as the client knows it."""
        return cast("MemoryTransport", self.client._transport)

    @property
    def open_connections(self) -> tuple[int, int]:
        return len(self.client._connections), len(self.server._connections)


def served(accept: Callable[[], asyncio.Protocol] = End) -> tuple[Link, Wire]:
    """A server's end whose real connection the test plays."""
    link, wire = Link(accept), Wire()
    link.connection_made(wire)
    return link, wire
