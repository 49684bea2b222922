"""What real clients send over a socket when they sign, and a server that lets nothing else in."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import boto3
import httpx
import orjson
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from penstock.model.limits import MAX_REQUEST_BYTES
from penstock.wire.aws_errors import error_response
from penstock.wire.bodies import CollectedBody
from penstock.wire.exchange import Exchange
from penstock.wire.http_messages import response
from penstock.wire.http_server import HttpConnection
from penstock.wire.listener import Listener, bind
from penstock.wire.sigv4 import Key, SignatureError, Verifier
from support.signing import KEY, KEYS, REGION, SERVICE, TEMPORARY
from support.streams import within

TOO_LARGE: Final = response(413, b"text/plain", b"")
TRICKY: Final = ["/", "/a/b?x=1&a=2&x=0", "/with%20space/%C3%A9", "/a//b/./c?empty=&flag", "/arn:aws:lambda?t=12:30"]
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")


class Server:
    """Answers with the user whose key signed, or with AWS's error."""

    def __init__(self) -> None:
        self._verifier = Verifier(KEYS, service=SERVICE, region=REGION)
        self.listener = Listener(self._open, 64 * 1024)
        self.url = ""

    def _open(self, connection: HttpConnection) -> Exchange:
        def complete(body: bytes) -> None:
            connection.respond(self._answer(connection, body))

        return CollectedBody(connection, complete, MAX_REQUEST_BYTES, TOO_LARGE)

    def _answer(self, connection: HttpConnection, body: bytes) -> bytes:
        method, target, headers = connection.method, connection.target, connection.headers
        try:
            key = self._verifier.verify(method=method, target=target, headers=headers, body=body, now=time.time())
        except SignatureError as error:
            return error_response(error.status, error.error_type, error.message, request_id="r")
        return response(200, b"application/json", orjson.dumps({"user": key.user, "size": len(body)}))


@pytest.fixture
async def url() -> AsyncIterator[str]:
    server = Server()
    sock = bind("127.0.0.1", 0)
    port = sock.getsockname()[1]
    await server.listener.start(sock)
    yield f"http://127.0.0.1:{port}"
    await within(server.listener.close())


def credentials(key: Key) -> Credentials:
    return Credentials(key.access_key_id, key.secret_access_key, key.session_token)


class Signing(httpx.Auth):
    """Signs what httpx is about to send, as it is about to send it."""

    requires_request_body = True

    def __init__(self, key: Key = KEY) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        signed = AWSRequest(request.method, str(request.url), data=request.content)
        signed.headers["content-type"] = request.headers.get("content-type", "")
        SigV4Auth(credentials(self._key), SERVICE, REGION).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        yield request


async def in_thread(call: Callable[[], Any]) -> Any:
    return await within(asyncio.to_thread(call))


class TestHttpx:
    @pytest.mark.parametrize("target", TRICKY)
    async def test_signed_headers(self, url: str, target: str) -> None:
        async with httpx.AsyncClient(auth=Signing()) as client:
            for method, body in (("GET", b""), ("POST", b"hello"), ("PUT", b"\0\xff" * 100_000)):
                answer = await within(client.request(method, url + target, content=body))
                assert answer.json() == {"user": "default", "size": len(body)}

    async def test_streamed_body(self, url: str) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"piece"

        async with httpx.AsyncClient(auth=Signing(TEMPORARY)) as client:
            answer = await within(client.post(url, content=pieces()))
        assert answer.json() == {"user": "temporary", "size": 15}

    @pytest.mark.parametrize("key", [KEY, TEMPORARY], ids=lambda key: key.user)
    async def test_presigned(self, url: str, key: Key) -> None:
        request = AWSRequest("GET", f"{url}/a%20b?x=1&y=a%2Bb")
        SigV4QueryAuth(credentials(key), SERVICE, REGION, expires=60).add_auth(request)
        assert request.url
        async with httpx.AsyncClient() as client:
            assert (await within(client.get(request.url))).json()["user"] == key.user
            for answer in (
                await within(client.get(request.url.replace("x=1", "x=2"))),
                await within(client.post(request.url, content=b"a body")),
                await within(client.delete(request.url)),
            ):
                assert answer.status_code == 403
                assert answer.headers["x-amzn-errortype"] == "InvalidSignatureException"
                assert "does not match the signature you provided" in answer.json()["message"]

    async def test_unsigned(self, url: str) -> None:
        async with httpx.AsyncClient() as client:
            answer = await within(client.get(url))
        assert (answer.status_code, answer.json()) == (403, {"message": "Missing Authentication Token"})


class TestBoto3:
    def client(self, url: str, key: Key, region: str = REGION) -> Any:
        return boto3.client(
            "lambda",
            region_name=region,
            endpoint_url=url,
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            aws_session_token=key.session_token,
            config=Config(retries={"total_max_attempts": 1}),
        )

    @pytest.mark.parametrize("key", [KEY, TEMPORARY], ids=lambda key: key.user)
    @pytest.mark.parametrize("name", ["plain", "arn:aws:lambda:us-east-1:123456789012:function:plain:live"])
    async def test_invoke(self, url: str, key: Key, name: str) -> None:
        client = self.client(url, key)
        invoke = {"FunctionName": name, "Payload": b'{"a": 1}', "ClientContext": "e30=", "Qualifier": "$LATEST"}
        answer = await in_thread(lambda: orjson.loads(client.invoke(**invoke)["Payload"].read()))
        assert answer == {"user": key.user, "size": 8}

    async def test_presigned_invoke(self, url: str) -> None:
        client = self.client(url, TEMPORARY)
        presigned = client.generate_presigned_url("invoke", {"FunctionName": "f"}, ExpiresIn=60, HttpMethod="POST")
        async with httpx.AsyncClient() as other:
            assert (await within(other.post(presigned))).json() == {"user": "temporary", "size": 0}

    @pytest.mark.parametrize(
        ("key", "region", "error_type"),
        [
            (Key(access_key_id="AKIDOTHER", secret_access_key="x", account_id="1", user="x"), REGION, "Unrecognized"),
            (Key(access_key_id="AKIDEXAMPLE", secret_access_key="x", account_id="1", user="x"), REGION, "Invalid"),
            (KEY, "eu-west-1", "InvalidSignature"),
        ],
        ids=["unknown key", "wrong secret", "other region"],
    )
    async def test_refusals_are_client_errors(self, url: str, key: Key, region: str, error_type: str) -> None:
        client = self.client(url, key, region)
        with pytest.raises(ClientError, match=error_type) as caught:
            await in_thread(lambda: client.invoke(FunctionName="f"))
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@needs_curl
class TestCurl:
    async def curl(self, *arguments: str, key: Key = KEY, service: str = SERVICE) -> str:
        """What curl prints when it signs by itself."""
        token = ["-H", f"X-Amz-Security-Token: {key.session_token}"] if key.session_token else []
        process = await asyncio.create_subprocess_exec(
            "curl",
            "--silent",
            *("--max-time", "20", "--noproxy", "*"),
            *("--aws-sigv4", f"aws:amz:{REGION}:{service}", "--user", f"{key.access_key_id}:{key.secret_access_key}"),
            *token,
            *arguments,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await within(process.communicate())
        return output.decode()

    @pytest.mark.parametrize("target", ["/", "/a/b?a=1&b=2"])
    async def test_get(self, url: str, target: str) -> None:
        assert orjson.loads(await self.curl(url + target)) == {"user": "default", "size": 0}

    async def test_post(self, url: str) -> None:
        answer = await self.curl("--data-binary", '{"a": 1}', "-H", "content-type: application/json", url)
        assert orjson.loads(answer) == {"user": "default", "size": 8}

    async def test_session_token(self, url: str) -> None:
        assert orjson.loads(await self.curl(url, key=TEMPORARY)) == {"user": "temporary", "size": 0}

    async def test_path_as_it_is(self, url: str) -> None:
        assert orjson.loads(await self.curl("--path-as-is", f"{url}/a//b/../c"))["user"] == "default"

    async def test_other_service(self, url: str) -> None:
        answer = orjson.loads(await self.curl(url, service="execute-api"))
        assert answer == {"message": "Credential should be scoped to correct service: 'lambda'. "}
