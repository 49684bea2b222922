"""An empty POST to the app over its own kind of connection: how a hook is called where the app is a web server."""

import asyncio

from penstock_adapter.app_connection import AppConnection, AppPool, encode_request
from penstock_adapter.endpoint import Endpoint
from penstock_adapter.http_event import EventKind, HttpRequest
from penstock_adapter.snapstart import HookError


async def post_empty(pool: AppPool, app: Endpoint, path: str) -> int:
    """The status of the answer once it is complete. `pool` is closed at the end. Raises HookError."""
    call = _Call(encode_request(HttpRequest(EventKind.PASS_THROUGH, "POST", path, {}, b"", {}), app.netloc))
    try:
        pool.connect(call)
        return await call.answered
    finally:
        pool.close()


class _Call:
    """The exchange of the one request."""

    def __init__(self, request: bytes) -> None:
        self.answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._request = request
        self._status = 0

    def connected(self, connection: AppConnection) -> None:
        connection.send(self, self._request, head=False)

    def connect_failed(self, error: OSError) -> None:
        self._fail(f"cannot connect to the app: {error}")

    def response_started(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._status = status

    def body_received(self, data: bytes) -> None:
        """Nobody reads it."""

    def response_ended(self) -> None:
        if not self.answered.done():
            self.answered.set_result(self._status)

    def response_failed(self, reason: str, *, stale: bool) -> None:
        self._fail(reason)

    def flush(self) -> None:
        """There is nothing to pass on."""

    def _fail(self, reason: str) -> None:
        if not self.answered.done():
            self.answered.set_exception(HookError(reason))
