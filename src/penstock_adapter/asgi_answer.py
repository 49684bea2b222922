"""A buffered answer while the app sends it: gathered, compressed where that is wanted, posted at its end."""

from collections.abc import Callable
from typing import Final

from penstock_adapter.compression import GzipBody, accepts_gzip, compressed, is_compressible, varying
from penstock_adapter.http_answer import ResponseHeaders, buffered_answer, error_status_message
from penstock_adapter.http_event import HttpRequest
from penstock_adapter.options import Options
from penstock_adapter.runtime_slot import RuntimeSlot

# 6 MB and the service's slack: a longer body cannot become an answer, so no more of it is kept.
# https://github.com/aws/aws-lambda-runtime-interface-emulator (max payload size)
MAX_BUFFERED_BYTES: Final = 6 * 1024 * 1024 + 100

BODILESS: Final = frozenset((204, 304))
ERROR_STATUS: Final = "Function.ErrorStatusCode"
TOO_LARGE: Final = "Function.ResponseSizeTooLarge"


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
        self._gzip: GzipBody | None = None
        if options.compression and not self._is_error:
            self._begin_compression(request)

    def _begin_compression(self, request: HttpRequest) -> None:
        bodiless = request.method == "HEAD" or self._status in BODILESS
        if not is_compressible(self._headers, bodiless=bodiless):
            return
        if accepts_gzip(request.headers.get("accept-encoding", ())):
            self._headers = compressed(self._headers)
            self._gzip = GzipBody(MAX_BUFFERED_BYTES, self._resume, self._compressed)
        else:
            self._headers = varying(self._headers)

    def add(self, data: bytes) -> bool:
        """Another piece of the body. False when it has become too much: the invocation has failed then."""
        if self._gzip is not None:
            self._gzip.add(data)
            if self._gzip.work():
                self._pause()
            self._size = self._gzip.size
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
        if self._gzip is not None:
            self._gzip.end()
        elif self._is_error:
            self._slot.post_error(ERROR_STATUS, error_status_message(self._status, b"".join(self._pieces)))
        else:
            self._post(b"".join(self._pieces))

    def drop(self) -> None:
        """Nobody wants it any more: nothing is posted from here on by a thread."""
        if self._gzip is not None:
            self._gzip.drop()

    def _compressed(self, body: bytes) -> None:
        if self._gzip is not None and self._gzip.size > MAX_BUFFERED_BYTES:
            self._size = self._gzip.size
            self._too_large()
        else:
            self._post(body)
        self._slot.flush()  # the app may have been done long ago

    def _post(self, body: bytes) -> None:
        self._slot.post_response(buffered_answer(self._kind, self._status, self._headers, body))

    def _too_large(self) -> None:
        # The words of the service: aws-lambda-runtime-interface-emulator, lambda-managed-instances.
        self._slot.post_error(
            TOO_LARGE,
            f"Response payload size ({self._size} bytes) exceeded maximum allowed payload size "
            f"({MAX_BUFFERED_BYTES} bytes).",
        )
