"""S3's bodies against the AWS-compatible port: uploads in every coding, downloads, addresses, presigned links."""

import asyncio
import base64
import hashlib
import io
import urllib.request
import zlib
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from penstock.aws_api.service import Call, FilePart, ServiceError
from penstock.model.limits import MIB
from penstock.wire.http_server import HttpConnection
from support.aws_protocol_rig import Port, ScriptedService, open_port
from support.streams import within

CONTENT = bytes(range(256)) * 12_000  # 3 MB
END = b"Host: localhost\r\nConnection: close\r\n"
SCOPE = (
    b"Authorization: AWS4-HMAC-SHA256 Credential=AK/20260301/us-east-1/s3/aws4_request,"
    b"SignedHeaders=host,Signature=0\r\n"
)


def keep(call: Call) -> dict[str, Any]:
    """A file is closed when its call is over: what was in it is put in its place."""
    assert isinstance(call.params, dict)
    call.params["Body"] = call.params["Body"].read()
    return {"ETag": '"e"'}


def serve(port: Port, folder: Path) -> ScriptedService:
    path = folder / "object"
    path.write_bytes(CONTENT)

    def get(call: Call) -> dict[str, Any]:
        part = call.params.get("Range")
        answer = {
            "ContentType": "a/b",
            "Metadata": {"plain": "x", "other": "é"},
            "ETag": '"e"',
            "AcceptRanges": "bytes",
        }
        if part:
            first, last = map(int, part.removeprefix("bytes=").split("-"))
            size = last - first + 1
            span = {"ContentRange": f"bytes {first}-{last}/{len(CONTENT)}", "ContentLength": size}
            return answer | span | {"Body": FilePart(path, first, size)}
        return answer | {"ContentLength": len(CONTENT), "Body": FilePart(path, 0, len(CONTENT))}

    return port.serve(
        "s3",
        PutObject=keep,
        UploadPart=keep,
        GetObject=get,
        HeadObject=lambda call: {"ContentLength": len(CONTENT), "ETag": '"e"'},
        CopyObject=lambda call: {"CopyObjectResult": {"ETag": '"c"'}},
        CreateMultipartUpload=lambda call: {"UploadId": "u", "Bucket": call.params["Bucket"]},
        CompleteMultipartUpload=lambda call: {"ETag": '"m"'},
        ListParts=lambda call: {"Parts": []},
        ListBuckets=lambda call: {"Buckets": []},
        ListObjectsV2=lambda call: {"KeyCount": 0, "Name": call.params["Bucket"]},
        GetBucketLocation=lambda call: {"LocationConstraint": "eu-west-1"},
        CreateBucket=lambda call: {"Location": "/b"},
        DeleteObjects=lambda call: {"Deleted": []},
        PutBucketTagging=lambda call: {},
        DeleteObject=lambda call: {},
    )


@pytest.fixture(params=["open", "signed"])
async def port(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Port]:
    async with open_port(tmp_path, signed=request.param == "signed") as opened:
        yield opened
        assert opened.faults == []


async def test_objects_go_up_and_come_down(port: Port, tmp_path: Path) -> None:
    service = serve(port, tmp_path)
    key = "a/b c/%41+é//x"

    def use(client: Any) -> None:
        client.put_object(Bucket="bucket", Key=key, Body=CONTENT, Metadata={"k": "v"}, ContentEncoding="gzip")
        got = client.get_object(Bucket="bucket", Key=key)
        assert got["Body"].read() == CONTENT
        assert (got["ContentType"], got["ContentLength"]) == ("a/b", len(CONTENT))
        assert got["Metadata"]["plain"] == "x"
        part = client.get_object(Bucket="bucket", Key=key, Range="bytes=10-20")
        assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert part["Body"].read() == CONTENT[10:21]
        assert client.head_object(Bucket="bucket", Key=key)["ContentLength"] == len(CONTENT)
        assert client.get_bucket_location(Bucket="bucket")["LocationConstraint"] == "eu-west-1"
        assert client.delete_object(Bucket="bucket", Key=key)["ResponseMetadata"]["HTTPStatusCode"] == 204

    await port.run("s3", use)
    put = service.calls[0]
    assert put.params["Body"] == CONTENT
    assert (put.params["Bucket"], put.params["Key"]) == ("bucket", key)
    assert (put.params["Metadata"], put.params["ContentEncoding"]) == ({"k": "v"}, "gzip")
    assert put.context.endpoint == f"http://{port.host}"


async def test_operations_at_one_path_are_told_apart(port: Port, tmp_path: Path) -> None:
    service = serve(port, tmp_path)

    def use(client: Any) -> None:
        at = {"Bucket": "bucket", "Key": "k"}
        client.create_multipart_upload(**at)
        client.upload_part(**at, PartNumber=1, UploadId="u", Body=b"part")
        client.list_parts(**at, UploadId="u")
        client.complete_multipart_upload(
            **at,
            UploadId="u",
            MultipartUpload={"Parts": [{"ETag": "e", "PartNumber": 1}, {"ETag": "f", "PartNumber": 2}]},
        )
        client.copy_object(**at, CopySource="bucket/other")
        client.put_object(**at)
        client.list_buckets()
        client.list_objects_v2(Bucket="bucket", Prefix="", MaxKeys=3)
        client.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        client.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "a&b"}], "Quiet": True})
        client.put_bucket_tagging(Bucket="bucket", Tagging={"TagSet": [{"Key": "k", "Value": ""}]})

    await port.run("s3", use)
    assert [call.operation for call in service.calls] == [
        "CreateMultipartUpload",
        "UploadPart",
        "ListParts",
        "CompleteMultipartUpload",
        "CopyObject",
        "PutObject",
        "ListBuckets",
        "ListObjectsV2",
        "CreateBucket",
        "DeleteObjects",
        "PutBucketTagging",
    ]
    by_name = {call.operation: call.params for call in service.calls}
    assert by_name["UploadPart"]["Body"] == b"part"
    assert [part["PartNumber"] for part in by_name["CompleteMultipartUpload"]["MultipartUpload"]["Parts"]] == [1, 2]
    assert by_name["ListObjectsV2"]["MaxKeys"] == 3
    assert by_name["DeleteObjects"]["Delete"] == {"Objects": [{"Key": "a&b"}], "Quiet": True}
    assert by_name["PutBucketTagging"]["Tagging"] == {"TagSet": [{"Key": "k", "Value": ""}]}


@pytest.mark.parametrize("version", ["s3v4", "s3"])
async def test_presigned_links(port: Port, tmp_path: Path, version: str) -> None:
    """Both ways of signing them; fetched as curl does it, with nothing else."""
    service = serve(port, tmp_path)

    def use(client: Any) -> None:
        at = {"Bucket": "bucket", "Key": "a b"}
        with closing(urllib.request.urlopen(client.generate_presigned_url("get_object", at))) as got:
            assert got.read() == CONTENT
        link = client.generate_presigned_url("put_object", at)
        request = urllib.request.Request(link, data=b"body", method="PUT", headers={"Content-Type": ""})
        with closing(urllib.request.urlopen(request)) as put:
            assert put.status == 200

    await port.run("s3", use, signature_version=version)
    assert [call.operation for call in service.calls] == ["GetObject", "PutObject"]
    assert service.last.params["Body"] == b"body"
    assert service.last.params["Key"] == "a b"
    assert service.last.context.access_key_id == "AKIAEXAMPLE"


@pytest.mark.parametrize("version", ["s3v4", "s3"])
async def test_links_that_are_not_good(tmp_path: Path, version: str) -> None:
    async with open_port(tmp_path, signed=True) as port:
        service = serve(port, tmp_path)

        def link(client: Any) -> str:
            return str(client.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "k"}, ExpiresIn=100))

        async def fetch(url: str) -> bytes:
            return await port.raw(b"GET %b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % (
                url.removeprefix(f"http://{port.host}").encode(),
                port.host.encode(),
            ))  # fmt: skip

        good = await port.run("s3", link, signature_version=version)
        assert (await fetch(good)).endswith(CONTENT)
        wrong = await port.run("s3", link, secret="guessed", signature_version=version)
        assert b"<Code>SignatureDoesNotMatch</Code>" in await fetch(wrong)
        assert b"<Code>SignatureDoesNotMatch</Code>" in await fetch(good.replace("bucket/k", "bucket/other"))
        assert b"<Code>InvalidAccessKeyId</Code>" in await fetch(good.replace("AKIAEXAMPLE", "AKIAOTHER"))
        port.clock.advance(101)
        expired = await fetch(good)
        assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in expired
        assert len(service.calls) == 1


async def test_answers_without_a_body(port: Port) -> None:
    def unchanged(call: Call) -> dict[str, Any]:
        raise ServiceError("NotModified", "Not Modified", 304)

    port.serve("s3", GetObject=unchanged, DeleteObject=lambda call: {}, HeadBucket=lambda call: {})

    def use(client: Any) -> None:
        at = {"Bucket": "bucket", "Key": "k"}
        for _ in range(2):  # on one connection
            with pytest.raises(ClientError) as caught:
                client.get_object(**at, IfNoneMatch="e")
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 304
            client.delete_object(**at)
            client.head_bucket(Bucket="bucket")

    await port.run("s3", use, max_pool_connections=1)


@pytest.mark.parametrize("host", ["bucket.localhost:4566", "bucket.s3.localhost", "bucket.s3.eu-west-1.localhost:1"])
async def test_buckets_in_the_host(tmp_path: Path, host: str) -> None:
    async with open_port(tmp_path) as port:
        service = serve(port, tmp_path)
        head = b"Host: %b\r\nConnection: close\r\n%b\r\n" % (host.encode(), SCOPE)
        assert (await port.raw(b"GET /a%20b/c HTTP/1.1\r\n" + head)).endswith(CONTENT)
        assert service.last.params == {"Bucket": "bucket", "Key": "a b/c"}
        assert service.last.context.endpoint == "http://" + host.removeprefix("bucket.")
        found = await port.raw(b"GET /?list-type=2 HTTP/1.1\r\n" + head)
        assert b"<ListBucketResult xmlns=" in found
        assert service.last.params == {"Bucket": "bucket"}


def coded(*chunks: bytes, trailer: bytes = b"") -> bytes:
    pieces = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]
    return b"".join((*pieces, b"0\r\n", trailer, b"\r\n"))


def put_coded(body: bytes, size: int, *headers: bytes) -> bytes:
    lines = b"".join(b"%b\r\n" % header for header in headers)
    return (
        b"PUT /bucket/k HTTP/1.1\r\n%b%bContent-Encoding: gzip,aws-chunked\r\nx-amz-decoded-content-length: %d\r\n"
        b"x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n%bContent-Length: %d\r\n\r\n%b"
        % (END, SCOPE, size, lines, len(body), body)
    )


async def test_uploads_in_chunks_with_a_checksum_behind(tmp_path: Path) -> None:
    async with open_port(tmp_path) as port:
        service = serve(port, tmp_path)
        checksum = base64.b64encode(zlib.crc32(CONTENT).to_bytes(4, "big"))
        trailer = b"x-amz-checksum-crc32:%b\r\n" % checksum
        body = coded(CONTENT[:70_000], CONTENT[70_000:], trailer=trailer)
        found = await port.raw(put_coded(body, len(CONTENT), b"x-amz-trailer: x-amz-checksum-crc32"))
        assert found.startswith(b"HTTP/1.1 200"), found
        params = service.last.params
        assert (params["Body"], params["ChecksumCRC32"]) == (CONTENT, checksum.decode())
        assert (params["ContentEncoding"], params["ContentLength"]) == ("gzip", len(CONTENT))

        wrong = coded(b"other", trailer=trailer)
        found = await port.raw(put_coded(wrong, 5, b"x-amz-trailer: x-amz-checksum-crc32"))
        assert found.startswith(b"HTTP/1.1 400")
        assert b"<Code>BadDigest</Code>" in found
        for broken in (coded(b"four"), b"5\r\nfive!", b"zz\r\n\r\n", b"4\r\nfour!\r\n0\r\n\r\n"):
            assert b"<Code>IncompleteBody</Code>" in await port.raw(put_coded(broken, 5))
        assert len(service.calls) == 1


async def test_checksums_are_compared(tmp_path: Path) -> None:
    async with open_port(tmp_path) as port:
        service = serve(port, tmp_path)

        async def put(*headers: str) -> bytes:
            lines = "".join(f"{header}\r\n" for header in headers).encode()
            return await port.raw(b"PUT /b/k HTTP/1.1\r\n%b%b%bContent-Length: 4\r\n\r\nbody" % (END, SCOPE, lines))

        def b64(digest: bytes) -> str:
            return base64.b64encode(digest).decode()

        sha1 = hashlib.sha1(b"body", usedforsecurity=False).digest()
        md5 = hashlib.md5(b"body", usedforsecurity=False).digest()
        sha256 = hashlib.sha256(b"body")
        good = [
            f"x-amz-checksum-sha1: {b64(sha1)}",
            f"x-amz-checksum-sha256: {b64(sha256.digest())}",
            f"x-amz-checksum-crc32: {b64(zlib.crc32(b'body').to_bytes(4, 'big'))}",
            "x-amz-checksum-crc64nvme: AAAAAAAAAAA=",
            f"Content-MD5: {b64(md5)}",
            f"x-amz-content-sha256: {sha256.hexdigest()}",
        ]
        assert (await put(*good)).startswith(b"HTTP/1.1 200")
        assert service.last.params["ChecksumSHA1"] == b64(sha1)
        zeros = {"sha1": 20, "sha256": 32, "crc32": 4}
        for name, size in zeros.items():
            found = await put(f"x-amz-checksum-{name}: {b64(bytes(size))}")
            assert b"<Code>BadDigest</Code>" in found
            assert f"The {name.upper()} you specified did not match the calculated checksum.".encode() in found
        assert b"<Code>BadDigest</Code>" in await put(f"Content-MD5: {b64(bytes(16))}")
        assert b"<Code>InvalidDigest</Code>" in await put("Content-MD5: no")
        assert b"<Code>InvalidRequest</Code>" in await put("x-amz-checksum-sha256: AAAA")
        found = await put(f"x-amz-content-sha256: {'0' * 64}")
        assert b"<Code>XAmzContentSHA256Mismatch</Code>" in found
        assert f"<S3ComputedContentSHA256>{sha256.hexdigest()}".encode() in found
        assert len(service.calls) == 1


async def test_bodies_that_are_not_xml(tmp_path: Path) -> None:
    async with open_port(tmp_path) as port:
        serve(port, tmp_path)
        entity = b'<!DOCTYPE a [<!ENTITY b "bbbb">]><Tagging><TagSet><Tag><Key>&b;</Key></Tag></TagSet></Tagging>'
        deep = b"<a>" * 100_000
        for body in (b"<Tagging>", entity, deep, b"<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>"):
            head = b"PUT /bucket?tagging HTTP/1.1\r\n%b%bContent-Length: %d\r\n\r\n" % (END, SCOPE, len(body))
            found = await port.raw(head + body)
            assert found.startswith(b"HTTP/1.1 400")
            assert b"<Code>MalformedXML</Code>" in found
        found = await port.raw(b"PUT /bucket?tagging HTTP/1.1\r\n%b%bContent-Length: 0\r\n\r\n" % (END, SCOPE))
        assert b"<Code>MissingRequestBodyError</Code>" in found
        found = await port.raw(b"GET /bucket?list-type=2&max-keys=many HTTP/1.1\r\n%b%b\r\n" % (END, SCOPE))
        assert b"<Code>InvalidArgument</Code>" in found
        assert b"<ArgumentName>max-keys</ArgumentName>" in found


async def test_too_large(tmp_path: Path) -> None:
    async with open_port(tmp_path, max_object_bytes=2 * MIB) as port:
        service = serve(port, tmp_path)
        port.serve("sts", GetCallerIdentity=lambda call: {})
        refused = await port.refused("s3", lambda client: client.put_object(Bucket="bucket", Key="k", Body=CONTENT))
        assert (refused.status, refused.code) == (400, "EntityTooLarge")
        chunked = b"PUT /b/k HTTP/1.1\r\n%b%bTransfer-Encoding: chunked\r\n\r\n" % (END, SCOPE)
        found = await port.raw(chunked + b"200001\r\n" + bytes(0x200001) + b"\r\n0\r\n\r\n")
        assert b"<Code>EntityTooLarge</Code>" in found
        scope = SCOPE.replace(b"s3", b"sts")
        found = await port.raw(b"POST / HTTP/1.1\r\n%b%bContent-Length: 1048577\r\n\r\n" % (END, scope))
        assert found.startswith(b"HTTP/1.1 413")
        assert not service.calls


async def paused(connection: HttpConnection) -> None:
    while not connection.writing_paused:  # nothing else tells  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_no_room_for_a_body(tmp_path: Path) -> None:
    """Small requests are answered all the same."""
    (tmp_path / "cache").write_bytes(b"in the way")
    async with open_port(tmp_path) as port:
        service = serve(port, tmp_path)
        await port.run("s3", lambda client: client.put_object(Bucket="bucket", Key="k", Body=b"small"))
        refused = await port.refused("s3", lambda client: client.put_object(Bucket="bucket", Key="k", Body=CONTENT))
        assert (refused.status, refused.code) == (500, "InternalError")
        assert len(service.calls) == len(port.faults) == 1


async def test_a_slow_reader_holds_the_file_back(tmp_path: Path) -> None:
    """What the client does not take is not read into memory; when it leaves, the call is over."""
    async with open_port(tmp_path) as port:
        path = tmp_path / "large"
        with path.open("wb") as file:
            file.truncate(200 * MIB)
        port.serve("s3", GetObject=lambda call: {"Body": FilePart(path, 0, 200 * MIB)})
        host, _, number = port.host.partition(":")
        reader, writer = await asyncio.open_connection(host, int(number), limit=1024)
        writer.write(b"GET /b/k HTTP/1.1\r\nHost: localhost\r\n%b\r\n" % SCOPE)
        assert (await within(reader.readline())).startswith(b"HTTP/1.1 200")
        (connection,) = port.listener._connections
        await within(paused(connection))
        assert connection.transport.get_write_buffer_size() < MIB
        assert port.door.open_requests == 1
        writer.transport.abort()
        await within(port.door.drain())
        assert port.faults == []


async def test_a_file_that_became_shorter_is_cut(tmp_path: Path) -> None:
    async with open_port(tmp_path) as port:
        path = tmp_path / "short"
        path.write_bytes(b"only this")
        port.serve("s3", GetObject=lambda call: {"Body": FilePart(path, 0, 100)})
        found = await port.raw(b"GET /b/k HTTP/1.1\r\n%b%b\r\n" % (END, SCOPE))
        assert b"content-length: 100\r\n" in found
        assert found.endswith(b"only this")


async def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    async with open_port(tmp_path) as port:
        port.serve("s3", GetObject=lambda call: {"Body": FilePart(tmp_path / "none", 0, 100)})
        found = await port.raw(b"GET /b/k HTTP/1.1\r\n%b%b\r\n" % (END, SCOPE))
        assert found.startswith(b"HTTP/1.1 500")
        assert b"<Code>InternalError</Code>" in found
        assert len(port.faults) == 1


async def test_upload_managers_send_parts(port: Port, tmp_path: Path) -> None:
    """boto3's: in parts, several at a time, and the parts in any order."""
    service = serve(port, tmp_path)
    large = bytes(20 * MIB)
    await port.run("s3", lambda client: client.upload_fileobj(io.BytesIO(large), "bucket", "k"))
    sizes = [len(call.params["Body"]) for call in service.calls if call.operation == "UploadPart"]
    assert sum(sizes) == len(large)
    assert len(sizes) == 3
