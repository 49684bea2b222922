"""An init that failed, or a restore: told in the log and to the platform, in AWS's words.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-initerror and, for restores,
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-restore-error
"""

import socket
import traceback
from typing import ClassVar, Final

from penstock_adapter.codec import dumps
from penstock_adapter.endpoint import Endpoint
from penstock_adapter.output import Output

# A loopback API answers at once or never; `assumed`.
_TIMEOUT_S: Final = 5.0
# 403: another process of this environment has reported its own, as AWS's Python runtime takes it (awslambdaric).
_TAKEN: Final = (202, 403)


class InitError(Exception):
    """Init cannot go on. `error_type` in AWS's words, the text is the message, `stack` holds lines of a traceback."""

    reported_to: ClassVar[str] = "init/error"

    def __init__(self, error_type: str, message: str, stack: list[str] | None = None) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.stack = stack or []


def stack_of(error: BaseException) -> list[str]:
    """The frames of `error` that are not this package's or the import machinery's, as AWS's `stackTrace` holds them."""
    frames = traceback.extract_tb(error.__traceback__)
    own = (__name__.partition(".")[0] + "/", "importlib/", "<frozen importlib")
    return traceback.format_list([frame for frame in frames if not any(part in frame.filename for part in own)])


def report_init_error(error: InitError, api: Endpoint, output: Output) -> None:
    """Logs `error` with its stack and posts it. What goes wrong in posting is logged as well."""
    output.error("".join([f"{error.error_type}: {error}\n", *error.stack]).rstrip("\n"))
    try:
        status = _post(error, api)
    except OSError as failure:
        output.error(f"cannot post to {error.reported_to} of the Runtime API at {api.netloc}: {failure}")
        return
    if status not in _TAKEN:
        output.error(f"the Runtime API answered {error.reported_to} with status {status}")


def _post(error: InitError, api: Endpoint) -> int:
    body = dumps({"errorMessage": str(error), "errorType": error.error_type, "stackTrace": error.stack})
    head = (
        f"POST {api.base}/2018-06-01/runtime/{error.reported_to} HTTP/1.1\r\nhost: {api.netloc}\r\n"
        "connection: close\r\ncontent-type: application/json\r\n"
        f"lambda-runtime-function-error-type: {error.error_type}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((api.host, api.port), timeout=_TIMEOUT_S) as connection:
        connection.sendall(head.encode() + body)
        parts = connection.recv(4096).split(b" ", 2)
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
