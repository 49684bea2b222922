"""Bodies as they arrive: S3's own coding cut anywhere, its chunks' signatures, CBOR, and where a body is kept."""

import hashlib
import hmac
import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from penstock.aws_api.protocol import cbor
from penstock.aws_api.protocol.aws_chunked import ChunkDecoder
from penstock.aws_api.protocol.head import Head
from penstock.aws_api.protocol.intake import Intake
from penstock.aws_api.service import ServiceError
from penstock.model.limits import MIB
from penstock.wire.sigv4 import Payload, SignatureError, Verifier
from support.signing import KEY, KEYS, NOW, REGION, Request, Signer

CODED = b"5;chunk-signature=%b\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\nx: y\r\n\r\n" % (
    b"a" * 64
)


def decode(*pieces: bytes) -> tuple[bytes, ChunkDecoder]:
    decoder = ChunkDecoder()
    return b"".join(part for piece in pieces for part in decoder.decode(piece)), decoder


# --- aws-chunked ---


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(CODED)])
def test_chunks_may_be_cut_anywhere(size: int) -> None:
    content, decoder = decode(*(CODED[at : at + size] for at in range(0, len(CODED), size)))
    assert content == b"hello world"
    assert decoder.complete
    assert decoder.trailers == [(b"x-amz-checksum-crc32", b"AAAAAA=="), (b"x", b"y")]
    assert decoder.signed == [("a" * 64, hashlib.sha256(b"hello").hexdigest())]


@pytest.mark.parametrize(
    "broken",
    [
        b"g\r\n",
        b"-1\r\n",
        b"5\r\nhello!\r\n",
        b"0\r\n\r\nmore\r\n",
        b"0\r\nno colon\r\n",
        b"1" * 2000,
        b"0\r\n" + b"a:b\r\n" * 40,
        b"\r\n",
    ],
)
def test_what_is_no_chunk_is_refused(broken: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        decode(broken)
    assert caught.value.code == "IncompleteBody"


# --- signed chunks ---


def signed_chunks(signature: str, chunks: list[bytes]) -> list[tuple[str, str]]:
    """As the page says it that `wire/sigv4.py` names, written apart from it."""
    timestamp = datetime.fromtimestamp(NOW, UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{timestamp[:8]}/{REGION}/s3/aws4_request"
    key = f"AWS4{KEY.secret_access_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signed = []
    for chunk in chunks:
        content = hashlib.sha256(chunk).hexdigest()
        empty = hashlib.sha256(b"").hexdigest()
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{timestamp}\n{scope}\n{signature}\n{empty}\n{content}"
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        signed.append((signature, content))
    return signed


def verify(request: Request, payload: Payload) -> Any:
    headers = [(name.encode(), value.encode()) for name, value in request.headers]
    verifier = Verifier(KEYS, service=None, region=None)
    return verifier.verify(
        method=request.method.encode(), target=request.target.encode(), headers=headers, body=payload, now=NOW
    )


def test_each_chunk_is_signed() -> None:
    word = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    request = Request("PUT", "/bucket/k", (("host", "localhost"), ("x-amz-content-sha256", word)))
    request = Signer(service="s3", payload_hash=word).sign(request)
    signature = request.authorization.rpartition("Signature=")[2]
    signed = signed_chunks(signature, [b"hello", b" world", b""])
    payload = Payload(sha256="", s3=True, signed=signed)
    assert verify(request, payload) == KEY
    for wrong in ([], signed[1:], [signed[0], (signed[1][0], signed[2][1]), signed[2]]):
        with pytest.raises(SignatureError) as caught:
            verify(request, replace(payload, signed=wrong))
        assert caught.value.error_type == "InvalidSignatureException"


@pytest.mark.parametrize("path", ["/bucket/a%20b", "/bucket/a//b/../c", "/bucket/%C3%A9%2B"])
def test_paths_of_s3_are_signed_as_sent(path: str) -> None:
    request = Request("PUT", path, (("host", "localhost"), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")))
    signer = Signer(service="s3", payload_hash="UNSIGNED-PAYLOAD", canonical_path=path)
    assert verify(signer.sign(request), Payload(sha256="", s3=True)) == KEY
    with pytest.raises(SignatureError):
        verify(signer.sign(request), Payload(sha256=""))


# --- CBOR ---

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)).map(
        lambda moment: moment.replace(microsecond=0)
    ),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


def without_nulls(value: Any) -> Any:
    """botocore leaves them out of maps."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


@given(VALUES)
def test_cbor_there_and_back(value: Any) -> None:
    data = cbor.dumps(value)
    assert cbor.loads(data) == value
    parser: Any = create_parser("smithy-rpc-v2-cbor")
    assert parser.parse_data_item(parser.get_peekable_stream_from_bytes(data)) == without_nulls(value)


def test_cbor_of_unknown_length() -> None:
    """https://www.rfc-editor.org/rfc/rfc8949.html#name-examples-of-encoded-cbor-da"""
    assert cbor.loads(bytes.fromhex("5f42010243030405ff")) == b"\1\2\3\4\5"
    assert cbor.loads(bytes.fromhex("7f657374726561646d696e67ff")) == "streaming"
    assert cbor.loads(bytes.fromhex("9f018202039f0405ffff")) == [1, [2, 3], [4, 5]]
    assert cbor.loads(bytes.fromhex("bf6346756ef563416d7421ff")) == {"Fun": True, "Amt": -2}
    assert cbor.loads(bytes.fromhex("f93e00")) == 1.5
    assert cbor.loads(bytes.fromhex("fa47c35000")) == 100000.0
    assert cbor.loads(bytes.fromhex("c11a514b67b0")) == datetime(2013, 3, 21, 20, 4, tzinfo=UTC)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_cbor(data: bytes) -> None:
    try:
        value = cbor.loads(data)
    except ValueError:
        return
    assert cbor.loads(cbor.dumps(value)) == value or value != value or "nan" in repr(value)


@pytest.mark.parametrize("data", [b"\x81" * 5000, b"\xa1" * 5000, b"\xc6" * 5000, b"\x9b" + b"\xff" * 8])
def test_cbor_that_would_take_all_there_is(data: bytes) -> None:
    with pytest.raises(ValueError, match="CBOR"):
        cbor.loads(data)


# --- where it is kept ---


def s3_head(*headers: tuple[str, str]) -> Head:
    scope = "AWS4-HMAC-SHA256 Credential=AK/20260301/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    raw = [(name.encode(), value.encode()) for name, value in (("authorization", scope), *headers)]
    return Head("PUT", "/bucket/k", raw)


def test_small_bodies_stay_in_memory(tmp_path: Path) -> None:
    small, large = (Intake(s3_head(), tmp_path, max_object_bytes=10 * MIB, hashed=True) for _ in range(2))
    small.feed(bytes(1000))
    large.feed(random.Random(1).randbytes(MIB + 1))
    for intake, rolled in ((small, False), (large, True)):
        assert intake.file._rolled is rolled  # type: ignore[attr-defined]
        intake.finish([])
        assert hashlib.sha256(intake.file.read()).hexdigest() == intake.sha256
        intake.close()
    assert list(tmp_path.iterdir()) == []  # it has no name


def test_a_length_that_is_too_much_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ServiceError) as caught:
        Intake(s3_head(("content-length", str(MIB + 1))), tmp_path, max_object_bytes=MIB, hashed=False)
    assert caught.value.code == "EntityTooLarge"


def test_fewer_bytes_than_were_announced(tmp_path: Path) -> None:
    intake = Intake(
        s3_head(("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", "12")),
        tmp_path,
        max_object_bytes=MIB,
        hashed=False,
    )
    intake.feed(b"5\r\nhello\r\n0\r\n\r\n")
    with pytest.raises(ServiceError) as caught:
        intake.finish([])
    assert caught.value.code == "IncompleteBody"
    intake.close()
