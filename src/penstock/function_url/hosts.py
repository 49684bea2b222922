"""Which Function URL a request is for, by its host: `<url id>.lambda-url.<region>.localhost`, on any port.

On AWS the host is the only thing that tells Function URLs apart.
https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
"""

from typing import Final, Protocol

from penstock.function_url.refusals import UNKNOWN_URL
from penstock.model import ids
from penstock.model.clock import Clock
from penstock.wire.exchange import DISCARD, Exchange
from penstock.wire.http_server import HttpConnection

_LABEL: Final = b".lambda-url."


class UrlDoor(Protocol):
    """What serves the requests of one Function URL, whichever port they came in by."""

    def open_exchange(self, connection: HttpConnection) -> Exchange: ...


class UnknownUrl:
    """Where a host leads that has a Function URL's shape, but is nobody's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def open_exchange(self, connection: HttpConnection) -> Exchange:
        """Answer as AWS does for a URL that was deleted or never was."""
        head = UNKNOWN_URL.head(ids.request_id(), self._clock.epoch(), b"", closing=not connection.keep_alive)
        connection.respond(head + UNKNOWN_URL.body)
        return DISCARD


class UrlHosts:
    """The Function URLs of this platform by their ids."""

    def __init__(self, clock: Clock) -> None:
        self._doors: dict[bytes, UrlDoor] = {}
        self._unknown = UnknownUrl(clock)

    def add(self, url_id: str, door: UrlDoor) -> None:
        self._doors[url_id.lower().encode()] = door

    def remove(self, url_id: str) -> None:
        self._doors.pop(url_id.lower().encode(), None)

    def find(self, connection: HttpConnection) -> UrlDoor | None:
        """The door the request's host names: one that refuses when nobody has that id; None for any other host."""
        host = _host(connection).lower()
        if _LABEL not in host:
            return None
        return self._doors.get(host[: host.index(_LABEL)], self._unknown)


def _host(connection: HttpConnection) -> bytes:
    """With its port. A whole URL as request target goes before the header (RFC 9112 section 3.2.2)."""
    target = connection.target
    if target[:1] != b"/":
        authority = authority_of(target)
        if authority:
            return authority
    for name, value in connection.headers:
        if name == b"host":
            return value
    return b""


def authority_of(target: bytes) -> bytes:
    """Host and port of a whole URL, without user information; empty for any other form of target."""
    scheme, separator, rest = target.partition(b"://")
    if not separator or b"/" in scheme or b"?" in scheme:
        return b""
    end = min((at for at in (rest.find(b"/"), rest.find(b"?"), rest.find(b"#")) if at >= 0), default=len(rest))
    return rest[:end].rpartition(b"@")[2]
