"""One invocation handed to an app on a slot that only writes down: no socket, no Runtime API.

call = start(app, url_event())
await call.released.wait()
assert call.told == [("begin", ...), ("chunk", b"ok"), ("end", None), ("flush", None), ("release", None)]
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import orjson

from penstock_adapter.asgi_exchange import AsgiExchange, AsgiMode
from penstock_adapter.invocation import Invocation, read_invocation
from penstock_adapter.options import read_options
from penstock_adapter.output import Output

if TYPE_CHECKING:
    from penstock_adapter.asgi_types import App
    from penstock_adapter.runtime_slot import RuntimeSlot

STREAMED = {"AWS_LWA_INVOKE_MODE": "response_stream"}


class WrittenSlot:
    """What a handler uses of a `RuntimeSlot`, written down."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.released = asyncio.Event()
        self.answered = asyncio.Event()  # in one piece
        self.paused = False
        self.pause_at_flush: AsgiExchange | None = None

    def hold(self) -> None:
        self.told.append(("hold", None))

    def release(self) -> None:
        self.told.append(("release", None))
        self.released.set()

    def post_response(self, body: bytes) -> None:
        self.told.append(("response", orjson.loads(body)))
        self.answered.set()

    def post_error(self, error_type: str, message: str) -> None:
        self.told.append(("error", (error_type, message)))

    def warn(self, message: str) -> None:
        self.told.append(("warn", message))

    def begin_stream(self, prelude: bytes) -> None:
        self.told.append(("begin", orjson.loads(prelude)))

    def send_chunk(self, data: bytes) -> None:
        self.told.append(("chunk", data))

    def end_stream(self) -> None:
        self.told.append(("end", None))

    def fail_stream(self, error_type: str, message: str) -> None:
        self.told.append(("fail", (error_type, message)))

    def flush(self) -> None:
        """Nothing where nothing waits, as a slot has it."""
        if self.told and self.told[-1][0] not in ("flush", "hold", "release"):
            self.told.append(("flush", None))
            if self.pause_at_flush is not None:  # as a transport does when its buffer is full
                self.pause_at_flush.pause()


def invocation(event: bytes, request_id: str = "request-1", **headers: str) -> Invocation:
    """`headers` name Lambda-Runtime headers with underscores."""
    fields = {b"lambda-runtime-aws-request-id": request_id.encode()}
    for name, value in headers.items():
        fields[f"lambda-runtime-{name.replace('_', '-')}".encode()] = value.encode()
    found = read_invocation(fields, event)
    assert found is not None
    return found


class Desk:
    """A mode and its slots; `lines` is the log, `exits` what the app ended the process with."""

    def __init__(
        self, app: object, variables: Mapping[str, str] = STREAMED, state: dict[str, object] | None = None
    ) -> None:
        self.lines: list[str] = []
        self.exits: list[int] = []
        options = read_options({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", **variables})
        output = Output(write=self.lines.append)
        self.mode = AsgiMode(cast("App", app), options, output, state, self.exits.append)

    def slot(self) -> tuple[WrittenSlot, AsgiExchange]:
        slot = WrittenSlot()
        return slot, self.mode.new_handler(cast("RuntimeSlot", slot))

    async def told(self, event: bytes) -> list[tuple[str, object]]:
        """What one whole invocation made the app's call do, flushes and the holding of the slot left out."""
        slot, exchange = self.slot()
        exchange.invoke(invocation(event))
        if ("hold", None) in slot.told:
            async with asyncio.timeout(20):
                await slot.released.wait()
        return [entry for entry in slot.told if entry[0] not in ("flush", "hold", "release")]
