"""A request becomes an ASGI scope, as uvicorn behind the proxy mode would have made it. Pure.

https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope
"""

from collections.abc import Mapping, MutableMapping
from typing import Final, TypeAlias
from urllib.parse import unquote

from penstock_adapter.http_event import HttpRequest

Scope: TypeAlias = MutableMapping[str, object]

_ASGI: Final = {"version": "3.0", "spec_version": "2.4"}
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def build_scope(request: HttpRequest, root_path: str, state: Mapping[str, object] | None) -> dict[str, object]:
    """The scope of one request. `state` is what the lifespan left, copied for each request as the standard says."""
    headers = request.headers
    target, _, query = request.target.partition("?")
    scheme = _first(headers, "x-forwarded-proto") or "http"
    scope: dict[str, object] = {
        "type": "http",
        "asgi": _ASGI,
        "http_version": "1.1",
        "server": _server(headers, scheme),
        "client": _client(headers),
        "scheme": scheme,
        "method": request.method.upper(),
        "root_path": root_path,
        "path": root_path + (unquote(target) if "%" in target else target),
        "raw_path": (root_path + target).encode("ascii"),
        "query_string": query.encode("ascii"),
        "headers": _header_pairs(headers, len(request.body)),
    }
    if state is not None:
        scope["state"] = dict(state)
    return scope


def _header_pairs(headers: Mapping[str, list[str]], length: int) -> list[tuple[bytes, bytes]]:
    pairs = [(name.encode("latin-1"), value.encode()) for name, values in headers.items() for value in values]
    if length:
        pairs.append((b"content-length", b"%d" % length))
    return pairs


def _first(headers: Mapping[str, list[str]], name: str) -> str:
    values = headers.get(name)
    return values[0] if values else ""


def _server(headers: Mapping[str, list[str]], scheme: str) -> tuple[str, int]:
    host = _first(headers, "host")
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit():
        return name, int(port)
    return host, _DEFAULT_PORTS.get(scheme, 80)


def _client(headers: Mapping[str, list[str]]) -> tuple[str, int] | None:
    """The address the platform saw: the last of the chain, because everything before it is the client's word."""
    forwarded = _first(headers, "x-forwarded-for")
    return (forwarded.rpartition(",")[2].strip(), 0) if forwarded else None
