"""HTTP answers read strictly from recorded bytes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """`complete` is false for a body that stops short of its framing. `headers` in order, names in lower case."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    complete: bool

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name]
        assert len(values) < 2, f"{name} is repeated"
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


def read_answer(data: bytes, method: str = "GET", *, closed: bool = False) -> tuple[Answer, bytes]:
    """The first answer in `data`, and what follows it. `closed`: the server ended the connection after it."""
    head, separator, rest = data.partition(b"\r\n\r\n")
    assert separator, f"no complete head in {data[:200]!r}"
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status, reason = first.split(" ", 2)
    assert version == "HTTP/1.1"
    fields = [line.partition(": ") for line in lines]
    assert all(name and separator for name, separator, _ in fields), lines
    headers = tuple((name.lower(), value) for name, _, value in fields)
    body, complete, rest = _read_body(int(status), dict(headers), rest, method, closed)
    return Answer(int(status), reason, headers, body, complete), rest


def read_answers(data: bytes, *, closed: bool = False) -> list[Answer]:
    answers = []
    while data:
        answer, data = read_answer(data, closed=closed)
        answers.append(answer)
    return answers


def _read_body(
    status: int, headers: dict[str, str], rest: bytes, method: str, closed: bool
) -> tuple[bytes, bool, bytes]:
    if method == "HEAD" or status in (204, 304):
        return b"", True, rest
    if headers.get("transfer-encoding") == "chunked":
        assert "content-length" not in headers
        return _read_chunks(rest)
    if "content-length" in headers:
        length = int(headers["content-length"])
        return rest[:length], len(rest) >= length, rest[length:]
    return rest, closed, b""


def _read_chunks(rest: bytes) -> tuple[bytes, bool, bytes]:
    body = b""
    while True:
        line, separator, after = rest.partition(b"\r\n")
        if not separator:
            return body, False, b""
        size = int(line, 16)
        if len(after) < size + 2:
            return body + after[:size], False, b""
        assert after[size : size + 2] == b"\r\n"
        if size == 0:
            return body, True, after[2:]
        body, rest = body + after[:size], after[size + 2 :]
