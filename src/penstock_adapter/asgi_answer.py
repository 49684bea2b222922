"""A buffered answer while the app sends it: gathered, compressed where that is wanted, posted at its end."""

from collections.abc import Callable
from typing import Final

from penstock_adapter.compressed_body import CompressedBody
from penstock_adapter.compression import choose_coding, compressed, is_compressible, offered, varying
from penstock_adapter.http_answer import (
    ERROR_STATUS,
    MAX_BUFFERED_BYTES,
    TOO_LARGE,
    ResponseHeaders,
    buffered_answer,
    error_status_message,
    too_large_message,
)
from penstock_adapter.http_event import HttpRequest
from penstock_adapter.options import Options
from penstock_adapter.runtime_slot import RuntimeSlot

BODILESS: Final = frozenset((204, 304))


class BufferedAnswer:
    """`pause` and `resume` hold the app up while a thread compresses. The slot's output waits for a flush."""

    def __init__(
        self,
        slot: RuntimeSlot,
        options: Options,
        request: HttpRequest,
        status: int,
        headers: ResponseHeaders,
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        self._slot = slot
        self._kind = request.kind
        self._status = status
        self._headers = headers
        self._is_error = status in options.error_statuses
        self._pause = pause
        self._resume = resume
        self._pieces: list[bytes] = []
        self._size = 0
        self._compressing: CompressedBody | None = None
        if options.compression and not self._is_error:
            self._begin_compression(request)

    def _begin_compression(self, request: HttpRequest) -> None:
        bodiless = request.method == "HEAD" or self._status in BODILESS
        if not is_compressible(self._headers, bodiless=bodiless):
            return
        coding = choose_coding(request.headers.get("accept-encoding", ()), offered())
        if coding is not None:
            self._headers = compressed(self._headers, coding)
            self._compressing = CompressedBody(coding, MAX_BUFFERED_BYTES, self._resume, self._compressed)
        else:
            self._headers = varying(self._headers)

    def add(self, data: bytes) -> bool:
        """Another piece of the body. False when it has become too much: the invocation has failed then."""
        if self._compressing is not None:
            self._compressing.add(data)
            if self._compressing.work():
                self._pause()
            self._size = self._compressing.size
        else:
            self._size += len(data)
            self._pieces.append(data)
        if self._size <= MAX_BUFFERED_BYTES:
            return True
        self.drop()
        self._pieces.clear()
        self._too_large()
        return False

    def end(self) -> None:
        """Posts the whole, now or when it is compressed."""
        if self._compressing is not None:
            self._compressing.end()
        elif self._is_error:
            self._slot.post_error(ERROR_STATUS, error_status_message(self._status, b"".join(self._pieces)))
        else:
            self._post(b"".join(self._pieces))

    def drop(self) -> None:
        """Nobody wants it any more: nothing is posted from here on by a thread."""
        if self._compressing is not None:
            self._compressing.drop()

    def _compressed(self, body: bytes) -> None:
        if self._compressing is not None and self._compressing.size > MAX_BUFFERED_BYTES:
            self._size = self._compressing.size
            self._too_large()
        else:
            self._post(body)
        self._slot.flush()  # the app may have been done long ago

    def _post(self, body: bytes) -> None:
        self._slot.post_response(buffered_answer(self._kind, self._status, self._headers, body))

    def _too_large(self) -> None:
        self._slot.post_error(TOO_LARGE, too_large_message(self._size))
