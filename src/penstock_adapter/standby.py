"""Both ends of the hand-over: the extension lends the right to poll once at a time, or takes it for good.

A claimant sends one byte when its app is ready and is answered with one. It polls only after a yes, and gives the right
back by closing the connection, which its death does as well.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Final, cast

from penstock_adapter.endpoint import Endpoint
from penstock_adapter.hand_over import VARIABLE
from penstock_adapter.output import Output

_CLAIM: Final = b"?"
_GRANTED: Final = b"1"
_REFUSED: Final = b"0"


class StandBy:
    """In the extension, for the app at `app`. `listener` is of `hand_over.listen`, and ours from here on."""

    def __init__(self, listener: socket.socket, app: Endpoint, output: Output) -> None:
        self._listener = listener
        self._app = app
        self._output = output
        self._server: asyncio.AbstractServer | None = None
        self._claimants: set[_Claimant] = set()
        self._holder: _Claimant | None = None
        self._lent = asyncio.Event()
        self._returned = asyncio.Event()
        self._taken = False

    async def until_ours(self, await_app: Callable[[], "asyncio.Task[None]"], timeout_s: float | None) -> None:
        """Returns when the polls are ours for good: nobody has claimed them before the task of `await_app` ended or
        `timeout_s` was over (None: never). While somebody has them no app is waited for; afterwards one is, anew.
        """
        self._server = await asyncio.get_running_loop().create_unix_server(lambda: _Claimant(self), sock=self._listener)
        while True:
            waiting = await_app()
            lent = asyncio.ensure_future(self._lent.wait())
            try:
                await asyncio.wait({waiting, lent}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            finally:
                lent.cancel()
            # Decided here and in `claim`, with no turn of the loop in between.
            if not self._lent.is_set():
                self._taken = True
                self._output.info(f"{VARIABLE}=1 is not in use: invocations are sent to {self._app.netloc}")
                return
            waiting.cancel()
            await self._returned.wait()
            self._returned.clear()
            self._lent.clear()
            timeout_s = None

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._listener.close()
        for claimant in list(self._claimants):
            claimant.abort()

    # From claimants.

    def connected(self, claimant: "_Claimant") -> None:
        self._claimants.add(claimant)

    def claim(self, claimant: "_Claimant") -> bool:
        """Whether the polls are the claimant's from now on."""
        if self._taken or self._lent.is_set():
            return self._holder is claimant
        self._holder = claimant
        self._lent.set()
        return True

    def lost(self, claimant: "_Claimant") -> None:
        self._claimants.discard(claimant)
        if claimant is self._holder:
            self._holder = None
            self._returned.set()


class _Claimant(asyncio.Protocol):
    """A connection of a process that would poll."""

    def __init__(self, stand_by: StandBy) -> None:
        self._stand_by = stand_by
        self._transport: asyncio.Transport | None = None

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._stand_by.connected(self)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(_GRANTED if self._stand_by.claim(self) else _REFUSED)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._stand_by.lost(self)


class Claim:
    """In uvicorn's process. `connection` is of `hand_over.connect`, and ours from here on."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        # A child that outlives this process must not keep the right for it.
        os.register_at_fork(after_in_child=connection.close)

    async def ask(self) -> bool:
        """Whether the polls are ours until `close`."""
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(self._connection, _CLAIM)
            return await loop.sock_recv(self._connection, 1) == _GRANTED
        except OSError:  # the extension is gone, and with it, soon, the environment
            return False

    def close(self) -> None:
        self._connection.close()
