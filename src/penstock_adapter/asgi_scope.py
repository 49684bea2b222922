"""A request becomes an ASGI scope, as uvicorn behind the proxy mode would have made it. Pure.

https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope
"""

from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import quote, unquote

from penstock_adapter.http_event import Fields, HttpRequest

Scope: TypeAlias = MutableMapping[str, object]

_ASGI: Final = {"version": "3.0", "spec_version": "2.4"}
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# The proxy's own address, which uvicorn looks behind: https://www.uvicorn.org/settings/#http (--forwarded-allow-ips)
_PROXY: Final = "127.0.0.1"


class ScopeMaker:
    """What the scopes of all requests share. `root_path` is the base path that was removed, empty or with a leading
    slash; `default_host` stands in for a `host` header the event lacks, as it does in proxy mode; `state` is what the
    lifespan left, copied for each request as the standard says, or None.
    """

    def __init__(self, root_path: str, default_host: str, state: Mapping[str, object] | None) -> None:
        self._root_path = root_path
        self._raw_root = quote(root_path).encode()
        self._default_host = default_host
        self._state = state

    def scope(self, request: HttpRequest) -> dict[str, object]:
        """The scope of one request."""
        fields = request.fields
        target, _, query = request.target.partition("?")
        if b"host" not in fields:
            fields = {b"host": (self._default_host.encode(),), **fields}
        scheme = _scheme(fields.get(b"x-forwarded-proto"))
        scope: dict[str, object] = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": "1.1",
            "server": _server(fields[b"host"][0], scheme),
            "client": _client(fields.get(b"x-forwarded-for")),
            "scheme": scheme,
            "method": request.method.upper(),
            "root_path": self._root_path,
            "path": self._root_path + (unquote(target) if "%" in target else target),
            "raw_path": self._raw_root + target.encode(),
            "query_string": query.encode(),
            "headers": _header_pairs(fields, len(request.body)),
        }
        if self._state is not None:
            scope["state"] = dict(self._state)
        return scope


def _header_pairs(fields: Fields, length: int) -> list[tuple[bytes, bytes]]:
    pairs = [(name, value) for name, values in fields.items() for value in values]
    pairs.append((b"content-length", b"%d" % length))
    return pairs


# Few schemes, hosts and clients are seen, again and again.


@lru_cache(maxsize=64)
def _scheme(said: tuple[bytes, ...] | None) -> str:
    scheme = said[-1].decode("latin-1").strip() if said else "http"
    return scheme if scheme in _DEFAULT_PORTS else "http"


@lru_cache(maxsize=256)
def _server(host: bytes, scheme: str) -> tuple[str, int]:
    name, port = _host_and_port(host.decode())
    return name, port or _DEFAULT_PORTS[scheme]


@lru_cache(maxsize=256)
def _client(forwarded: tuple[bytes, ...] | None) -> tuple[str, int]:
    """The address the platform saw: the last of the chain, because everything before it is the client's word."""
    if forwarded:
        for address in reversed(b",".join(forwarded).decode().split(",")):
            host, port = _host_and_port(address.strip())
            if host and host != _PROXY:
                return host, port
    return _PROXY, 0


def _host_and_port(text: str) -> tuple[str, int]:
    """`name:port`, `[v6]:port`, or either alone; an address of version 6 may also come bare. No port is 0."""
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        name, _, port = text.partition(":")
    else:
        return text, 0
    return name, int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
