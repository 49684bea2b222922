"""Function URLs by host and over TLS, and clients that leave, through real doors on real sockets."""

import asyncio
import ssl

import httpx
import orjson
import pytest
import trustme

from penstock.function_url import UrlHosts
from penstock.wire.exchange import DISCARD, Exchange
from penstock.wire.http_server import HttpConnection
from penstock.wire.listener import Listener, bind
from support.streams import within
from support.url_rig import SteppedClock, UrlRig, Worker, get, until


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost", "*.lambda-url.eu-west-1.localhost").configure_cert(context)
    return context


def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def serve(worker: Worker, body: bytes) -> None:
    assert await worker.respond(await worker.next(), b'{"statusCode":200,"body":"%b"}' % body) == 202


async def test_each_port_serves_the_url_its_host_names() -> None:
    hosts = UrlHosts(SteppedClock())
    async with UrlRig(alias="a", hosts=hosts) as first, UrlRig(alias="b", hosts=hosts) as second:
        for port in (first, second):
            for named in (first, second):
                worker, client = await named.worker(), await port.client()
                client.send(get(host=named.door.identity.domain_name))
                await serve(worker, named.door.identity.url_id.encode())
                answer = await client.answer()
                assert answer.body.decode() == named.door.identity.url_id
                headers = worker.event["headers"]
                assert (headers["x-forwarded-port"], headers["x-forwarded-proto"]) == (str(port.address[1]), "http")
        assert [len(rig.records) for rig in (first, second)] == [2, 2]


async def test_port_of_no_function_routes_by_host() -> None:
    """As the AWS-compatible port does with what is not its own."""
    hosts = UrlHosts(SteppedClock())

    def open_exchange(connection: HttpConnection) -> Exchange:
        named = hosts.find(connection)
        if named:
            return named.open_exchange(connection)
        connection.respond(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        return DISCARD

    async with UrlRig(hosts=hosts) as rig, httpx.AsyncClient() as http:
        sock = bind("127.0.0.1", 0)
        listener = await Listener(open_exchange, 64 * 1024).start(sock)
        url, worker = f"http://127.0.0.1:{sock.getsockname()[1]}", await rig.worker()
        assert (await http.get(url)).status_code == 404
        unknown = await http.get(url, headers={"host": "nobody.lambda-url.eu-west-1.localhost"})
        assert (unknown.status_code, unknown.json()) == (403, {"Message": None})
        serving = asyncio.create_task(serve(worker, b"found"))
        assert (await http.get(url, headers={"host": rig.door.identity.domain_name})).text == "found"
        await within(serving)
        assert worker.event["headers"]["x-forwarded-port"] == str(sock.getsockname()[1])
        await http.aclose()
        await within(listener.close())
        sock.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_https_tells_the_function_of_the_connection(authority: trustme.CA, version: ssl.TLSVersion) -> None:
    trusting = client_tls(authority)
    trusting.maximum_version = version
    async with UrlRig(tls=server_tls(authority)) as rig, httpx.AsyncClient(verify=trusting) as http:
        worker = await rig.worker()
        serving = asyncio.create_task(serve(worker, b"secret"))
        assert (await http.get(rig.url)).text == "secret"
        await within(serving)
        headers = worker.event["headers"]
        assert headers["x-forwarded-proto"] == "https"
        assert headers["x-forwarded-port"] == str(rig.address[1])
        assert headers["x-amzn-tls-version"] == version.name.replace("_", ".")
        assert headers["x-amzn-tls-cipher-suite"].startswith(("TLS_", "ECDHE-"))


async def test_stream_over_https(authority: trustme.CA) -> None:
    async with UrlRig(tls=server_tls(authority)) as rig, httpx.AsyncClient(verify=client_tls(authority)) as http:
        worker = await rig.worker()
        seen: asyncio.Queue[bytes] = asyncio.Queue()

        async def stream() -> int:
            answer = worker.stream(await worker.next())
            for number in range(5):
                answer.send(b"%d" % number)
                assert await within(seen.get()) == b"%d" % number
            return await answer.end()

        streaming = asyncio.create_task(stream())
        async with http.stream("GET", rig.url) as response:
            async for part in response.aiter_raw():
                seen.put_nowait(part)
        assert await within(streaming) == 202


async def test_client_that_leaves_ends_its_invocation_and_the_slot_comes_back() -> None:
    async with UrlRig(cancel_on_disconnect=True) as rig:
        worker, client = await rig.worker(), await rig.client()
        client.send(get())
        stream = worker.stream(await worker.next()).send(b"one")
        await client.head()
        client.hang_up()
        record = await rig.record()
        assert record.note == "Client.Disconnected: the client left before its answer was complete"
        assert rig.only.ended == ["failure"]
        answer = await stream.line.answer()
        assert answer.status >= 400
        assert orjson.loads(answer.body)
        again = await rig.worker()
        client = (await rig.client()).send(get())
        await serve(again, b"next")
        assert (await client.answer()).body == b"next"


async def test_client_that_leaves_before_the_function_answered() -> None:
    async with UrlRig(cancel_on_disconnect=True) as rig:
        worker, client = await rig.worker(), await rig.client()
        client.send(get())
        request_id = await worker.next()
        client.hang_up()
        await until(lambda: rig.only.ended == ["failure"])
        assert await worker.respond(request_id) >= 400
        assert rig.door.open_requests == 0
