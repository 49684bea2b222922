"""Lambda events of each HTTP trigger, as small as the real ones allow."""

from base64 import b64encode
from collections.abc import Sequence
from typing import TypedDict, Unpack

import orjson


class UrlRequest(TypedDict, total=False):
    """What varies between events of payload format 2.0."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    cookies: Sequence[str]
    body: str | bytes


def url_event(**request: Unpack[UrlRequest]) -> bytes:
    """A Function URL's event, payload format 2.0. Bytes as body go as base64."""
    body = request.get("body", "")
    path = request.get("path", "/")
    method = request.get("method", "GET")
    event: dict[str, object] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": request.get("query", ""),
        "headers": {"host": "abc.lambda-url.us-east-1.on.aws"} | request.get("headers", {}),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "requestId": "request-1",
            "routeKey": "$default",
            "stage": "$default",
        },
        "isBase64Encoded": isinstance(body, bytes),
    }
    if body:
        event["body"] = b64encode(body).decode() if isinstance(body, bytes) else body
    if "cookies" in request:
        event["cookies"] = list(request["cookies"])
    return orjson.dumps(event)
