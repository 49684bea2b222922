"""A sink that records, and fails the test when it is called out of order."""

from penstock.model.errors import InvocationError
from penstock.model.invocation import Source


class RecordingSink:
    def __init__(self) -> None:
        self.content_type: str | None = None
        self.streaming: bool | None = None
        self.source: Source | None = None
        self.chunks: list[bytes] = []
        self.finished = False
        self.error: InvocationError | None = None

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def over(self) -> bool:
        return self.finished or self.error is not None

    @property
    def error_type(self) -> str | None:
        return self.error.error_type if self.error else None

    def begin(self, content_type: str, *, streaming: bool, source: Source) -> None:
        assert not self.over, "begin after the end"
        assert self.source is None, "begin twice"
        self.content_type, self.streaming, self.source = content_type, streaming, source

    def write(self, chunk: bytes) -> None:
        assert not self.over, "write after the end"
        assert self.source is not None, "write before begin"
        self.chunks.append(chunk)

    def finish(self) -> None:
        assert not self.over, "two ends"
        assert self.source is not None, "finish before begin"
        self.finished = True

    def fail(self, error: InvocationError) -> None:
        assert not self.over, "two ends"
        self.error = error
