"""A request becomes an ASGI scope, as uvicorn behind the proxy mode would have made it. Pure.

https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope
"""

from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import unquote

from penstock_adapter.http_event import Fields, HttpRequest

Scope: TypeAlias = MutableMapping[str, object]

_ASGI: Final = {"version": "3.0", "spec_version": "2.4"}
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def build_scope(request: HttpRequest, root_path: str, state: Mapping[str, object] | None) -> dict[str, object]:
    """The scope of one request. `state` is what the lifespan left, copied for each request as the standard says."""
    fields = request.fields
    target, _, query = request.target.partition("?")
    scheme = _first(fields, b"x-forwarded-proto").decode("latin-1") or "http"
    scope: dict[str, object] = {
        "type": "http",
        "asgi": _ASGI,
        "http_version": "1.1",
        "server": _server(_first(fields, b"host"), scheme),
        "client": _client(_first(fields, b"x-forwarded-for")),
        "scheme": scheme,
        "method": request.method.upper(),
        "root_path": root_path,
        "path": root_path + (unquote(target) if "%" in target else target),
        "raw_path": (root_path + target).encode("ascii"),
        "query_string": query.encode("ascii"),
        "headers": _header_pairs(fields, len(request.body)),
    }
    if state is not None:
        scope["state"] = dict(state)
    return scope


def _header_pairs(fields: Fields, length: int) -> list[tuple[bytes, bytes]]:
    pairs = [(name, value) for name, values in fields.items() for value in values]
    if length:
        pairs.append((b"content-length", b"%d" % length))
    return pairs


def _first(fields: Fields, name: bytes) -> bytes:
    values = fields.get(name)
    return values[0] if values else b""


@lru_cache(maxsize=256)
def _server(host: bytes, scheme: str) -> tuple[str, int]:
    """Few hosts are asked for, again and again."""
    name, colon, port = host.decode("latin-1").rpartition(":")
    if colon and port.isascii() and port.isdigit():
        return name, int(port)
    return host.decode("latin-1"), _DEFAULT_PORTS.get(scheme, 80)


@lru_cache(maxsize=256)
def _client(forwarded: bytes) -> tuple[str, int] | None:
    """The address the platform saw: the last of the chain, because everything before it is the client's word."""
    return (forwarded.rpartition(b",")[2].strip().decode("latin-1"), 0) if forwarded else None
