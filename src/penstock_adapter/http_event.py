"""An event becomes an HTTP request. Pure, and the same for every mode of the adapter.

Four kinds of event, told apart by what `requestContext` holds; anything else passes through as a POST of itself.
Shapes, payload formats 1.0 and 2.0, then load balancers:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
The mapping is LWA's, without its flaws: nothing is lost, reordered or trusted that should not be.
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from penstock_adapter.codec import as_dict, as_text, dumps, loads
from penstock_adapter.http_url import clean_path, clean_query, remove_base_path
from penstock_adapter.invocation import Invocation, lambda_context
from penstock_adapter.options import EventRules

REQUEST_CONTEXT = b"x-amzn-request-context"
LAMBDA_CONTEXT = b"x-amzn-lambda-context"
TENANT_ID = b"x-amz-tenant-id"
TRACE_ID = b"x-amzn-trace-id"

# Never forwarded: what belongs to one hop (RFC 9110, 7.6.1), what we set ourselves from the decoded body, and what the
# app trusts to come from the platform alone.
_ONE_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
_NOT_FORWARDED = frozenset(
    _ONE_HOP | {b"content-length", b"expect", REQUEST_CONTEXT, LAMBDA_CONTEXT, TENANT_ID},
)
_USUAL_METHODS = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def _nulls(*names: str) -> dict[str, object]:
    return dict.fromkeys(names)


# Keys that LWA shows as null when the event lacks them, so that apps may index them.
_V1_CONTEXT = _nulls("accountId", "resourceId", "stage", "domainName", "domainPrefix", "requestId", "protocol")
_V1_CONTEXT |= _nulls("identity", "resourcePath", "path", "httpMethod", "requestTime", "requestTimeEpoch", "apiId")
_V1_IDENTITY = _nulls("cognitoIdentityPoolId", "accountId", "cognitoIdentityId", "caller", "apiKey", "apiKeyId")
_V1_IDENTITY |= _nulls("accessKey", "sourceIp", "cognitoAuthenticationType", "cognitoAuthenticationProvider")
_V1_IDENTITY |= _nulls("userArn", "userAgent", "user")
_V2_CONTEXT = _nulls("routeKey", "accountId", "stage", "requestId", "apiId", "domainName", "domainPrefix")
_V2_CONTEXT |= _nulls("time", "timeEpoch", "http")
_V2_HTTP = _nulls("method", "path", "protocol", "sourceIp", "userAgent")
# Left out rather than shown as null.
_ABSENT_IF_NULL = ("authorizer", "authentication", "operationName")

Fields = dict[bytes, tuple[bytes, ...]]
"""Headers by name in lower case, every value of it, with nothing in them that could end a line."""


class EventError(Exception):
    """An event that cannot become a request: the message says what is wrong with it."""


class EventKind(StrEnum):
    REST_V1 = "API Gateway payload format 1.0"
    HTTP_V2 = "API Gateway payload format 2.0 or function URL"
    ALB = "Application Load Balancer"
    PASS_THROUGH = "not HTTP"


class HttpRequest(NamedTuple):
    """`target` is path and query in origin form; `event` is what it was made from, decoded."""

    kind: EventKind
    method: str
    target: str
    fields: Fields
    body: bytes
    event: dict[str, object]

    @property
    def headers(self) -> dict[str, list[str]]:
        """For who looks at them as text."""
        return {name.decode(): [value.decode() for value in values] for name, values in self.fields.items()}


def read_event(invocation: Invocation, rules: EventRules, config: Mapping[str, object]) -> HttpRequest:
    """The request an invocation stands for, with context headers set. `config` is `env_config()`.

    Raises `EventError` for an event that is not JSON, a body that is not base64 though it says so, or a bad method.
    """
    return read_request(load_event(invocation), invocation, rules, config)


def load_event(invocation: Invocation) -> dict[str, object]:
    """The event decoded; empty for JSON that is no object. Raises `EventError` for what is not JSON."""
    try:
        return as_dict(loads(invocation.event))
    except ValueError as error:
        raise EventError(f"the event is not JSON: {error}") from error


def read_request(
    event: dict[str, object], invocation: Invocation, rules: EventRules, config: Mapping[str, object]
) -> HttpRequest:
    """`read_event` for who has decoded the event already. It is not changed."""
    context = as_dict(event.get("requestContext"))
    http = context.get("http")
    if isinstance(event.get("httpMethod"), str) and isinstance(context.get("httpMethod"), str):
        request = _from_v1(event, context, rules)
    elif isinstance(http, dict) and isinstance(http.get("method"), str):
        # Without an escape there can be no control character in any text of it, but this one.
        plain = b"\\" not in invocation.event and b"\x7f" not in invocation.event
        request = _from_v2(event, context, http, rules, plain=plain)
    elif isinstance(event.get("httpMethod"), str) and isinstance(context.get("elb"), dict):
        request = _from_alb(event, context, rules)
    else:
        request = _pass_through(event, invocation.event, rules)
    if request.method not in _USUAL_METHODS and not _TOKEN.fullmatch(request.method):
        raise EventError(f"the event's HTTP method {request.method!r} is not one")
    fields = request.fields
    fields[LAMBDA_CONTEXT] = (_json_value(lambda_context(invocation, config)),)
    if invocation.trace_id:
        fields[TRACE_ID] = (_value(invocation.trace_id),)
    if invocation.tenant_id:
        fields[TENANT_ID] = (_value(invocation.tenant_id),)
    return request


def _from_v2(
    event: dict[str, object], context: dict[str, object], http: dict[str, object], rules: EventRules, *, plain: bool
) -> HttpRequest:
    fields = _fields(as_dict(event.get("headers")), plain=plain)
    cookies = event.get("cookies")
    if isinstance(cookies, list) and cookies:
        fields[b"cookie"] = (_value("; ".join(as_text(cookie) for cookie in cookies)),)
    shown = _V2_CONTEXT | context
    shown["http"] = _V2_HTTP | http
    _finish(fields, shown, rules)
    path = as_text(event.get("rawPath")) or as_text(event.get("path"))
    query = as_text(event.get("rawQueryString"))
    target = _target(path, clean_query(query) if query else "", rules)
    return HttpRequest(EventKind.HTTP_V2, as_text(http["method"]), target, fields, _body(event), event)


def _from_v1(event: dict[str, object], context: dict[str, object], rules: EventRules) -> HttpRequest:
    fields = _merged_fields(event)
    shown = _V1_CONTEXT | context
    shown["identity"] = _V1_IDENTITY | as_dict(context.get("identity"))
    _finish(fields, shown, rules)
    target = _target(as_text(event.get("path")), _form_query(event, encoded=False), rules)
    method = as_text(event["httpMethod"]) or "GET"
    return HttpRequest(EventKind.REST_V1, method, target, fields, _body(event), event)


def _from_alb(event: dict[str, object], context: dict[str, object], rules: EventRules) -> HttpRequest:
    fields = _merged_fields(event)
    _finish(fields, context, rules)
    target = _target(as_text(event.get("path")), _form_query(event, encoded=True), rules)
    return HttpRequest(EventKind.ALB, as_text(event["httpMethod"]) or "GET", target, fields, _body(event), event)


def _pass_through(event: dict[str, object], body: bytes, rules: EventRules) -> HttpRequest:
    fields: Fields = {b"content-type": (b"application/json",), REQUEST_CONTEXT: (b"null",)}
    return HttpRequest(EventKind.PASS_THROUGH, "POST", clean_path(rules.pass_through_path), fields, body, event)


def _target(path: str, query: str, rules: EventRules) -> str:
    path = _path(path, rules.base_path)
    return f"{path}?{query}" if query else path


@lru_cache(maxsize=256)
def _path(path: str, base_path: str) -> str:
    """The same few are asked for again and again."""
    return clean_path(remove_base_path(path, base_path))


def _body(event: dict[str, object]) -> bytes:
    body = as_text(event.get("body"))
    if not body:
        return b""
    if event.get("isBase64Encoded") is not True:
        return body.encode("utf-8", "replace")
    try:
        return a2b_base64(body, strict_mode=True)
    except (Base64Error, ValueError) as error:
        raise EventError(f"the event's body is not base64 although isBase64Encoded is true: {error}") from error


def _form_query(event: dict[str, object], *, encoded: bool) -> str:
    """Parameters in the event's own order, each value of a key on its own. ALB hands them over still `encoded`."""
    from urllib.parse import quote, unquote  # only these two kinds of event pay for the import

    given = as_dict(event.get("multiValueQueryStringParameters")) or as_dict(event.get("queryStringParameters"))
    pairs: list[str] = []
    for key, values in given.items():
        for value in _texts(values) or [""]:
            pair = (unquote(key), unquote(value)) if encoded else (key, value)
            pairs.append("=".join(quote(part, safe="*", errors="replace") for part in pair))
    return "&".join(pairs)


def _texts(value: object) -> list[str]:
    """One value or several: events know both, in any map."""
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _value(text: str) -> bytes:
    """`text` with nothing in it that could end a header line; a tab may stay."""
    return (text if text.isprintable() else _CONTROL.sub("", text)).encode("utf-8", "replace")


def _json_value(data: bytes) -> bytes:
    """JSON has escapes for all control characters but this one."""
    return data.replace(b"\x7f", b"") if b"\x7f" in data else data


@lru_cache(maxsize=1024)
def _forwarded_name(name: str) -> bytes:
    """`name` in lower case, or empty when such a header is not forwarded or cannot be one."""
    lower = name.lower()
    known = lower.encode() if _TOKEN.fullmatch(lower) else b""
    return known if known not in _NOT_FORWARDED else b""


def _fields(given: dict[str, object], *, plain: bool = False) -> Fields:
    """`plain`: no text has a control character."""
    fields: Fields = {}
    for name, value in given.items():
        known = _forwarded_name(name)
        if not known:
            continue
        if type(value) is str:
            fields[known] = (value.encode("utf-8", "replace") if plain else _value(value),)
        elif texts := _texts(value):
            fields[known] = tuple(_value(text) for text in texts)
    return fields


def _merged_fields(event: dict[str, object]) -> Fields:
    """Both maps in one: the multi-value map holds every duplicate, the single one may hold names of its own."""
    single = _fields(as_dict(event.get("headers")))
    return single | _fields(as_dict(event.get("multiValueHeaders")))


def _finish(fields: Fields, context: dict[str, object], rules: EventRules) -> None:
    if rules.authorization_source:
        promoted = fields.pop(rules.authorization_source.encode(), None)
        if promoted:
            fields[b"authorization"] = promoted[:1]
    for name in _ABSENT_IF_NULL:
        if name in context and context[name] is None:
            context = {key: value for key, value in context.items() if key != name}
    fields[REQUEST_CONTEXT] = (_json_value(dumps(context)),)
