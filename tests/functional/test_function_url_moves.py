"""A Function URL that is pointed at another version: what is open goes on, what comes next goes there."""

from dataclasses import replace

import pytest

from penstock.function_url import UrlHosts
from penstock.model.function import AuthType, FunctionUrlConfig, InvokeMode
from support.url_rig import SteppedClock, UrlRig, get, until

STREAMING = FunctionUrlConfig(AuthType.NONE, InvokeMode.RESPONSE_STREAM)


async def test_an_open_stream_ends_where_it_began() -> None:
    async with UrlRig(alias="live") as url, UrlRig(alias="live") as other:
        began = url.door.function.logical_id
        worker, client = await url.worker(), await url.client()
        client.send(get("/"))
        stream = worker.stream(await worker.next())
        stream.send(b"first ")
        assert await client.head()
        assert await client.chunk() == b"first "

        url.door.point_at(replace(other.door.function, version="2", logical_id="second"), other.router)
        second_worker, second_client = await other.worker(), await url.client()
        second_client.send(get("/"))
        second = second_worker.stream(await second_worker.next())
        second.send(b"new")
        stream.send(b"second")

        assert await second.end() == 202
        assert (await second_client.answer()).body == b"new"
        assert await stream.end() == 202
        assert await client.body() == b"second"
        await until(lambda: len(url.records) == 2)
        assert [record.function for record in url.records] == ["second", began]


async def test_its_settings_move_with_it() -> None:
    async with UrlRig(alias="live") as url:
        buffered = replace(url.door.function, url=FunctionUrlConfig(AuthType.NONE, InvokeMode.BUFFERED))
        url.door.point_at(buffered, url.router)
        worker, client = await url.worker(), await url.client()
        client.send(get("/"))
        assert await worker.respond(await worker.next(), b'{"statusCode":201,"body":"whole"}') == 202
        answer = await client.answer()
        assert (answer.status, answer.body, answer.header("content-length")) == (201, b"whole", "5")

        with pytest.raises(ValueError, match="AWS_IAM needs a verifier"):
            url.door.point_at(replace(buffered, url=FunctionUrlConfig(AuthType.AWS_IAM)), url.router)


async def test_one_that_is_not_public_refuses_everybody() -> None:
    async with UrlRig(alias="live") as url:
        closed = replace(url.door.function, url=replace(STREAMING, public=False))
        url.door.point_at(closed, url.router)
        client = await url.client()
        client.send(get("/"))
        answer = await client.answer()
        assert (answer.status, answer.header("x-amzn-errortype")) == (403, "AccessDeniedException")
        assert b"Forbidden. For troubleshooting Function URL authorization issues" in answer.body
        assert url.records[0].note == "no resource policy lets everybody call it"


async def test_a_url_that_was_removed_is_nobodys() -> None:
    hosts = UrlHosts(SteppedClock())
    async with UrlRig(alias="a", hosts=hosts) as url, UrlRig(alias="b", hosts=hosts) as other:
        hosts.remove(url.door.identity.url_id)
        client = await other.client()
        client.send(get(host=url.door.identity.domain_name))
        assert (await client.answer()).status == 403
