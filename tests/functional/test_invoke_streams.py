"""InvokeWithResponseStream over sockets: incremental, bounded, and told to the end."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from botocore.exceptions import ClientError

from support.invoke_rig import InvokeRig
from support.invoke_story import INVOKE, STREAM, read_events
from support.runtime_rig import request
from support.streams import within
from support.url_rig import until

WORKERS = 8


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[InvokeRig]:
    async with InvokeRig(tmp_path) as rig:
        yield rig


async def test_boto3_has_each_chunk_while_the_function_holds_the_next(rig: InvokeRig) -> None:
    worker = await rig.worker()
    events = rig.stream()
    first = asyncio.ensure_future(anext(events))
    stream = worker.stream(await worker.next()).send(b"one")
    assert await within(first) == {"PayloadChunk": {"Payload": b"one"}}
    for chunk in (b"two", b"three"):
        stream.send(chunk)
        assert await anext(events) == {"PayloadChunk": {"Payload": chunk}}
    assert await stream.end() == 202
    assert [event async for event in events] == [{"InvokeComplete": {}}]


async def test_head_as_botocore_reads_it(rig: InvokeRig) -> None:
    worker = await rig.worker()
    calling = rig.call(rig.client.invoke_with_response_stream, FunctionName="app", Qualifier="live")
    request_id = await worker.next()
    stream = worker.stream(request_id)
    answer = await within(calling)  # the function has begun and not written anything
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "1")
    assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    assert answer["ResponseMetadata"]["RequestId"] == request_id
    await stream.end()
    assert await within(rig.call(list, answer["EventStream"])) == [{"InvokeComplete": {}}]


async def test_buffered_function(rig: InvokeRig) -> None:
    worker = await rig.worker()
    events = rig.stream()
    reading = asyncio.ensure_future(anext(events))
    await worker.respond(await worker.next(), b'{"a":1}')
    assert await within(reading) == {"PayloadChunk": {"Payload": b'{"a":1}'}}
    assert [event async for event in events] == [{"InvokeComplete": {}}]


async def test_error_before_the_first_byte(rig: InvokeRig) -> None:
    worker = await rig.worker()
    events = rig.stream()
    reading = asyncio.ensure_future(anext(events))
    await worker.error(await worker.next(), b'{"errorType":"ValueError"}')
    assert await within(reading) == {
        "InvokeComplete": {"ErrorCode": "Unhandled", "ErrorDetails": '{"errorType":"ValueError"}'}
    }
    assert [event async for event in events] == []


async def test_error_in_the_middle_told_in_trailers(rig: InvokeRig) -> None:
    worker = await rig.worker()
    events = rig.stream()
    reading = asyncio.ensure_future(anext(events))
    stream = worker.stream(await worker.next()).send(b"half")
    assert await within(reading) == {"PayloadChunk": {"Payload": b"half"}}
    body = orjson.dumps({"errorType": "Runtime.Broken", "errorMessage": "oops"})
    trailers = {
        "lambda-runtime-function-error-type": "Runtime.Broken",
        "lambda-runtime-function-error-body": base64.b64encode(body).decode(),
    }
    await stream.end(trailers)
    assert [event async for event in events] == [
        {"InvokeComplete": {"ErrorCode": "Unhandled", "ErrorDetails": body.decode()}}
    ]


async def test_a_worker_that_dies_in_the_middle(rig: InvokeRig) -> None:
    worker = await rig.worker()
    events = rig.stream()
    reading = asyncio.ensure_future(anext(events))
    stream = worker.stream(await worker.next()).send(b"half")
    await within(reading)
    stream.line.hang_up()
    [last] = [event async for event in events]
    assert orjson.loads(last["InvokeComplete"]["ErrorDetails"]) == {"errorType": "Runtime.TruncatedResponse"}


async def test_tail(rig: InvokeRig) -> None:
    worker = await rig.worker()
    events = rig.stream("Tail")
    reading = asyncio.ensure_future(anext(events))
    request_id = await worker.next()
    stream = worker.stream(request_id).send(b"x")
    await within(reading)
    rig.only.say(f"{request_id} hello")
    await stream.end()
    [last] = [event async for event in events]
    log = base64.b64decode(last["InvokeComplete"]["LogResult"]).decode().splitlines()
    assert [line.split("\t")[0] for line in log] == [
        f"START RequestId: {request_id} Version: 1",
        f"{request_id} hello",
        f"END RequestId: {request_id}",
        f"REPORT RequestId: {request_id}",
    ]


async def test_all_is_full(rig: InvokeRig) -> None:
    with pytest.raises(ClientError) as refused:
        await within(rig.call(rig.client.invoke_with_response_stream, FunctionName="app"))
    assert isinstance(refused.value, rig.client.exceptions.TooManyRequestsException)


async def test_client_that_does_not_read_stops_the_function_and_costs_little(rig: InvokeRig) -> None:
    worker, client = await rig.worker(), await rig.line(receive_buffer=4096)
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    client.send(request("POST", STREAM, {}, b"{}"))
    stream = worker.stream(await worker.next())
    total, piece, written = 32 * 1024 * 1024, b"x" * 65_536, 0

    async def write() -> int:
        nonlocal written
        while written < total:
            stream.send(piece)
            await stream.line.writer.drain()
            written += len(piece)
        return await stream.end()

    writing = asyncio.create_task(write())
    [source] = rig.only.connections
    await until(lambda: not source.transport.is_reading())
    [connection] = rig.connections
    assert 0 < connection.transport.get_write_buffer_size() < 1024 * 1024
    assert written < total // 2
    client.writer.transport.resume_reading()  # type: ignore[attr-defined]
    await client.head()
    events = read_events(await client.body())
    assert sum(len(payload) for kind, payload in events if kind == "PayloadChunk") == total
    assert events[-1] == ("InvokeComplete", b"{}")
    assert await within(writing) == 202


async def test_client_that_leaves_does_not_stop_the_function(rig: InvokeRig) -> None:
    worker, client = await rig.worker(), await rig.line()
    client.send(request("POST", STREAM, {}, b"{}"))
    stream = worker.stream(await worker.next()).send(b"one")
    await client.head()
    client.hang_up()
    await until(lambda: not rig.connections)
    for _ in range(10):
        stream.send(b"x" * 100_000)
    assert await stream.end() == 202
    assert (await rig.over()).note == "client left"
    assert rig.only.ended == ["success"]


@pytest.mark.parametrize("path", [INVOKE, STREAM])
async def test_ten_times_too_many(rig: InvokeRig, path: str) -> None:
    """Those over capacity are refused while the others run, and afterwards it serves as before."""
    workers = [await rig.worker() for _ in range(WORKERS)]
    clients = [await rig.line() for _ in range(10 * WORKERS)]
    for client in clients:
        client.send(request("POST", path, {}, b"{}"))
    taken = [await worker.next() for worker in workers]
    await until(lambda: len(rig.records) == 9 * WORKERS)
    assert {record.status for record in rig.records} == {429}
    assert rig.api.open_requests == WORKERS
    for worker, request_id in zip(workers, taken, strict=True):
        assert await worker.respond(request_id, b"{}") == 202
    answers = [await client.answer("POST") for client in clients]
    assert sorted(answer.status for answer in answers) == [200] * WORKERS + [429] * 9 * WORKERS
    workers[0].poll()
    await until(lambda: rig.only.free_slots == 1)
    clients[-1].send(request("POST", path, {}, b"{}"))
    await workers[0].respond(await workers[0].next(), b"{}")
    assert (await clients[-1].answer("POST")).status == 200
