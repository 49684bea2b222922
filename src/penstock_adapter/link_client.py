"""The adapter's end of a link: made when the first slot wants a connection, and made anew after it was lost."""

import asyncio
from typing import Final, cast

from penstock_adapter.endpoint import Endpoint
from penstock_adapter.link import PROTOCOL, SWITCHING, TARGET, Link

_REQUEST: Final = f"GET {TARGET} HTTP/1.1\r\nhost: %b\r\nconnection: upgrade\r\nupgrade: {PROTOCOL}\r\n\r\n".encode()

# Who has not said anything by then will answer polls, or nothing at all (`assumed`).
OFFER_S = 5.0


class LinkClient:
    """Connections to one Runtime API. Where that makes no links, each is one of its own from then on."""

    def __init__(self, api: Endpoint) -> None:
        self._api = api
        self._link: Link | None = None
        self._refused = False
        self._lock = asyncio.Lock()

    async def connect(self, protocol: asyncio.Protocol) -> None:
        """Joins `protocol` to the Runtime API. Raises OSError when that cannot be reached."""
        async with self._lock:
            if not self._refused and (self._link is None or self._link.closing):
                self._link = await self._offer()
                self._refused = self._link is None
        if self._link is not None:
            self._link.open(protocol)
        else:
            await asyncio.get_running_loop().create_connection(lambda: protocol, self._api.host, self._api.port)

    def close(self) -> None:
        """Ends the link after what was written on it."""
        if self._link is not None:
            self._link.close()

    async def _offer(self) -> Link | None:
        """None when the other side does anything but say that it makes a link."""
        offer = _Offer(self._api)
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: offer, self._api.host, self._api.port)
        try:
            async with asyncio.timeout(OFFER_S):
                return await offer.answered
        except TimeoutError:
            transport.abort()
            return None
        except BaseException:
            transport.abort()
            raise


class _Offer(asyncio.Protocol):
    def __init__(self, api: Endpoint) -> None:
        self.answered: asyncio.Future[Link | None] = asyncio.get_running_loop().create_future()
        self._api = api
        self._answer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(_REQUEST % self._api.netloc.encode())

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if self.answered.done() or (len(self._answer) < len(SWITCHING) and SWITCHING.startswith(self._answer)):
            return
        transport = self._transport
        assert transport is not None
        if not self._answer.startswith(SWITCHING):
            self.answered.set_result(None)
            transport.abort()
            return
        link = Link()
        transport.set_protocol(link)
        link.connection_made(transport)
        if rest := self._answer[len(SWITCHING) :]:
            link.data_received(rest)
        self.answered.set_result(link)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.answered.done():
            self.answered.set_result(None)
