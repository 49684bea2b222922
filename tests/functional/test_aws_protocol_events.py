"""Streams of events over a socket, read by boto3: logs' and Lambda's, to their end, to an error, and left early."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError

from penstock.aws_api.service import Call, ServiceError
from support.aws_protocol_rig import Port, open_port
from support.streams import within

GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:g"


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[Port]:
    async with open_port(tmp_path) as opened:
        yield opened


def update(number: int) -> dict[str, Any]:
    return {"sessionUpdate": {"sessionResults": [{"message": f"line {number}", "timestamp": number}]}}


def tail(client: Any) -> Any:
    return client.start_live_tail(logGroupIdentifiers=[GROUP])["responseStream"]


async def test_a_stream_of_json(port: Port) -> None:
    async def events(call: Call) -> AsyncIterator[Any]:
        yield {"sessionStart": {"sessionId": "s", "logGroupIdentifiers": call.params["logGroupIdentifiers"]}}
        for number in range(3):
            await asyncio.sleep(0)
            yield update(number)

    port.serve("logs", StartLiveTail=lambda call: {"responseStream": events(call)})
    found = await port.run("logs", lambda client: list(tail(client)), inject_host_prefix=False)
    assert found[0] == {"sessionStart": {"sessionId": "s", "logGroupIdentifiers": [GROUP]}}
    assert found[1:] == [update(number) for number in range(3)]


async def test_a_stream_of_bytes(port: Port) -> None:
    """Members beside the stream are headers, chunks are raw, and the status is the answer's."""

    async def events() -> AsyncIterator[Any]:
        yield {"PayloadChunk": {"Payload": b"\0\xff"}}
        yield {"InvokeComplete": {"ErrorCode": "Unhandled", "LogResult": "bG9n"}}

    answer = {"StatusCode": 200, "ExecutedVersion": "3"}
    port.serve("lambda", InvokeWithResponseStream=lambda call: answer | {"EventStream": events()})

    def use(client: Any) -> tuple[Any, list[Any]]:
        found = client.invoke_with_response_stream(FunctionName="a", Payload=b"{}")
        return found["ExecutedVersion"], list(found["EventStream"])

    assert await port.run("lambda", use) == (
        "3",
        [
            {"PayloadChunk": {"Payload": b"\0\xff"}},
            {"InvokeComplete": {"ErrorCode": "Unhandled", "LogResult": "bG9n"}},
        ],
    )


@pytest.mark.parametrize("code", ["SessionTimeoutException", "SomethingElse", None])
async def test_a_stream_that_breaks(port: Port, code: str | None) -> None:
    async def events() -> AsyncIterator[Any]:
        yield update(1)
        raise ServiceError(code, "it broke") if code else LookupError("inside")

    port.serve("logs", StartLiveTail=lambda call: {"responseStream": events()})

    def use(client: Any) -> Any:
        found = tail(client)
        stream = iter(found)
        assert next(stream) == update(1)
        with pytest.raises(EventStreamError) as caught:
            next(stream)
        found.close()
        return caught.value.response["Error"]

    error = await port.run("logs", use, inject_host_prefix=False)
    if code:
        assert error == {"Code": code, "Message": "it broke"}
        assert not port.faults
    else:
        assert error["Code"] == "InternalFailure"
        assert port.faults == ["logs StartLiveTail: LookupError: inside"]


async def test_a_refusal_before_the_stream(port: Port) -> None:
    def refuse(call: Call) -> Any:
        raise ServiceError("ResourceNotFoundException", "no group")

    port.serve("logs", StartLiveTail=refuse)

    def use(client: Any) -> Any:
        with pytest.raises(ClientError) as caught:
            tail(client)
        return caught.value.response["Error"]["Code"]

    assert await port.run("logs", use, inject_host_prefix=False) == "ResourceNotFoundException"


@pytest.mark.parametrize("busy", [True, False], ids=["while it writes", "while it waits"])
async def test_a_client_that_leaves_ends_the_source(port: Port, busy: bool) -> None:
    ended = asyncio.Event()

    async def events() -> AsyncIterator[Any]:
        try:
            yield update(0)
            while busy:
                yield {"sessionUpdate": {"sessionResults": [{"message": "x" * 100_000}]}}
            await asyncio.Event().wait()
        finally:
            ended.set()

    port.serve("logs", StartLiveTail=lambda call: {"responseStream": events()})

    def use(client: Any) -> None:
        stream = tail(client)
        assert next(iter(stream)) == update(0)
        stream.close()

    await port.run("logs", use, inject_host_prefix=False)
    await within(ended.wait())
    await within(port.door.drain())
    assert not port.faults


async def test_closing_the_door_ends_a_stream(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def events() -> AsyncIterator[Any]:
        try:
            yield update(0)
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with open_port(tmp_path) as port:
        port.serve("logs", StartLiveTail=lambda call: {"responseStream": events()})
        host, _, number = port.host.partition(":")
        reader, writer = await asyncio.open_connection(host, int(number))
        body = b'{"logGroupIdentifiers":["%b"]}' % GROUP.encode()
        target = b"X-Amz-Target: Logs_20140328.StartLiveTail\r\nContent-Length: %d\r\n\r\n" % len(body)
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\n" + target + body)
        await within(reader.readuntil(b"line 0"))
        await within(port.door.close())
        assert ended.is_set()
        await within(reader.read())  # and the client's connection is over
        writer.close()
        await writer.wait_closed()


async def test_a_client_that_knows_no_chunks(port: Port) -> None:
    """The end of the connection is the end of the stream."""

    async def events() -> AsyncIterator[Any]:
        yield update(0)

    port.serve("logs", StartLiveTail=lambda call: {"responseStream": events()})
    body = b'{"logGroupIdentifiers":["%b"]}' % GROUP.encode()
    head = b"POST / HTTP/1.0\r\nHost: localhost\r\nX-Amz-Target: Logs_20140328.StartLiveTail\r\n"
    found = await port.raw(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
    answer, _, stream = found.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in answer
    assert int.from_bytes(stream[:4], "big") < len(stream)  # the first message, and another
    assert b"line 0" in stream
