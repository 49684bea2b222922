"""What `penstock up --json` says, read in a thread of its own so that its stdout never fills up."""

import json
import threading
from typing import TYPE_CHECKING, Final, TypedDict, cast

if TYPE_CHECKING:
    import subprocess


class Ready(TypedDict):
    """The event that tells that requests are taken."""

    urls: dict[str, str]
    outputs: dict[str, str]
    awsEndpoint: str


class _Failed(TypedDict):
    function: str
    errorType: str
    errorMessage: str
    output: list[str]


_NOT_YET: Final = Ready(urls={}, outputs={}, awsEndpoint="")


class UpEvents:
    """Reads until the process ends."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.ready = _NOT_YET
        self._process = process
        self._failed: _Failed | None = None
        self._settled = threading.Event()
        self._reader = threading.Thread(target=self._read, name="penstock up", daemon=True)
        self._reader.start()

    def wait_until_ready(self, seconds: float) -> str | None:
        """None once it is; else why it is not: an error with the function's own last lines."""
        if not self._settled.wait(seconds):
            return f"not ready within {seconds:g} s"
        if self.ready is not _NOT_YET:
            return None
        failed = self._failed
        if failed is None:
            return f"ended with exit code {self._process.wait()} before it was ready"
        first = f"{failed['function']} cannot start: {failed['errorType']}: {failed['errorMessage']}"
        return "\n".join([first, *(f"  | {line}" for line in failed["output"])])

    def close(self) -> None:
        """Once the process has ended."""
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                self._take(json.loads(line))
        finally:
            self._settled.set()

    def _take(self, event: dict[str, object]) -> None:
        if event["event"] == "ready":
            self.ready = cast("Ready", event)
            self._settled.set()
        elif event["event"] == "failed":
            self._failed = cast("_Failed", event)
            self._settled.set()
