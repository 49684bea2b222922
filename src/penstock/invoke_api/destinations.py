"""Where records of asynchronous invocations go on this machine: one file per destination, one JSON line per record."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from penstock.model.limits import MIB
from penstock.telemetry.log_writer import rotated

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
# Room for the ending and for `.1` in the 255 bytes of a file name; names of queues and topics are shorter than this.
_MAX_NAME: Final = 240


class Destinations:
    """Appends to `<folder>/<resource>.jsonl`; the folder is made when it is needed.

    Above `rotate_bytes` the file becomes `<file>.1` in place of an older one, so that at most twice that much is kept.
    Never raises: what cannot be written is lost and told to `on_error` in one line, as Lambda counts it in
    DestinationDeliveryFailures and goes on. Files are opened for each record: records are few, and somebody
    may take a file away to read it.
    """

    def __init__(self, folder: Path, on_error: Callable[[str], None], *, rotate_bytes: int = 64 * MIB) -> None:
        self._folder = folder
        self._on_error = on_error
        self._rotate_bytes = rotate_bytes

    def append(self, name: str, line: bytes) -> None:
        """Write `line` and its end for the destination `name`: an ARN, or a plain name."""
        path = self.path(name)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _append(path, line + b"\n", self._rotate_bytes)
        except OSError as error:
            self._on_error(f"a record for {name} is lost: cannot write {path}: {error.strerror or error}")

    def path(self, name: str) -> Path:
        """`queue.jsonl` of `arn:aws:sqs:us-east-1:123456789012:queue`; of `arn:aws:events:...:event-bus/x`
        `event-bus-x.jsonl`.
        """
        resource = name.split(":", 5)[-1] if name.startswith("arn:") else name
        safe = _UNSAFE.sub("-", resource).lstrip(".-")[:_MAX_NAME]
        return self._folder / f"{safe or 'destination'}.jsonl"


def _append(path: Path, data: bytes, rotate_bytes: int) -> None:
    with suppress(FileNotFoundError):
        if (size := path.stat().st_size) and size + len(data) > rotate_bytes:
            os.replace(path, rotated(path))
    # Payloads may be private: for the user alone.
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            data = b"\n" + data  # a write that failed halfway must not take the next record with it
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
    finally:
        os.close(fd)
