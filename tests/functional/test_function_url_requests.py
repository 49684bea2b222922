"""Requests, refusals and the end of serving, through a real door on real sockets."""

import asyncio
import base64
import hashlib
import time
from contextlib import suppress

import httpx
import pytest

from penstock.model.errors import FunctionError
from penstock.model.limits import MAX_REQUEST_BYTES
from support.streams import within
from support.url_rig import UrlRig, get, post, until

SLOTS = 64


async def test_three_environments_share_192_requests_and_refuse_the_rest_at_once() -> None:
    async with UrlRig(environments=3) as rig:
        workers = await rig.workers(SLOTS)
        clients = [await rig.client() for _ in range(200)]
        for client in clients:
            client.send(get())
        await until(lambda: len(rig.records) == 8)
        assert [one.in_flight for one in rig.environments] == [SLOTS] * 3
        assert [one.free_slots for one in rig.environments] == [0] * 3
        # One more is refused while every slot is held.
        began = time.monotonic()
        refusal = await (await rig.client()).send(get()).answer()
        assert time.monotonic() - began < 1
        assert (refusal.status, refusal.header("x-amzn-errortype")) == (429, "TooManyRequestsException")
        for worker in (worker for group in workers for worker in group):
            assert await worker.respond(await worker.next()) == 202
        statuses = [(await client.answer()).status for client in clients]
        assert (statuses.count(200), statuses.count(429)) == (192, 8)


async def test_least_loaded_environment_is_next() -> None:
    async with UrlRig(environments=3) as rig:
        await rig.workers(2)
        for expected in ([1, 0, 0], [1, 1, 0], [1, 1, 1], [2, 1, 1], [2, 2, 1], [2, 2, 2]):
            (await rig.client()).send(get())
            await until(lambda: sum(one.in_flight for one in rig.environments) == sum(expected))  # noqa: B023
            assert [one.in_flight for one in rig.environments] == expected


async def test_hung_up_worker_is_not_given_a_request() -> None:
    async with UrlRig() as rig:
        dead, alive = await rig.worker(), await rig.worker()
        dead.line.hang_up()
        await until(lambda: rig.only.free_slots == 1)
        client = (await rig.client()).send(get())
        await alive.respond(await alive.next())
        assert (await client.answer()).status == 200


async def test_connection_is_kept_for_many_requests() -> None:
    async with UrlRig() as rig:
        worker, client = await rig.worker(), await rig.client()
        for number in range(200):
            client.send(get(f"/{number}"))
            request_id = await worker.next()
            assert worker.event["rawPath"] == f"/{number}"
            assert await worker.respond(request_id) == 202
            worker.poll()
            answer = await client.answer()
            assert (answer.status, answer.body) == (200, b"ok")
            assert answer.header("x-amzn-requestid") == request_id
            await until(lambda: rig.only.free_slots == 1)
        assert len(rig.door_connections) == 1


async def test_body_of_6_mb_arrives_whole() -> None:
    async with UrlRig() as rig:
        worker, client = await rig.worker(), await rig.client()
        body = hashlib.sha256(b"body").digest() * (MAX_REQUEST_BYTES // 32)
        client.send(post(body))
        request_id = await worker.next()
        assert base64.b64decode(worker.event["body"]) == body
        await worker.respond(request_id)
        assert (await client.answer()).status == 200


@pytest.mark.parametrize("extra", [1, 10 * 1024 * 1024], ids=["one byte", "10 MB"])
async def test_larger_body_is_refused_so_that_the_client_can_read_it(extra: int) -> None:
    async with UrlRig() as rig, httpx.AsyncClient() as http:
        await rig.worker()
        response = await within(http.post(rig.url, content=b"x" * (MAX_REQUEST_BYTES + extra)))
        assert response.status_code == 413
        assert (await rig.record()).note == "request over 6 MB"
        assert rig.only.in_flight == 0


async def test_header_budget() -> None:
    async with UrlRig() as rig:
        client = await rig.client()
        client.send(get(x="v" * (2 * 1024 * 1024)))
        assert (await client.rest()).startswith(b"HTTP/1.1 431 ")


async def test_error_of_the_function_is_502_and_the_connection_stays() -> None:
    async with UrlRig() as rig:
        worker, client = await rig.worker(), await rig.client()
        client.send(get())
        assert await worker.error(await worker.next()) == 202
        assert (await client.answer()).status == 502
        worker.poll()
        await until(lambda: rig.only.free_slots == 1)
        client.send(get())
        await worker.respond(await worker.next())
        assert (await client.answer()).status == 200


async def test_death_fails_all_that_wait() -> None:
    async with UrlRig() as rig:
        await rig.workers(5)
        clients = [(await rig.client()).send(get()) for _ in range(5)]
        await until(lambda: rig.only.in_flight == 5)
        rig.only.die(FunctionError("Runtime.ExitError"))
        assert [(await client.answer()).status for client in clients] == [502] * 5


class TestDrain:
    async def test_open_stream_ends_and_new_ones_are_refused(self) -> None:
        async with UrlRig() as rig:
            worker, client, idle = await rig.worker(), await rig.client(), await rig.client()
            client.send(get())
            stream = worker.stream(await worker.next()).send(b"one")
            await client.head()
            await until(lambda: len(rig.door_connections) == 2)
            draining = asyncio.create_task(rig.door.drain(20))
            assert await idle.rest() == b""
            with pytest.raises(ConnectionError):
                await rig.client()
            assert await client.chunk() == b"one"
            stream.send(b"two")
            assert await client.chunk() == b"two"
            assert not draining.done()
            assert await stream.end() == 202
            assert await client.chunk() == b""
            assert await client.rest() == b""
            await within(draining)

    async def test_last_answer_is_out_before_the_door_closes(self) -> None:
        """However slowly the client reads: closing right after the drain must not cut it."""
        async with UrlRig() as rig:
            worker, client = await rig.worker(), await rig.client(receive_buffer=4096)
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(get())
            body = b'"' + b"x" * 6_000_000 + b'"'
            request_id = await worker.next()

            async def serve() -> None:
                await rig.door.drain(20)
                await rig.door.close()

            assert await worker.respond(request_id, body) == 202
            closing = asyncio.create_task(serve())
            await until(lambda: bool(rig.records))
            client.writer.transport.resume_reading()  # type: ignore[attr-defined]
            assert (await client.rest()).endswith(b"\r\n\r\n" + b"x" * 6_000_000)
            await within(closing)

    async def test_is_bounded(self) -> None:
        async with UrlRig() as rig:
            worker, client = await rig.worker(), await rig.client()
            client.send(get())
            worker.stream(await worker.next()).send(b"one")
            await client.head()
            await within(rig.door.drain(0.01))
            assert rig.door.open_requests == 1
            await within(rig.door.close())
            assert await client.chunk() == b"one"
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await client.chunk()

    async def test_can_be_cut_short(self) -> None:
        async with UrlRig() as rig:
            worker, client = await rig.worker(), await rig.client()
            client.send(get())
            await worker.next()
            draining = asyncio.create_task(rig.door.drain(1000))
            await asyncio.sleep(0)
            rig.door.stop_draining()
            await within(draining)

    async def test_waits_for_a_function_whose_client_has_left(self) -> None:
        async with UrlRig() as rig:
            worker, client = await rig.worker(), await rig.client()
            client.send(get())
            request_id = await worker.next()
            client.hang_up()
            await until(lambda: not rig.door_connections)
            draining = asyncio.create_task(rig.door.drain(20))
            ended, _ = await asyncio.wait([draining], timeout=0.05)
            assert not ended
            assert await worker.respond(request_id) == 202
            await within(draining)

    async def test_half_a_request_does_not_hold_it_up(self) -> None:
        async with UrlRig() as rig:
            client = await rig.client()
            client.send(b"GET / HT")
            await until(lambda: len(rig.door_connections) == 1)
            await within(rig.door.drain(1000))
            with suppress(ConnectionResetError):  # its bytes may not have been read yet
                assert await client.rest() == b""

    async def test_nothing_open_takes_no_time(self) -> None:
        async with UrlRig() as rig:
            await within(rig.door.drain(1000))
