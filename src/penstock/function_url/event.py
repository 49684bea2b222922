"""The event of a Function URL request: payload format version 2.0. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
What the page leaves open follows events captured on AWS (marked observed): those in
https://github.com/aws/aws-lambda-go (lambdaurl/testdata) and https://github.com/radkawar/stackd
(testdata/aws/lambda/urls_http.json), and snapshots in LocalStack's tests.
"""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

import orjson

from penstock.wire.http_messages import Headers

# Between two hops: `connection` as observed, its kin with it (RFC 9110 section 7.6.1). What only the platform can know
# must not come from a client.
_LEFT_OUT: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
        "x-amzn-tls-cipher-suite",
        "x-amzn-tls-version",
    }
)
# AWS's list is unpublished. Measured on payload format 2.0: https://github.com/ministackorg/ministack/pull/766
_TEXT_TYPES: Final = ("text", "json", "xml", "javascript")


@dataclass(frozen=True, slots=True)
class UrlIdentity:
    """What is the same in every event of one Function URL. `port` is the one clients connect to."""

    url_id: str
    domain_name: str
    port: int
    scheme: str = "http"


@dataclass(frozen=True, slots=True)
class Tls:
    """`TLSv1.3` and `TLS_AES_128_GCM_SHA256`, as OpenSSL names them."""

    version: str
    cipher_suite: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed the request. `iam` is `requestContext.authorizer.iam`."""

    account_id: str
    iam: Mapping[str, str | None]


def build_event(
    identity: UrlIdentity,
    *,
    method: str,
    target: bytes,
    headers: Headers,
    body: bytes,
    source_ip: str,
    request_id: str,
    trace_id: str,
    epoch: float,
    tls: Tls | None = None,
    caller: Caller | None = None,
) -> bytes:
    """The event as JSON. `target` is in origin-form, or `*`; `epoch` in seconds; `tls` of an encrypted connection,
    `caller` of a signed request.
    """
    raw_path, _, raw_query = target.decode("latin-1").partition("?")
    fields, cookies = _read_headers(headers)
    _add_connection(fields, identity, source_ip, tls)
    fields["x-amzn-trace-id"] = trace_id
    if caller:
        fields.pop("authorization", None)  # it never reaches the function (observed)
    context: dict[str, object] = {
        "accountId": caller.account_id if caller else "anonymous",
        "apiId": identity.url_id,
        "domainName": identity.domain_name,
        "domainPrefix": identity.url_id,
        "http": {
            "method": method,
            "path": raw_path,
            "protocol": "HTTP/1.1",
            "sourceIp": source_ip,
            "userAgent": fields.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": _clf_time(int(epoch)),
        "timeEpoch": int(epoch * 1000),
    }
    if caller:
        context["authorizer"] = {"iam": caller.iam}
    event: dict[str, object] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw_path,
        "rawQueryString": raw_query,
        "headers": fields,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if raw_query:
        event["queryStringParameters"] = _query_parameters(raw_query)
    if body:
        fields.setdefault("content-length", str(len(body)))  # of a chunked body, whose framing ended here
        event["body"], event["isBase64Encoded"] = _encode_body(body, fields)
    return orjson.dumps(event)


def _add_connection(fields: dict[str, str], identity: UrlIdentity, source_ip: str, tls: Tls | None) -> None:
    """What the door knows of the client's connection, in place of what the client says; proxies before it stay."""
    forwarded = fields.get("x-forwarded-for")
    fields["x-forwarded-for"] = f"{forwarded}, {source_ip}" if forwarded else source_ip
    fields["x-forwarded-port"] = str(identity.port)
    fields["x-forwarded-proto"] = identity.scheme
    if tls:
        fields["x-amzn-tls-version"] = tls.version
        fields["x-amzn-tls-cipher-suite"] = tls.cipher_suite


def _read_headers(headers: Headers) -> tuple[dict[str, str], list[str]]:
    """Names in lower case, repeated ones joined by a comma; and the cookies, one entry each, which stay among the
    headers as well (observed).
    """
    fields: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name in _LEFT_OUT:
            continue
        fields[name] = f"{fields[name]},{value}" if name in fields else value
        if name == "cookie":
            cookies += [part for part in (piece.strip() for piece in value.split(";")) if part]
    return fields, cookies


def _query_parameters(raw_query: str) -> dict[str, str]:
    """Decoded; the values of a repeated key joined by commas (observed). What is no escape stays as it is (assumed)."""
    parameters: dict[str, str] = {}
    for key, value in parse_qsl(raw_query, keep_blank_values=True):
        parameters[key] = f"{parameters[key]},{value}" if key in parameters else value
    return parameters


def _encode_body(body: bytes, fields: Mapping[str, str]) -> tuple[str, bool]:
    """Text stays text only when its type says so and its bytes are UTF-8 (observed); the rest is base64, and so is what
    is compressed, whatever its type (assumed).
    """
    kind = fields.get("content-type", "").partition(";")[0].lower()
    if any(text in kind for text in _TEXT_TYPES) and fields.get("content-encoding", "identity").lower() == "identity":
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True


@lru_cache(maxsize=1)
def _clf_time(epoch: int) -> str:
    """`12/Mar/2020:19:03:58 +0000`. Month names are English whatever the locale."""
    moment = time.gmtime(epoch)
    month = "JanFebMarAprMayJunJulAugSepOctNovDec"[moment.tm_mon * 3 - 3 : moment.tm_mon * 3]
    return (
        f"{moment.tm_mday:02}/{month}/{moment.tm_year}:{moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02} +0000"
    )
