"""botocore signs, we verify; and whatever is changed on the way is noticed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from unittest import mock

import botocore.auth
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import assume, given
from hypothesis import strategies as st

from penstock.wire.sigv4 import Key, SignatureError
from support.signing import HOST, KEY, NOW, REGION, SERVICE, TEMPORARY, Request, verify

TOKEN_CHARACTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789-_"
# What botocore leaves to others on the way, and what it sets itself.
NOT_SIGNED: Final = {"expect", "transfer-encoding", "user-agent", "x-amzn-trace-id", "host", "authorization", "date"}

segment = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#[]"), max_size=8)
paths = st.lists(st.one_of(st.sampled_from(["", ".", "..", "%20", "%2F", "a"]), segment), max_size=5)
queries = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#[]"), max_size=30)
header_names = st.text(st.sampled_from(TOKEN_CHARACTERS), min_size=1, max_size=12).filter(
    lambda name: name not in NOT_SIGNED and not name.startswith("x-amz-")
)
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
keys = st.sampled_from([KEY, TEMPORARY])


@st.composite
def requests(draw: st.DrawFn) -> Request:
    path = "/" + "/".join(draw(paths))
    query = draw(queries)
    # "//a" would be a host, and these names are the signature's own.
    assume(not path.startswith("//") and "X-Amz-" not in query)
    headers = draw(st.dictionaries(header_names, header_values, max_size=4))
    return Request(
        draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])),
        f"{path}?{query}" if query else path,
        (("host", HOST), *headers.items()),
        draw(st.binary(max_size=50)),
    )


@contextmanager
def at(now: float) -> Iterator[None]:
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=datetime.fromtimestamp(now, UTC)):
        yield


def signed(request: Request, key: Key = KEY, *, presigned: bool = False) -> Request:
    prepared = AWSRequest(
        request.method, f"http://{HOST}{request.target}", headers=dict(request.headers), data=request.body
    )
    credentials = Credentials(key.access_key_id, key.secret_access_key, key.session_token)
    with at(NOW):
        if presigned:
            SigV4QueryAuth(credentials, SERVICE, REGION, expires=60).add_auth(prepared)
        else:
            SigV4Auth(credentials, SERVICE, REGION).add_auth(prepared)
    target = str(prepared.url).removeprefix(f"http://{HOST}")
    return replace(request, target=target, headers=tuple((n.lower(), str(v)) for n, v in prepared.headers.items()))


@given(requests(), keys)
def test_headers(request: Request, key: Key) -> None:
    assert verify(signed(request, key)) == key


@given(requests(), keys)
def test_query(request: Request, key: Key) -> None:
    # It moves form fields into the query otherwise, which is a way to sign another body.
    presigned = signed(replace(request, body=b""), key, presigned=True)
    assert verify(presigned) == key


def test_date_header() -> None:
    request = signed(Request(headers=(("host", HOST), ("date", "is replaced"))))
    assert "x-amz-date" not in dict(request.headers)
    assert verify(request) == KEY


def altered(request: Request, data: st.DataObject) -> Request:
    """The request with one thing in it changed that was signed."""
    kind = data.draw(st.sampled_from(["method", "path", "query", "header", "body", "date", "signature", "token"]))
    if kind == "method":
        return replace(request, method=request.method + "X")
    if kind == "path":
        path, mark, query = request.target.partition("?")
        return replace(request, target=f"{path}0{mark}{query}")
    if kind == "query":
        return replace(request, target=request.target + ("&" if "?" in request.target else "?") + "added=1")
    if kind == "body":
        return replace(request, body=request.body + b"\0")
    if kind == "date":
        return request.having(("x-amz-date", "20260301T120001Z"))
    if kind == "signature":
        start, last = request.authorization[:-1], request.authorization[-1]
        return request.having(("authorization", start + ("0" if last != "0" else "1")))
    if kind == "token":
        return request.having(("x-amz-security-token", "other"))
    name, value = data.draw(st.sampled_from([pair for pair in request.headers if pair[0] in ("host", "x-signed")]))
    return request.having((name, value + "x"))


@given(requests(), keys, st.data())
def test_any_change_is_refused(request: Request, key: Key, data: st.DataObject) -> None:
    sound = signed(request.having(("x-signed", "yes")), key)
    with pytest.raises(SignatureError):
        verify(altered(sound, data))


noise = st.text(st.characters(max_codepoint=255), max_size=60)
PLAUSIBLE: Final = ("20260301T120000Z", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=s")
noisy_headers = st.tuples(
    st.sampled_from(["authorization", "host", "date", "x-amz-date", "x-amz-content-sha256", "x"]),
    st.one_of(noise, st.sampled_from(PLAUSIBLE)),
)


@given(noise, noise, st.lists(noisy_headers, max_size=6))
def test_nonsense_is_refused_and_nothing_else_happens(path: str, query: str, headers: list[tuple[str, str]]) -> None:
    for target in (f"{path}?{query}", f"/?X-Amz-Algorithm={query}&X-Amz-Date={path}&X-Amz-Credential={query}"):
        with pytest.raises(SignatureError):
            verify(Request("GET", target, tuple(headers)))
