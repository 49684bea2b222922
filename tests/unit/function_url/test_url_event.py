"""The event of a Function URL request, field by field."""

import base64
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.function_url.event import Caller, Tls, UrlIdentity, build_event

IDENTITY = UrlIdentity("abc123", "abc123.lambda-url.eu-west-1.localhost", 3000)
NOON = 1_583_348_638.39


def build(
    *headers: tuple[bytes, bytes],
    target: bytes = b"/",
    method: str = "GET",
    body: bytes = b"",
    epoch: float = NOON,
    tls: Tls | None = None,
    caller: Caller | None = None,
) -> dict[str, Any]:
    event = build_event(
        IDENTITY,
        method=method,
        target=target,
        headers=list(headers),
        body=body,
        source_ip="203.0.113.9",
        request_id="2f0d0c5e-0000-4000-8000-000000000000",
        trace_id="Root=1-5e5f0000-aaaaaaaaaaaaaaaaaaaaaaaa",
        epoch=epoch,
        tls=tls,
        caller=caller,
    )
    value: dict[str, Any] = orjson.loads(event)
    return value


def test_whole_event() -> None:
    event = build(
        (b"host", b"abc123.lambda-url.eu-west-1.localhost:3000"),
        (b"user-agent", b"curl/8"),
        (b"content-type", b"application/json"),
        (b"content-length", b"7"),
        (b"connection", b"keep-alive"),
        (b"cookie", b"c1=x; c2=y"),
        target=b"/a%2Fb/1?q=1&q=2&e=",
        method="POST",
        body=b'{"a":1}',
    )
    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/a%2Fb/1",
        "rawQueryString": "q=1&q=2&e=",
        "cookies": ["c1=x", "c2=y"],
        "headers": {
            "host": "abc123.lambda-url.eu-west-1.localhost:3000",
            "user-agent": "curl/8",
            "content-type": "application/json",
            "cookie": "c1=x; c2=y",
            "content-length": "7",
            "x-forwarded-for": "203.0.113.9",
            "x-forwarded-port": "3000",
            "x-forwarded-proto": "http",
            "x-amzn-trace-id": "Root=1-5e5f0000-aaaaaaaaaaaaaaaaaaaaaaaa",
        },
        "queryStringParameters": {"q": "1,2", "e": ""},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc123",
            "domainName": "abc123.lambda-url.eu-west-1.localhost",
            "domainPrefix": "abc123",
            "http": {
                "method": "POST",
                "path": "/a%2Fb/1",
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.9",
                "userAgent": "curl/8",
            },
            "requestId": "2f0d0c5e-0000-4000-8000-000000000000",
            "routeKey": "$default",
            "stage": "$default",
            "time": "04/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        "body": '{"a":1}',
        "isBase64Encoded": False,
    }


def test_bare_request_has_none_of_the_optional_fields() -> None:
    event = build()
    assert not {"cookies", "queryStringParameters", "body"} & event.keys()
    assert event["rawQueryString"] == ""
    assert event["requestContext"]["http"]["userAgent"] == ""


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", ""),
        (b"/?", "/", ""),
        (b"/a%20b/%E2%82%AC/..//c", "/a%20b/%E2%82%AC/..//c", ""),
        (b"/a+b?x=%2B&y=a+b", "/a+b", "x=%2B&y=a+b"),
        (b"/a?b?c=1", "/a", "b?c=1"),
        (b"/a;p=1", "/a;p=1", ""),
        (b"//host/path", "//host/path", ""),
        (b"*", "*", ""),
        (b"/go?to=http://x/y", "/go", "to=http://x/y"),
    ],
)
def test_path_and_query_stay_as_they_were_sent(target: bytes, path: str, query: str) -> None:
    event = build(target=target)
    assert (event["rawPath"], event["rawQueryString"]) == (path, query)
    assert event["requestContext"]["http"]["path"] == path


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        (b"a=1", {"a": "1"}),
        (b"a=1&b=2&a=3", {"a": "1,3", "b": "2"}),
        (b"a", {"a": ""}),
        (b"a=&a=x", {"a": ",x"}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a%20b=c%26d", {"a b": "c&d"}),
        (b"a+b=c+d", {"a b": "c d"}),
        (b"e=%E2%82%AC", {"e": "€"}),
        (b"e=%FF", {"e": "\ufffd"}),
        (b"a=1;b=2", {"a": "1;b=2"}),
        (b"a=%zz&b=%", {"a": "%zz", "b": "%"}),
        (b"&&a=1&", {"a": "1"}),
        (b"=x", {"": "x"}),
        (b"a%3Db=%2526", {"a=b": "%26"}),
    ],
)
def test_query_parameters_are_decoded(query: bytes, parameters: dict[str, str]) -> None:
    assert build(target=b"/?" + query)["queryStringParameters"] == parameters


def test_repeated_headers_are_joined() -> None:
    event = build((b"x-a", b"1"), (b"x-b", b"2"), (b"x-a", b"3, 4"), (b"x-e", b""))
    headers = event["headers"]
    assert (headers["x-a"], headers["x-b"], headers["x-e"]) == ("1,3, 4", "2", "")


def test_header_bytes_above_ascii_are_latin_1() -> None:
    assert build((b"x-a", b"caf\xe9"))["headers"]["x-a"] == "caf\xe9"


def test_forwarded_headers_extend_what_a_proxy_said_and_replace_the_rest() -> None:
    headers = build((b"x-forwarded-for", b"10.0.0.1"), (b"x-forwarded-port", b"1"), (b"x-forwarded-proto", b"spoofed"))
    assert headers["headers"]["x-forwarded-for"] == "10.0.0.1, 203.0.113.9"
    assert headers["headers"]["x-forwarded-port"] == "3000"
    assert headers["headers"]["x-forwarded-proto"] == "http"


@pytest.mark.parametrize(
    ("cookies", "expected"),
    [
        ([b"a=1"], ["a=1"]),
        ([b"a=1; b=2;c=3 ;"], ["a=1", "b=2", "c=3"]),
        ([b"a=1", b"b=2; c=3"], ["a=1", "b=2", "c=3"]),
        ([b"a=x=y"], ["a=x=y"]),
        ([b""], None),
        ([b" ; "], None),
    ],
)
def test_cookies(cookies: Sequence[bytes], expected: list[str] | None) -> None:
    event = build(*[(b"cookie", cookie) for cookie in cookies])
    assert event.get("cookies") == expected
    assert event["headers"]["cookie"] == b",".join(cookies).decode()


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        (b"application/json", b'{"a":1}', True),
        (b"Application/JSON; charset=utf-8", b"{}", True),
        (b"application/problem+json", b"{}", True),
        (b"text/plain", b"hello", True),
        (b"application/xml", b"<a/>", True),
        (b"image/svg+xml", b"<svg/>", True),
        (b"text/plain", "né".encode(), True),
        (b"application/json; charset=utf-8", '{"hello":"snowman ☃"}'.encode(), True),
        (b"application/javascript", b"f()", True),
        (b"text/plain", b"n\xe9", False),
        (b"application/json", b'{"a":"\xff"}', False),
        (b"application/x-www-form-urlencoded", b"a=1", False),
        (b"multipart/form-data; boundary=text", b"--text", False),
        (b"application/octet-stream", b"abc", False),
        (b"", b"abc", False),
    ],
)
def test_text_stays_text_only_where_type_and_bytes_agree(content_type: bytes, body: bytes, text: bool) -> None:
    event = build((b"content-type", content_type), body=body, method="POST")
    assert event["isBase64Encoded"] is not text
    assert event["body"] == (body.decode() if text else base64.b64encode(body).decode())


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"Deflate", b"identity, gzip"])
def test_compressed_body_is_binary_whatever_its_type(encoding: bytes) -> None:
    event = build((b"content-type", b"application/json"), (b"content-encoding", encoding), body=b"{}", method="POST")
    assert (event["isBase64Encoded"], event["body"]) == (True, "e30=")


def test_body_that_says_it_is_not_compressed_stays_text() -> None:
    headers = ((b"content-type", b"text/plain"), (b"content-encoding", b"Identity"))
    assert build(*headers, body=b"hi", method="POST")["isBase64Encoded"] is False


def test_chunked_body_gets_the_length_it_had() -> None:
    headers = build((b"transfer-encoding", b"chunked"), (b"content-type", b"text/plain"), body=b"hello")["headers"]
    assert headers["content-length"] == "5"
    assert "transfer-encoding" not in headers


def test_empty_body_with_a_length_is_no_body() -> None:
    event = build((b"content-length", b"0"), method="POST")
    assert event["headers"]["content-length"] == "0"
    assert "body" not in event
    assert event["isBase64Encoded"] is False


@pytest.mark.parametrize(
    "name",
    [b"connection", b"keep-alive", b"proxy-connection", b"upgrade", b"x-amzn-tls-version", b"x-amzn-tls-cipher-suite"],
)
def test_headers_of_the_connection_stay_with_it(name: bytes) -> None:
    assert name.decode() not in build((name, b"x"))["headers"]


def test_encrypted_connection() -> None:
    headers = build((b"x-amzn-tls-version", b"spoofed"), tls=Tls("TLSv1.3", "TLS_AES_128_GCM_SHA256"))["headers"]
    assert headers["x-amzn-tls-version"] == "TLSv1.3"
    assert headers["x-amzn-tls-cipher-suite"] == "TLS_AES_128_GCM_SHA256"


def test_signed_request_tells_who_and_hides_the_signature() -> None:
    iam = {"accessKey": "AKIA", "cognitoIdentity": None}
    event = build((b"authorization", b"AWS4-HMAC-SHA256 x"), (b"x-amz-date", b"d"), caller=Caller("111122223333", iam))
    assert event["requestContext"]["accountId"] == "111122223333"
    assert event["requestContext"]["authorizer"] == {"iam": iam}
    assert "authorization" not in event["headers"]
    assert event["headers"]["x-amz-date"] == "d"


def test_unsigned_request_keeps_its_authorization_and_has_no_authorizer() -> None:
    event = build((b"authorization", b"Bearer x"))
    assert event["headers"]["authorization"] == "Bearer x"
    assert not {"authorizer", "authentication"} & event["requestContext"].keys()


@pytest.mark.parametrize(
    ("epoch", "time", "millis"),
    [
        (0.0, "01/Jan/1970:00:00:00 +0000", 0),
        (1_709_251_199.9996, "29/Feb/2024:23:59:59 +0000", 1_709_251_199_999),
        (1_735_689_599.0, "31/Dec/2024:23:59:59 +0000", 1_735_689_599_000),
        (1_740_787_200.0, "01/Mar/2025:00:00:00 +0000", 1_740_787_200_000),
    ],
)
def test_times(epoch: float, time: str, millis: int) -> None:
    context = build(epoch=epoch)["requestContext"]
    assert (context["time"], context["timeEpoch"]) == (time, millis)


@given(
    target=st.binary(max_size=40),
    headers=st.lists(st.tuples(st.sampled_from([b"cookie", b"x-a", b"content-type"]), st.binary(max_size=20))),
    body=st.binary(max_size=40),
)
def test_any_request_makes_an_event(target: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    event = build(*headers, target=target, body=body)
    if body:
        text = event["body"]
        assert (base64.b64decode(text) if event["isBase64Encoded"] else text.encode()) == body
