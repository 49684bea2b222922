"""Keeps web pages away from a port that is meant for AWS clients on this machine.

A page can make a browser send requests to any address, this machine's included. One that names its own origin is
refused, and so is one by a name that is not ours: a page may have its own name resolved to this machine (DNS
rebinding), so that to the browser both are one origin. A presigned link may be followed: that names no origin.
"""

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from penstock.aws_api.protocol.errors import write_error
from penstock.aws_api.protocol.head import read_head
from penstock.aws_api.protocol.sending import Flow, respond
from penstock.aws_api.service import ServiceError
from penstock.model import ids
from penstock.wire.exchange import DISCARD, Exchange
from penstock.wire.http_messages import Headers
from penstock.wire.http_server import HttpConnection

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})
_HOST: Final = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")

_FOREIGN: Final = "The Host header names another host; allowed: localhost, *.localhost, 127.0.0.1, [::1]"
_ORIGIN: Final = "This port takes no requests from web pages: it is meant for AWS clients"


def guarded(open_exchange: Callable[[HttpConnection], Exchange], host: str) -> Callable[[HttpConnection], Exchange]:
    """A door behind the guard. `host` is the address the port was told to serve at; `0.0.0.0` and `::` stand for every
    address of this machine, never for a name.
    """

    def open_guarded(connection: HttpConnection) -> Exchange:
        refused = refusal(connection.headers, host)
        if refused is None:
            return open_exchange(connection)
        connection.keep_alive = False
        head = read_head(connection)
        respond(Flow(connection), write_error(head.form, None, refused, ids.request_id()), b"")
        return DISCARD

    return open_guarded


def refusal(headers: Headers, host: str) -> ServiceError | None:
    """Why a request is not let in; None when it is."""
    if any(name == b"origin" for name, _ in headers):
        return ServiceError("AccessDeniedException", _ORIGIN, 403)
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) == 1 and _is_ours(hosts[0], host):
        return None
    served = "every address" if host in _EVERYWHERE else host
    return ServiceError("AccessDeniedException", f"{_FOREIGN}, {served}", 403)


def _is_ours(header: bytes, host: str) -> bool:
    found = _HOST.fullmatch(header)
    if found is None:
        return False
    name = found[1].decode().lower()
    if name in _LOCAL or name.endswith(".localhost"):
        return True
    if host in _EVERYWHERE:
        return _is_address(name)  # a page that has an address for its name is not at ours
    return name.strip("[]") == host.lower()


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
