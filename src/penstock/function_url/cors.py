"""Cross-origin rules of a Function URL: what the template's `Cors` adds to answers. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors
Which header goes where is as captured on AWS, in https://github.com/radkawar/stackd
(testdata/aws/lambda/urls_http.json) and as others saw it:
- a preflight is answered without the function: 200, no body, and CORS headers only when origin, method and every header
  asked for are allowed (https://dev.to/rimutaka/aws-lambda-function-url-with-cors-explained-by-example-14df);
- the request's own origin comes back, also where `*` allows all (https://github.com/LeanerCloud/CUDly/issues/390);
- any other answer keeps what the function set and gets ours beside it, though the page once said that ours take
  precedence; a browser refuses two origins (https://github.com/aws-powertools/powertools-lambda-python/issues/4163).
"""

from typing import Final

from penstock.function_url.response import clean
from penstock.model.function import Cors
from penstock.wire.http_messages import Headers

_ANY: Final = "*"
# What browsers send without asking first, so what no list of methods keeps from being sent.
# https://fetch.spec.whatwg.org/#cors-safelisted-method
_SAFELISTED: Final = frozenset({b"GET", b"HEAD", b"POST"})

TWICE: Final = "Access-Control-Allow-Origin comes from the function and from Cors in the template: browsers refuse two"


class CorsRules:
    """What follows from the configuration alone is built here, once."""

    __slots__ = (
        "_actual",
        "_any_header",
        "_any_method",
        "_any_origin",
        "_headers",
        "_methods",
        "_origins",
        "_preflight",
    )

    def __init__(self, cors: Cors) -> None:
        self._any_origin = _ANY in cors.allow_origins
        self._origins = frozenset(origin.encode() for origin in cors.allow_origins)
        self._any_method = _ANY in cors.allow_methods
        # Without a list only these get through: assumed.
        self._methods = frozenset(method.encode() for method in cors.allow_methods) or _SAFELISTED
        self._any_header = _ANY in cors.allow_headers
        self._headers = frozenset(name.strip().lower().encode() for name in cors.allow_headers)
        credentials = _line("credentials", "true") if cors.allow_credentials else b""
        self._actual = _list("access-control-expose-headers", cors.expose_headers) + credentials
        age = b"access-control-max-age: %d\r\n" % cors.max_age if cors.max_age is not None else b""
        self._preflight = (
            _list("access-control-allow-headers", cors.allow_headers)
            + _list("access-control-allow-methods", cors.allow_methods)
            + age
            + credentials
        )

    def actual(self, headers: Headers) -> bytes:
        """Header lines for the answer to a request; empty when it names no origin, or one that is not allowed."""
        origin = _value(headers, b"origin")
        return self._origin_lines(origin) + self._actual if self._allows(origin) else b""

    def preflight(self, method: bytes, headers: Headers) -> bytes | None:
        """Header lines for the answer to a preflight; None when the request is none."""
        if method != b"OPTIONS":
            return None
        origin, wanted = _value(headers, b"origin"), _value(headers, b"access-control-request-method")
        if not (origin and wanted):
            return None
        if not (self._allows(origin) and (self._any_method or wanted in self._methods)):
            return b""
        asked = _value(headers, b"access-control-request-headers").lower().split(b",")
        if not (self._any_header or all(name in self._headers for one in asked if (name := one.strip()))):
            return b""
        return self._origin_lines(origin) + self._preflight

    def _allows(self, origin: bytes) -> bool:
        return bool(origin) and (self._any_origin or origin in self._origins)

    @staticmethod
    def _origin_lines(origin: bytes) -> bytes:
        return b"access-control-allow-origin: %b\r\nvary: Origin\r\n" % origin


def _value(headers: Headers, wanted: bytes) -> bytes:
    for name, value in headers:
        if name == wanted:
            return value
    return b""


def _line(what: str, value: str) -> bytes:
    return f"access-control-allow-{what}: {value}\r\n".encode()


def _list(name: str, values: tuple[str, ...]) -> bytes:
    return f"{name}: {clean(','.join(values))}\r\n".encode() if values else b""
