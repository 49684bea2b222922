"""How the comparison reads its load tools, and puts rounds side by side."""

import asyncio

import pytest
from bench.compare import ratios
from bench.peers.caller import Tally, call
from bench.peers.load import Load, read_wrk

_WRK = """Running 2s test @ http://127.0.0.1:1/json
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.14s   448.90ms   1.92s    63.24%
    Req/Sec    40.06     12.73    60.00     81.25%
  {count} requests in 2.00s, 22.10KB read
{more}Requests/sec:   {rate}
Transfer/sec:     10.91KB
"""


def _answer(status: str, *pieces: bytes) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return f"HTTP/1.1 {status}\r\ntransfer-encoding: chunked\r\n\r\n".encode() + body + b"0\r\n\r\n"


def test_wrk_without_errors() -> None:
    assert read_wrk(_WRK.format(count=2000, rate="1000.00", more="")) == Load(2000, 1000.0, 0, 0)


def test_wrk_counts_refusals_as_requests() -> None:
    more = "  Socket errors: connect 1, read 2, write 0, timeout 4\n  Non-2xx or 3xx responses: 500\n"
    assert read_wrk(_WRK.format(count=2000, rate="1000.00", more=more)) == Load(1500, 750.0, 500, 7)


def test_wrk_without_an_answer() -> None:
    assert read_wrk(_WRK.format(count=0, rate="0.00", more="")) == Load(0, 0.0, 0, 0)


def test_wrk_that_says_nothing() -> None:
    with pytest.raises(ValueError, match="no rate"):
        read_wrk("unable to connect")


def test_ratios_are_of_the_same_round() -> None:
    assert ratios([50.0, 300.0, 120.0], [100.0, 200.0, 100.0]) == "1.20 (0.50 to 1.50)"


def test_no_ratio_to_nothing() -> None:
    assert ratios([50.0], [0.0]) == "none"


async def _called(answers: list[bytes]) -> Tally:
    """What one caller tells of a server that gives these answers, one a request, and then hangs up."""
    waiting = iter(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in waiting:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await call(f"http://127.0.0.1:{port}/json", 1, 30)


async def test_callers_tell_answers_from_refusals() -> None:
    tally = await _called([_answer("200 OK", b"a", b"b"), _answer("429 Too Many Requests"), _answer("500 Oh", b"x")])
    assert (tally.answers, tally.refused) == (1, 1)
    assert tally.failed == 2  # the 500, and the request that the server hung up on
    assert len(tally.first_ms) == 1
    assert tally.first_ms[0] > 0


async def test_an_answer_without_a_body_has_no_first_byte() -> None:
    tally = await _called([b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"])
    assert (tally.answers, tally.first_ms) == (1, [])


async def test_callers_say_that_nothing_listens() -> None:
    with pytest.raises(OSError, match="onnect"):
        await call("http://127.0.0.1:1/json", 1, 1)
