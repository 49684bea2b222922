"""The bytes a slot writes to the Runtime API. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html and, for streams and their trailers,
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
"""

from binascii import b2a_base64

from penstock_adapter.codec import dumps
from penstock_adapter.endpoint import Endpoint
from penstock_adapter.invocation import Invocation

_STREAM_HEADERS = (
    "lambda-runtime-function-response-mode: streaming\r\n"
    "content-type: application/vnd.awslambda.http-integration-response\r\n"
    "transfer-encoding: chunked\r\n"
    "trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"
)
_EIGHT_NULS = b"8\r\n\0\0\0\0\0\0\0\0\r\n"
# What our own platform needs of the above: it takes trailers that were not announced.
_SHORT_STREAM_HEADERS = b"""lambda-runtime-function-response-mode: streaming\r
content-type: application/vnd.awslambda.http-integration-response\r
transfer-encoding: chunked\r
\r
"""
LAST_CHUNK = b"0\r\n\r\n"


# What our own platform answers to an answer. Any other is for the parser.
ACCEPTED = b'HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{"status":"OK"}\n'
_OK = b"HTTP/1.1 200 OK\r\n"


def read_whole_event(data: bytes) -> tuple[dict[bytes, bytes], bytes] | None:
    """Headers (names in lower case) and body of an answer to `/next` that came in one read and in the plainest form.

    None for any other, which is for the parser: this is for the many.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0 or not data.startswith(_OK):
        return None
    headers: dict[bytes, bytes] = {}
    for line in data[len(_OK) : end].split(b"\r\n"):
        name, _, value = line.partition(b": ")
        headers[name.lower()] = value
    length = headers.get(b"content-length", b"")
    if not length.isdigit() or int(length) != len(data) - end - 4 or b"connection" in headers:
        return None
    return headers, data[end + 4 :]


def read_brief_event(data: bytes) -> Invocation | None:
    """An event in the brief form of our own platform, on a link: a NUL, then request id, attempt id, deadline, ARN and
    trace id, each with a NUL behind it, then the event. What it leaves out is empty. None for anything else.
    """
    parts = data.split(b"\0", 6)
    if len(parts) != 7 or parts[0]:
        return None
    _, request_id, attempt_id, deadline, arn, trace_id, event = parts
    return Invocation(
        request_id.decode(), int(deadline), arn.decode(), trace_id.decode(), "", "", "", attempt_id.decode(), event
    )


def brief_answer(invocation: Invocation, prelude: bytes, body: bytes) -> bytes:
    """A whole streamed answer and the next poll, in the brief form: a NUL, request id and attempt id, each with a NUL
    behind it, then what the body of `/response` would be.
    """
    ids = f"\0{invocation.request_id}\0{invocation.invocation_id}\0".encode()
    return b"%b%b\0\0\0\0\0\0\0\0%b" % (ids, prelude, body)


def next_request(api: Endpoint) -> bytes:
    """The poll. It never changes, so it is built once."""
    return (
        f"GET {api.base}/2018-06-01/runtime/invocation/next HTTP/1.1\r\n"
        f"host: {api.netloc}\r\nuser-agent: penstock-adapter\r\n\r\n"
    ).encode()


def next_ahead_request(api: Endpoint, *, brief: bool = False) -> bytes:
    """The poll that leaves together with the end of an answer. The header, which is Penstock's own, says that the
    status of that answer may come together with the event, and with `brief` that both may come in the brief form.
    """
    return next_request(api)[:-2] + (b"penstock-ahead: brief\r\n\r\n" if brief else b"penstock-ahead: 1\r\n\r\n")


def response_request(api: Endpoint, invocation: Invocation, body: bytes) -> bytes:
    """A whole buffered answer. `body` is JSON."""
    head = _post_head(api, invocation, "response")
    return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def error_request(api: Endpoint, invocation: Invocation, error_type: str, message: str) -> bytes:
    """The report of a failed invocation."""
    body = _error_body(error_type, message)
    head = _post_head(api, invocation, "error")
    return (
        f"{head}lambda-runtime-function-error-type: {error_type}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


def stream_head(api: Endpoint, invocation: Invocation, prelude: bytes) -> bytes:
    """Everything before the first byte of a streamed body: head, one chunk of prelude, one of eight NULs."""
    head = f"{_post_head(api, invocation, 'response')}{_STREAM_HEADERS}".encode()
    return b"%b%x\r\n%b\r\n%b" % (head, len(prelude), prelude, _EIGHT_NULS)


def short_stream_head(api: Endpoint, invocation: Invocation, prelude: bytes, first: bytes) -> bytes:
    """The same for our own platform, in fewer headers and one chunk, together with the `first` bytes of the body."""
    head = _post_head(api, invocation, "response").encode()
    size = len(prelude) + 8 + len(first)
    return b"%b%b%x\r\n%b\0\0\0\0\0\0\0\0%b\r\n" % (head, _SHORT_STREAM_HEADERS, size, prelude, first)


def chunk(data: bytes) -> bytes:
    """One chunk; `data` must not be empty, which would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def failed_end(error_type: str, message: str) -> bytes:
    """The end of a stream that failed: what was sent stands, and real trailers say why there is no more."""
    body = b2a_base64(_error_body(error_type, message), newline=False).decode()
    return (
        f"0\r\nLambda-Runtime-Function-Error-Type: {error_type}\r\nLambda-Runtime-Function-Error-Body: {body}\r\n\r\n"
    ).encode()


def _post_head(api: Endpoint, invocation: Invocation, what: str) -> str:
    echo = f"lambda-runtime-invocation-id: {invocation.invocation_id}\r\n" if invocation.invocation_id else ""
    path = f"{api.base}/2018-06-01/runtime/invocation/{invocation.request_id}/{what}"
    return f"POST {path} HTTP/1.1\r\nhost: {api.netloc}\r\n{echo}"


def _error_body(error_type: str, message: str) -> bytes:
    return dumps({"errorMessage": message, "errorType": error_type})
