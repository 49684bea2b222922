"""Proxy mode: each invocation is one HTTP request to the app on its port, its response posted back as it comes."""

import asyncio

from penstock_adapter.app_connection import BODILESS, AppConnection, AppPool, encode_request
from penstock_adapter.compressed_body import CompressedBody
from penstock_adapter.compression import Coding, choose_coding, compressed, is_compressible, offered, varying
from penstock_adapter.forbidden import forbid
from penstock_adapter.http_answer import (
    ERROR_STATUS,
    MAX_BUFFERED_BYTES,
    TOO_LARGE,
    buffered_answer,
    error_status_message,
    prelude,
    too_large_message,
)
from penstock_adapter.http_event import EventError, EventKind, read_event
from penstock_adapter.invocation import Invocation, env_config
from penstock_adapter.options import InvokeMode, Options
from penstock_adapter.runtime_slot import RuntimeSlot

# `Runtime.` and `Function.` names survive the service's check of error types; others become Runtime.Unknown.
BAD_EVENT = "Runtime.UnmarshalError"
APP_UNREACHABLE = "Runtime.AppUnreachable"
APP_FAILED = "Runtime.AppDisconnected"
STREAM_FAILED = "Runtime.StreamError"


class Proxy:
    """What all exchanges share: options, the pool, and whether the app is up."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.pool = AppPool(options.app, options.pool_idle_s)
        self.config = env_config(options.facts)
        self.streaming = options.invoke_mode is InvokeMode.RESPONSE_STREAM
        self.codings = offered() if options.compression else ()
        self._ready = False
        self._waiting: list[tuple[ProxyExchange, Invocation]] = []

    def new_handler(self, slot: RuntimeSlot) -> "ProxyExchange":
        return ProxyExchange(self, slot)

    def app_is_ready(self) -> None:
        """Lets invocations through that came before the app was up (AWS_LWA_ASYNC_INIT)."""
        self._ready = True
        waiting, self._waiting = self._waiting, []
        for exchange, invocation in waiting:
            exchange.invoke(invocation)

    def must_wait(self, exchange: "ProxyExchange", invocation: Invocation) -> bool:
        if not self._ready:
            self._waiting.append((exchange, invocation))
        return not self._ready

    def forget(self, exchange: "ProxyExchange") -> None:
        self._waiting = [pair for pair in self._waiting if pair[0] is not exchange]


class ProxyExchange:
    """Joins one slot to whichever connection carries its request. Lives as long as the slot."""

    def __init__(self, proxy: Proxy, slot: RuntimeSlot) -> None:
        self._proxy = proxy
        self._slot = slot
        self._connection: AppConnection | None = None
        self._awaiting = False
        self._compressing: CompressedBody | None = None
        self._reset()

    def _reset(self) -> None:
        self._drop_compressing()
        self._request = b""
        self._head = False
        self._coding: Coding | None = None
        self._resent = False
        self._kind = EventKind.PASS_THROUGH
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._streaming = False
        self._body: list[bytes] = []
        self._body_bytes = 0

    # From the slot.

    def invoke(self, invocation: Invocation) -> None:
        proxy = self._proxy
        if proxy.must_wait(self, invocation):
            return
        self._reset()
        try:
            request = read_event(invocation, proxy.options.rules, proxy.config)
        except EventError as error:
            self._slot.post_error(BAD_EVENT, str(error))
            return
        if proxy.options.hooks.covers(request.target):
            forbid(self._slot, request, streaming=proxy.streaming)
            return
        self._kind = request.kind
        self._head = request.method == "HEAD"
        if proxy.codings:
            self._coding = choose_coding(request.headers.get("accept-encoding", ()), proxy.codings)
        self._request = encode_request(request, proxy.options.app.netloc)
        connection = proxy.pool.take(asyncio.get_running_loop().time())
        if connection is None:
            self._connect()
        else:
            self._send_on(connection)

    def pause(self) -> None:
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        if self._connection is not None and not (self._compressing is not None and self._compressing.busy):
            self._connection.resume()

    def abandon(self) -> None:
        """The app sees a disconnect at its next read or write."""
        self._awaiting = False
        self._drop_compressing()
        self._proxy.forget(self)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    # From the app's connection.

    def connected(self, connection: AppConnection) -> None:
        if self._awaiting:
            self._send_on(connection)
        else:  # abandoned meanwhile; the next request can have it
            self._proxy.pool.give(connection)

    def connect_failed(self, error: OSError) -> None:
        if self._awaiting:
            self._awaiting = False
            self._slot.post_error(APP_UNREACHABLE, self._told(f"cannot connect to the app: {error}"))

    def response_started(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._status = status
        self._headers = headers
        if self._proxy.options.compression and status not in self._proxy.options.error_statuses:
            self._begin_compression(headers)
        self._streaming = self._proxy.streaming and status not in self._proxy.options.error_statuses
        if self._streaming:
            self._slot.begin_stream(prelude(status, headers))

    def body_received(self, data: bytes) -> None:
        if self._streaming:
            self._slot.send_chunk(data)
        elif self._compressing is not None:
            self._compressing.add(data)
        else:
            self._body_bytes += len(data)
            if self._body_bytes <= MAX_BUFFERED_BYTES:
                self._body.append(data)

    def response_ended(self) -> None:
        self._connection = None
        if self._streaming:
            self._slot.end_stream()
            self._reset()
        elif self._compressing is not None:
            self._compressing.end()
        elif self._status in self._proxy.options.error_statuses:
            self._slot.post_error(ERROR_STATUS, error_status_message(self._status, b"".join(self._body)))
            self._reset()
        else:
            self._answer(b"".join(self._body), self._body_bytes)

    def response_failed(self, reason: str, *, stale: bool) -> None:
        self._connection = None
        if self._streaming:
            self._slot.fail_stream(STREAM_FAILED, self._told(reason))
        elif stale and not self._resent:
            self._resent = True
            self._connect()
            return
        elif self._status in self._proxy.options.error_statuses:
            self._slot.post_error(ERROR_STATUS, error_status_message(self._status, b""))
        else:
            self._slot.post_error(APP_FAILED, self._told(reason))
        self._reset()

    def flush(self) -> None:
        if self._compressing is not None and self._connection is not None and self._compressing.work():
            self._connection.pause()
        self._slot.flush()

    # A buffered answer.

    def _begin_compression(self, headers: list[tuple[bytes, bytes]]) -> None:
        if not is_compressible(headers, bodiless=self._head or self._status in BODILESS):
            return
        if self._coding is not None:
            self._headers = compressed(headers, self._coding)
            self._compressing = CompressedBody(self._coding, MAX_BUFFERED_BYTES, self._go_on, self._compressed)
        else:
            self._headers = varying(headers)

    def _go_on(self) -> None:
        if not self._slot.paused:
            self.resume()

    def _compressed(self, body: bytes) -> None:
        self._answer(body, self._compressing.size if self._compressing is not None else 0)

    def _answer(self, body: bytes, length: int) -> None:
        if length > MAX_BUFFERED_BYTES:
            self._slot.post_error(TOO_LARGE, too_large_message(length))
        else:
            self._slot.post_response(buffered_answer(self._kind, self._status, self._headers, body))
        self._reset()

    def _drop_compressing(self) -> None:
        compressing, self._compressing = self._compressing, None
        if compressing is not None:
            compressing.drop()

    def _connect(self) -> None:
        self._awaiting = True
        self._proxy.pool.connect(self)

    def _send_on(self, connection: AppConnection) -> None:
        self._awaiting = False
        self._connection = connection
        if self._slot.paused:
            connection.pause()
        connection.send(self, self._request, head=self._head)

    def _told(self, reason: str) -> str:
        return f"{reason} (app at {self._proxy.options.app.netloc})"
