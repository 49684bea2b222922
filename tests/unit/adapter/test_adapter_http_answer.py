"""Responses become preludes and buffered answers. Ids name the cases of the conformance checklist (`lwa-<n>`)."""

import orjson
import pytest

from penstock_adapter.endpoint import Endpoint
from penstock_adapter.http_answer import buffered_answer, error_status_message, prelude
from penstock_adapter.http_event import EventKind
from penstock_adapter.invocation import NO_INVOCATION
from penstock_adapter.runtime_wire import chunk, failed_end, next_request

Headers = list[tuple[bytes, bytes]]


def answer(kind: EventKind, body: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> dict[str, object]:
    value = orjson.loads(buffered_answer(kind, status, headers, body))
    assert isinstance(value, dict)
    return value


def typed(content_type: bytes) -> tuple[bytes, bytes]:
    return (b"content-type", content_type)


class TestPrelude:
    @pytest.mark.parametrize(
        ("headers", "shown", "cookies"),
        [
            pytest.param([], {"content-type": "application/octet-stream"}, [], id="default-type"),
            pytest.param([typed(b"text/html")], {"content-type": "text/html"}, [], id="type"),
            pytest.param(
                [typed(b"a/b"), (b"vary", b"x"), (b"vary", b"y")],
                {"content-type": "a/b", "vary": "x, y"},
                [],
                id="lwa-92",
            ),
            pytest.param(
                [typed(b"a/b"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")],
                {"content-type": "a/b"},
                ["a=1", "b=2"],
                id="cookies",
            ),
            pytest.param(
                [typed(b"a/b"), (b"connection", b"close"), (b"transfer-encoding", b"chunked"), (b"keep-alive", b"x")],
                {"content-type": "a/b"},
                [],
                id="hop-by-hop",
            ),
            pytest.param([typed(b"a/b"), (b"x", b"\xe9")], {"content-type": "a/b", "x": "é"}, [], id="lwa-96-latin-1"),
            pytest.param([typed(b"a/b"), (b"x", "é".encode())], {"content-type": "a/b", "x": "é"}, [], id="utf-8"),
        ],
    )
    def test_prelude(self, headers: Headers, shown: dict[str, str], cookies: list[str]) -> None:
        assert orjson.loads(prelude(201, headers)) == {"statusCode": 201, "headers": shown, "cookies": cookies}

    def test_key_order(self) -> None:
        assert prelude(200, [typed(b"a/b")]) == b'{"statusCode":200,"headers":{"content-type":"a/b"},"cookies":[]}'


class TestTextOrBase64:
    @pytest.mark.parametrize(
        ("headers", "body", "shown", "base64"),
        [
            pytest.param([], b"plain", "plain", False, id="lwa-68"),
            pytest.param([typed(b"application/json")], b"{}", "{}", False, id="lwa-66"),
            pytest.param([typed(b"image/svg+xml")], b"<svg/>", "<svg/>", False, id="lwa-71"),
            pytest.param([typed(b"application/yaml")], b"a: 1", "a: 1", False, id="lwa-73"),
            pytest.param([typed(b"application/graphql-response+json; charset=utf-8")], b"{}", "{}", False, id="lwa-37"),
            pytest.param([(b"content-encoding", b"gzip")], b"000000", "MDAwMDAw", True, id="lwa-65"),
            pytest.param([typed(b"text/plain"), (b"content-encoding", b"identity")], b"0", "MA==", True, id="identity"),
            pytest.param([typed(b"Text/HTML")], b"000000", "MDAwMDAw", True, id="lwa-98"),
            pytest.param([typed(b"application/octet-stream")], b"000000", "MDAwMDAw", True, id="binary"),
            pytest.param([typed(b"application/x-ndjson")], b"0", "MA==", True, id="ndjson"),
            pytest.param([typed(b"a/b"), (b"x-lambda-http-content-encoding", b"text")], b"0", "0", False, id="lwa-72"),
            pytest.param([typed(b"image/png")], b"", "", True, id="empty-binary"),
            pytest.param([typed(b"text/plain")], b"", "", False, id="empty-text"),
            pytest.param([typed(b"text/plain")], b"\xff", "/w==", True, id="not-utf-8"),
            pytest.param([typed(b"text/plain; charset=utf-16")], b"000000", "〰〰〰", False, id="lwa-67"),
            pytest.param([typed(b"text/plain; charset=nonsense")], b"x", "x", False, id="unknown-charset"),
        ],
    )
    def test_body(self, headers: Headers, body: bytes, shown: str, base64: bool) -> None:
        value = answer(EventKind.HTTP_V2, body, *headers)
        assert (value["body"], value["isBase64Encoded"]) == (shown, base64)

    def test_converted_text_says_what_it_has_become(self) -> None:
        headers = (typed(b'text/plain; charset="ISO-8859-1"'), (b"content-length", b"1"))
        value = answer(EventKind.HTTP_V2, b"\xe9", *headers)
        assert value["body"] == "é"
        assert value["headers"] == {"content-type": "text/plain; charset=utf-8"}


class TestForms:
    def test_v2_lwa_70(self) -> None:
        headers = ((b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"vary", b"x"), (b"vary", b"y"))
        assert answer(EventKind.HTTP_V2, b"", *headers) == {
            "statusCode": 200,
            "headers": {"vary": "x, y"},
            "multiValueHeaders": {},
            "body": "",
            "isBase64Encoded": False,
            "cookies": ["a=1", "b=2"],
        }

    def test_v1_lwa_69(self) -> None:
        value = answer(EventKind.REST_V1, b"", (b"multi", b"a"), (b"multi", b"b"), (b"set-cookie", b"c=1"))
        assert value == {
            "statusCode": 200,
            "headers": {},
            "multiValueHeaders": {"multi": ["a", "b"], "set-cookie": ["c=1"]},
            "body": "",
            "isBase64Encoded": False,
        }

    def test_alb(self) -> None:
        value = answer(EventKind.ALB, b"x", (b"a", b"1"), (b"set-cookie", b"c=1"), (b"set-cookie", b"d=2"), status=404)
        assert value == {
            "statusCode": 404,
            "statusDescription": "404 Not Found",
            "headers": {"a": "1", "set-cookie": "c=1"},
            "multiValueHeaders": {"a": ["1"], "set-cookie": ["c=1", "d=2"]},
            "body": "x",
            "isBase64Encoded": False,
        }
        assert answer(EventKind.ALB, b"", status=799)["statusDescription"] == "799"

    @pytest.mark.parametrize(
        ("body", "content_type", "expected"),
        [
            pytest.param(b'{"a":  1}', b"application/json", b'{"a":  1}', id="lwa-97"),
            pytest.param(b"not json", b"text/plain", b"null", id="text"),
            pytest.param(b"", b"text/plain", b"null", id="empty"),
            pytest.param(b"{}", b"application/octet-stream", b"null", id="binary"),
        ],
    )
    def test_pass_through(self, body: bytes, content_type: bytes, expected: bytes) -> None:
        assert buffered_answer(EventKind.PASS_THROUGH, 500, [typed(content_type)], body) == expected

    def test_error_status(self) -> None:
        assert error_status_message(502, b'Bad "\xff"') == '{"statusCode":502,"body":"Bad \\"�\\""}'


class TestWire:
    def test_poll(self) -> None:
        assert next_request(Endpoint("h", 1, "/base")) == (
            b"GET /base/2018-06-01/runtime/invocation/next HTTP/1.1\r\n"
            b"host: h:1\r\nuser-agent: penstock-adapter\r\n\r\n"
        )

    def test_chunk(self) -> None:
        assert chunk(b"x" * 17) == b"11\r\nxxxxxxxxxxxxxxxxx\r\n"

    def test_failed_end_has_no_line_of_the_message(self) -> None:
        wire = failed_end("Runtime.StreamError", "a\r\nb: c")
        assert wire.startswith(b"0\r\n")
        assert wire.count(b"\r\n") == 4
        assert NO_INVOCATION.request_id == ""
