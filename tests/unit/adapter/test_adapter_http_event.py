"""Events become requests. Ids name the cases of the conformance checklist (`lwa-<n>`)."""

from base64 import b64encode

import orjson
import pytest

from penstock_adapter.app_connection import encode_request
from penstock_adapter.endpoint import Endpoint, read_endpoint
from penstock_adapter.http_event import EventError, EventKind, HttpRequest, read_event
from penstock_adapter.http_url import clean_path, clean_query, remove_base_path
from penstock_adapter.invocation import Invocation, env_config, read_invocation
from penstock_adapter.options import EventRules, FunctionFacts
from support.events import url_event

FACTS = FunctionFacts("f", 2048, "3", "", "")


def invocation(event: bytes, **headers: str) -> Invocation:
    """One as `/next` would hand it out; `headers` name Lambda-Runtime headers with underscores."""
    fields = {b"lambda-runtime-aws-request-id": b"request-1", b"lambda-runtime-deadline-ms": b"1700000000000"}
    for name, value in headers.items():
        fields[f"lambda-runtime-{name.replace('_', '-')}".encode()] = value.encode()
    found = read_invocation(fields, event)
    assert found is not None
    return found


def read(event: dict[str, object] | bytes, rules: EventRules | None = None, **headers: str) -> HttpRequest:
    body = event if isinstance(event, bytes) else orjson.dumps(event)
    return read_event(invocation(body, **headers), rules or EventRules(), env_config(FACTS))


def alb(**event: object) -> dict[str, object]:
    context = {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/t/1"}}
    return {"httpMethod": "GET", "path": "/", "headers": {}, "requestContext": context} | event


def v1(**event: object) -> dict[str, object]:
    context = {"httpMethod": "GET", "stage": "prod", "identity": {"sourceIp": "192.0.2.1"}, "authorizer": None}
    return {"httpMethod": "GET", "path": "/", "headers": {}, "requestContext": context} | event


class TestKinds:
    @pytest.mark.parametrize(
        ("event", "kind"),
        [
            pytest.param(v1(), EventKind.REST_V1, id="v1"),
            pytest.param(v1(type="REQUEST", methodArn="arn"), EventKind.REST_V1, id="lwa-74"),
            pytest.param(orjson.loads(url_event()), EventKind.HTTP_V2, id="v2"),
            pytest.param(alb(), EventKind.ALB, id="alb"),
            pytest.param({"Records": [{"eventSource": "aws:sqs"}]}, EventKind.PASS_THROUGH, id="lwa-75"),
            pytest.param({"requestContext": None}, EventKind.PASS_THROUGH, id="no-context"),
            pytest.param({"httpMethod": "GET", "requestContext": {}}, EventKind.PASS_THROUGH, id="half"),
        ],
    )
    def test_kind(self, event: dict[str, object], kind: EventKind) -> None:
        assert read(event).kind is kind

    @pytest.mark.parametrize("event", [b"[1, 2]", b'"text"', b"null", b"7"])
    def test_json_that_is_no_object_passes_through(self, event: bytes) -> None:
        request = read(event)
        assert (request.kind, request.body) == (EventKind.PASS_THROUGH, event)

    def test_pass_through_request(self) -> None:
        request = read({"a": 1}, EventRules(base_path="/ev", pass_through_path="/ev/x"))
        assert (request.method, request.target) == ("POST", "/ev/x")
        assert request.headers["content-type"] == ["application/json"]
        assert request.headers["x-amzn-request-context"] == ["null"]

    @pytest.mark.parametrize("event", [b"", b"{", b'{"a": NaN}', b"\xff"])
    def test_not_json(self, event: bytes) -> None:
        with pytest.raises(EventError, match="the event is not JSON"):
            read(event)

    @pytest.mark.parametrize("method", ["GET / HTTP/1.1\r\nx: y", "A B", "GÉT"])
    def test_method_that_is_none(self, method: str) -> None:
        with pytest.raises(EventError, match="HTTP method"):
            read(url_event(method=method))

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"], ids=["lwa-31-post", "lwa-31-put", "lwa-31-delete"])
    def test_method(self, method: str) -> None:
        assert read(alb(httpMethod=method)).method == method

    def test_empty_method_of_v1_is_get(self) -> None:
        assert read(v1(httpMethod="")).method == "GET"


class TestTargets:
    @pytest.mark.parametrize(
        ("path", "clean"),
        [
            pytest.param("/hello", "/hello", id="lwa-27"),
            pytest.param("/Año_1234", "/A%C3%B1o_1234", id="lwa-29"),
            pytest.param("/a b", "/a%20b", id="lwa-60"),
            pytest.param("/a%20b%2F", "/a%20b%2F", id="no-double-encoding"),
            pytest.param("", "/", id="empty"),
            pytest.param("x", "/x", id="no-slash"),
            pytest.param("//a//b", "//a//b", id="double-slash"),
            pytest.param("/a/../b", "/b", id="dot-dot"),
            pytest.param("/a/%2E%2e/b", "/b", id="encoded-dot-dot"),
            pytest.param("/../..", "/", id="above-the-top"),
            pytest.param("/a/./b/.", "/a/b/", id="dot"),
            pytest.param("/a/..", "/", id="last-dot-dot"),
            pytest.param("/.well-known/a.b..c", "/.well-known/a.b..c", id="dots-in-names"),
            pytest.param("/a\\b", "/a/b", id="backslash"),
            pytest.param("/a\r\nb\tc", "/abc", id="line-ends"),
            pytest.param('/"#<>?^`{}\x7f', "/%22%23%3C%3E%3F%5E%60%7B%7D%7F", id="unsafe"),
            pytest.param("/\x00", "/%00", id="nul"),
        ],
    )
    def test_path(self, path: str, clean: str) -> None:
        assert clean_path(path) == clean

    @pytest.mark.parametrize(
        ("query", "clean"),
        [
            pytest.param("foo=bar&fizz=buzz", "foo=bar&fizz=buzz", id="lwa-30"),
            pytest.param("q=a b", "q=a%20b", id="lwa-95"),
            pytest.param("q=%20+%zz", "q=%20+%zz", id="verbatim"),
            pytest.param("q=\"<>'", "q=%22%3C%3E%27", id="quotes"),
            pytest.param("q=ñ\r\n", "q=%C3%B1", id="non-ascii"),
            pytest.param("q=#x", "q=%23x", id="hash"),
        ],
    )
    def test_query(self, query: str, clean: str) -> None:
        assert clean_query(query) == clean

    @pytest.mark.parametrize(
        ("path", "base", "rest"),
        [
            pytest.param("/prod/x", "/prod", "/x", id="lwa-41"),
            pytest.param("/other/x", "/prod", "/other/x", id="lwa-42"),
            pytest.param("/prod", "/prod", "/", id="lwa-43"),
            pytest.param("/production/x", "/prod", "/production/x", id="lwa-94"),
            pytest.param("/prod/prod/x", "/prod", "/prod/x", id="once"),
            pytest.param("/prod/", "/prod", "/", id="trailing-slash"),
            pytest.param("/x", "", "/x", id="none"),
        ],
    )
    def test_base_path(self, path: str, base: str, rest: str) -> None:
        assert remove_base_path(path, base) == rest

    def test_v2_stage_is_kept_lwa_64(self) -> None:
        assert read(url_event(path="/dev/x", query="a=1")).target == "/dev/x?a=1"

    def test_v1_repeated_keys_keep_their_order_lwa_63(self) -> None:
        many = {"b": ["2", "1"], "a": ["x y", "&"]}
        event = v1(multiValueQueryStringParameters=many, queryStringParameters={"b": "1", "a": "&"})
        assert read(event).target == "/?b=2&b=1&a=x%20y&a=%26"

    def test_alb_query_is_decoded_once_lwa_62(self) -> None:
        event = alb(queryStringParameters={"q": "hello%20world", "r%26": "a%26b", "flag": ""})
        assert read(event).target == "/?q=hello%20world&r%26=a%26b&flag="


class TestHeaders:
    def test_plain_header_lwa_28(self) -> None:
        assert read(alb(headers={"Foo": "bar"})).headers["foo"] == ["bar"]

    def test_hop_by_hop_and_lengths_are_not_forwarded(self) -> None:
        given = {"Connection": "keep-alive", "Transfer-Encoding": "chunked", "Content-Length": "99", "Upgrade": "h2c"}
        request = read(url_event(headers={**given, "Expect": "100-continue", "x": "1"}))
        assert set(request.headers) == {"host", "x", "x-amzn-lambda-context", "x-amzn-request-context"}

    def test_duplicates_survive(self) -> None:
        event = v1(headers={"a": "2", "only": "1"}, multiValueHeaders={"A": ["1", "2"]})
        headers = read(event).headers
        assert (headers["a"], headers["only"]) == (["1", "2"], ["1"])

    def test_null_headers(self) -> None:
        assert "x-amzn-lambda-context" in read(v1(headers=None, multiValueHeaders=None)).headers

    def test_cookies_replace_the_header_lwa_58(self) -> None:
        request = read(url_event(headers={"cookie": "old=1"}, cookies=["cookie1=value1", "cookie2=value2"]))
        assert request.headers["cookie"] == ["cookie1=value1; cookie2=value2"]

    def test_one_cookie_lwa_59(self) -> None:
        assert read(url_event(cookies=["test=hi"])).headers["cookie"] == ["test=hi"]

    def test_context_headers_are_ours_alone_lwa_36_40(self) -> None:
        forged = {"X-Amzn-Request-Context": "forged", "x-amzn-lambda-context": "forged"}
        headers = read(url_event(headers=forged)).headers
        for name in ("x-amzn-request-context", "x-amzn-lambda-context"):
            (value,) = headers[name]
            assert isinstance(orjson.loads(value), dict)

    def test_tenant_lwa_17_52(self) -> None:
        request = read(url_event(headers={"x-amz-tenant-id": "forged"}), aws_tenant_id="tenant-abc")
        assert request.headers["x-amz-tenant-id"] == ["tenant-abc"]

    def test_no_tenant_lwa_18_53_93(self) -> None:
        assert "x-amz-tenant-id" not in read(url_event(headers={"X-Amz-Tenant-Id": "forged"})).headers

    def test_trace_id_replaces_the_clients(self) -> None:
        event = url_event(headers={"x-amzn-trace-id": "Root=client"})
        assert read(event, trace_id="Root=ours").headers["x-amzn-trace-id"] == ["Root=ours"]
        assert read(event).headers["x-amzn-trace-id"] == ["Root=client"]

    def test_authorization_source_lwa_39(self) -> None:
        rules = EventRules(authorization_source="auth-token")
        headers = read(url_event(headers={"Auth-Token": "t", "authorization": "old"}), rules).headers
        assert headers["authorization"] == ["t"]
        assert "auth-token" not in headers

    def test_authorization_source_missing_lwa_46(self) -> None:
        rules = EventRules(authorization_source="auth-token")
        assert "authorization" not in read(url_event(), rules).headers
        assert read(url_event(headers={"authorization": "old"}), rules).headers["authorization"] == ["old"]

    def test_nothing_can_break_a_header_line(self) -> None:
        request = read(
            url_event(headers={"a": "x\r\nb: y\x00\x7f", "bad name": "x", "b:c": "x", "": "x"}, cookies=["c\r\nd: e"]),
            trace_id="t\r\nx: y",
        )
        wire = encode_request(request, "h:1")
        names = [line.partition(b":")[0] for line in wire.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
        ours = [b"x-amzn-request-context", b"x-amzn-lambda-context", b"x-amzn-trace-id", b"content-length"]
        assert sorted(names) == sorted([b"host", b"a", b"cookie", *ours])
        assert b"\r\na: xb: y\r\n" in wire

    def test_control_bytes_leave_the_context_lwa_103(self) -> None:
        event = orjson.loads(url_event())
        event["requestContext"]["http"]["userAgent"] = "a\x7fb\x01"
        (value,) = read(event).headers["x-amzn-request-context"]
        assert orjson.loads(value)["http"]["userAgent"] == "ab\x01"
        assert "\x7f" not in value

    def test_context_is_utf8_lwa_104(self) -> None:
        event = orjson.loads(url_event())
        event["requestContext"]["http"]["userAgent"] = "ñ"
        assert '"userAgent":"ñ"'.encode() in encode_request(read(event), "h:1")


class TestContext:
    def test_v2_optionals_are_null(self) -> None:
        (value,) = read(url_event()).headers["x-amzn-request-context"]
        context = orjson.loads(value)
        assert context["domainPrefix"] is None
        assert context["http"]["userAgent"] is None
        assert context["http"]["sourceIp"] == "192.0.2.1"
        assert "authorizer" not in context

    def test_v1_identity(self) -> None:
        (value,) = read(v1()).headers["x-amzn-request-context"]
        context = orjson.loads(value)
        assert context["identity"]["sourceIp"] == "192.0.2.1"
        assert context["identity"]["userArn"] is None
        assert "authorizer" not in context

    def test_alb(self) -> None:
        (value,) = read(alb()).headers["x-amzn-request-context"]
        assert list(orjson.loads(value)) == ["elb"]

    def test_lambda_context(self) -> None:
        request = read(
            url_event(),
            invoked_function_arn="arn:f",
            trace_id="Root=1",
            client_context='{"custom":{"a":"b"}}',
            cognito_identity='{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}',
            invocation_id="attempt",
        )
        (value,) = request.headers["x-amzn-lambda-context"]
        assert orjson.loads(value) == {
            "request_id": "request-1",
            "deadline": 1700000000000,
            "invoked_function_arn": "arn:f",
            "xray_trace_id": "Root=1",
            "client_context": {"client": None, "custom": {"a": "b"}, "environment": {}},
            "identity": {"identityId": "i", "identityPoolId": "p"},
            "tenant_id": None,
            "invocation_id": "attempt",
            "env_config": {"function_name": "f", "memory": 2048, "version": "3", "log_stream": "", "log_group": ""},
        }

    @pytest.mark.parametrize("text", ["{}", "", "{broken", "[]"], ids=["lwa-76", "empty", "broken", "list"])
    def test_client_context_that_says_nothing_is_null(self, text: str) -> None:
        (value,) = read(url_event(), client_context=text, cognito_identity=text).headers["x-amzn-lambda-context"]
        assert orjson.loads(value)["client_context"] is None
        assert orjson.loads(value)["identity"] is None

    def test_answer_without_request_id_is_no_invocation(self) -> None:
        assert read_invocation({b"lambda-runtime-deadline-ms": b"1"}, b"{}") is None


class TestBodies:
    @pytest.mark.parametrize(
        ("body", "flag", "expected"),
        [
            pytest.param('{"a":1}', False, b'{"a":1}', id="lwa-32-json"),
            pytest.param(None, False, b"", id="lwa-32-empty"),
            pytest.param(b64encode(b"\0\xff123").decode(), True, b"\0\xff123", id="lwa-32-binary"),
            pytest.param("ñ", False, "ñ".encode(), id="utf-8"),
            pytest.param("", True, b"", id="empty-base64"),
            pytest.param("eA==", None, b"eA==", id="flag-null"),
        ],
    )
    def test_body(self, body: str | None, flag: bool | None, expected: bytes) -> None:
        assert read(alb(httpMethod="POST", body=body, isBase64Encoded=flag)).body == expected

    @pytest.mark.parametrize("body", ["!!!!", "eA", "ñ"])
    def test_bad_base64(self, body: str) -> None:
        with pytest.raises(EventError, match="not base64"):
            read(alb(body=body, isBase64Encoded=True))


class TestRequestBytes:
    def test_whole_request(self) -> None:
        request = HttpRequest(EventKind.ALB, "POST", "/a?b=1", {b"x": (b"1", b"2")}, b"body", {})
        assert encode_request(request, "127.0.0.1:8080") == (
            b"POST /a?b=1 HTTP/1.1\r\nhost: 127.0.0.1:8080\r\nx: 1\r\nx: 2\r\ncontent-length: 4\r\n\r\nbody"
        )

    def test_host_of_the_event(self) -> None:
        wire = encode_request(HttpRequest(EventKind.ALB, "GET", "/", {b"host": (b"h",)}, b"", {}), "127.0.0.1:8080")
        assert wire == b"GET / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n"

    def test_event_without_host_lwa_61(self) -> None:
        assert b"host: 127.0.0.1:1\r\n" in encode_request(read(alb()), "127.0.0.1:1")


@pytest.mark.parametrize(
    ("text", "netloc", "base"),
    [
        ("127.0.0.1:9001", "127.0.0.1:9001", ""),
        ("http://h:1/base/", "h:1", "/base"),
        ("[::1]:9001", "[::1]:9001", ""),
        ("h", "h:80", ""),
    ],
)
def test_endpoint(text: str, netloc: str, base: str) -> None:
    endpoint: Endpoint = read_endpoint("X", text)
    assert (endpoint.netloc, endpoint.base) == (netloc, base)
