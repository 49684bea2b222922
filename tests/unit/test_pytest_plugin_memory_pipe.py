"""Two ends in memory behave as those of a socket."""

import asyncio
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.pytest_plugin.client_stream import ClientStream
from penstock_adapter.memory_pipe import MemoryTransport, connect


class End(asyncio.Protocol):
    """Notes what it is told. `half_open`: it goes on writing when the other end has ended."""

    def __init__(self, *, half_open: bool = False) -> None:
        self.told: list[object] = []
        self.received = b""
        self.transport: MemoryTransport = cast("MemoryTransport", None)
        self._half_open = half_open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("MemoryTransport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data

    def eof_received(self) -> bool:
        self.told.append("end")
        return self._half_open

    def connection_lost(self, error: Exception | None) -> None:
        self.told.append(error)

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")


async def turns(count: int = 4) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_nothing_arrives_within_the_write() -> None:
    one, two = End(), End()
    connect(one, two, {"peername": ("127.0.0.1", 1)})
    one.transport.write(b"a")
    one.transport.writelines([b"b", b"c"])
    assert two.received == b""
    await turns()
    assert two.received == b"abc"
    assert two.transport.get_extra_info("peername") == ("127.0.0.1", 1)
    assert one.transport.get_extra_info("socket") is None


async def test_a_reader_that_pauses_fills_the_writer() -> None:
    one, two = End(), End()
    connect(one, two)
    two.transport.pause_reading()
    one.transport.write(bytes(64 * 1024))
    await turns()
    assert (one.told, two.received) == ([], b"")
    one.transport.write(b"x")
    assert (one.told, one.transport.get_write_buffer_size()) == (["pause"], 64 * 1024 + 1)
    two.transport.resume_reading()
    await turns()
    assert (one.told, len(two.received)) == (["pause", "resume"], 64 * 1024 + 1)


async def test_close_comes_after_what_was_written() -> None:
    one, two = End(), End()
    connect(one, two)
    two.transport.pause_reading()
    one.transport.write(b"last")
    one.transport.close()
    one.transport.write(b"too late")
    await turns()
    assert (one.told, two.told) == ([], [])
    two.transport.resume_reading()
    await turns()
    assert (two.received, one.told, two.told) == (b"last", [None], ["end", None])


async def test_a_half_closed_end_still_reads() -> None:
    one, two = End(), End(half_open=True)
    connect(one, two)
    one.transport.write_eof()
    await turns()
    two.transport.write(b"answer")
    await turns()
    assert (two.told, one.received) == (["end"], b"answer")
    two.transport.close()
    await turns()
    assert (one.told, two.told) == (["end", None], ["end", None])


async def test_abort_is_a_reset_for_the_other_end() -> None:
    one, two = End(), End()
    connect(one, two)
    one.transport.write(bytes(10))
    one.transport.abort()
    one.transport.abort()
    await turns()
    assert one.told == [None]
    assert isinstance(two.told[0], ConnectionResetError)
    assert two.transport.is_closing()


async def test_a_stream_reads_what_came_before_the_end() -> None:
    stream, server = ClientStream(), End()
    connect(stream, server)
    server.transport.write(b"abcdef")
    server.transport.close()
    assert await stream.read(4, 1.0) == b"abcd"
    assert stream.readable
    assert [await stream.read(4, 1.0) for _ in range(2)] == [b"ef", b""]
    with pytest.raises(ConnectionError):
        await stream.write(b"x", 1.0)


async def test_a_stream_that_is_reset_says_so() -> None:
    stream, server = ClientStream(), End()
    connect(stream, server)
    reading = asyncio.create_task(stream.read(1, 5.0))
    await turns()
    server.transport.abort()
    with pytest.raises(ConnectionResetError):
        await reading


async def test_a_stream_waits_for_a_server_that_does_not_read() -> None:
    stream, server = ClientStream(), End()
    connect(stream, server)
    server.transport.pause_reading()
    with pytest.raises(TimeoutError):
        await stream.write(bytes(100_000), 0.01)
    server.transport.resume_reading()
    await stream.write(b"x", 1.0)
    await turns()
    assert len(server.received) == 100_001
    with pytest.raises(TimeoutError):
        await stream.read(1, 0.01)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=70_000), st.sampled_from(["pause", "resume", "turn"])), max_size=12))
def test_every_byte_arrives_once_and_in_order(steps: list[bytes | str]) -> None:
    async def story() -> None:
        one, two = End(), End()
        connect(one, two)
        for step in steps:
            if isinstance(step, bytes):
                one.transport.write(step)
            elif step == "turn":
                await turns(1)
            else:
                getattr(two.transport, f"{step}_reading")()
        one.transport.close()
        two.transport.resume_reading()
        await turns(8)
        assert two.received == b"".join(step for step in steps if isinstance(step, bytes))
        assert one.told.count("pause") == one.told.count("resume")
        assert (one.told[-1], two.told) == (None, ["end", None])

    asyncio.run(story())
