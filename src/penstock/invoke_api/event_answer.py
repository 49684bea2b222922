"""The sink of an asynchronous invocation: nobody reads its answer but a destination."""

from collections.abc import Callable

from penstock.model.errors import InvocationError
from penstock.model.invocation import Source


class EventAnswer:
    """Keeps at most `limit` bytes of the function's answer, 0 for nothing. `on_end(error, payload)` is called once:
    `error` None on success, `payload` None when the answer failed or was larger than `limit`.
    """

    __slots__ = ("_limit", "_on_end", "_parts", "_size")

    def __init__(self, limit: int, on_end: Callable[[InvocationError | None, bytes | None], None]) -> None:
        self._limit = limit
        self._on_end = on_end
        self._parts: list[bytes] = []
        self._size = 0

    def begin(self, content_type: str, *, streaming: bool, source: Source) -> None:
        pass

    def write(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size <= self._limit:
            self._parts.append(chunk)
        else:
            self._parts.clear()

    def finish(self) -> None:
        self._on_end(None, b"".join(self._parts) if self._size <= self._limit else None)

    def fail(self, error: InvocationError) -> None:
        self._parts.clear()
        self._on_end(error, None)
