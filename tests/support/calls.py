"""Requests to a Function URL over plain HTTP, whose answers can be read as they come."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def environment(self) -> str:
        """The id of the environment whose app answered."""
        return self.headers["x-environment"]

    @property
    def request_id(self) -> str:
        return self.headers["x-amzn-requestid"]


class Call:
    """A request that was sent; its answer is read piece by piece, or whole."""

    def __init__(self, url: str, path: str) -> None:
        place = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=PATIENCE_S)
        self._connection.request("GET", path)
        self._response: http.client.HTTPResponse | None = None

    def fileno(self) -> int:
        """Readable when the answer begins, for `select`. Not once its head was read."""
        return self._connection.sock.fileno()

    @property
    def response(self) -> http.client.HTTPResponse:
        """Waits for the head."""
        if self._response is None:
            self._response = self._connection.getresponse()
        return self._response

    @property
    def environment(self) -> str:
        return str(self.response.getheader("x-environment"))

    def read(self, size: int) -> bytes:
        """At most `size` bytes, as soon as there are any."""
        return self.response.read1(size)

    def rest(self) -> Reply:
        """Everything to the end. Raises IncompleteRead or ConnectionError when the answer was cut."""
        try:
            body = self.response.read()
            headers = {name.lower(): value for name, value in self.response.getheaders()}
            return Reply(self.response.status, headers, body)
        finally:
            self.close()

    def is_cut(self) -> bool:
        """Reads to the end: whether the answer broke off."""
        try:
            self.rest()
        except (http.client.IncompleteRead, ConnectionError):
            return True
        return False

    def close(self) -> None:
        if self._response:
            self._response.close()
        self._connection.close()
