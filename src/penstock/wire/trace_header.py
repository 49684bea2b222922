"""The X-Ray trace header of a request, for whichever door it came to. Pure."""

import re
from typing import Final

from penstock.wire.http_messages import Headers

NAME: Final = b"x-amzn-trace-id"
# It is handed on in a header to every worker, which may read less than a client may send (assumed).
MAX_BYTES: Final = 512
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html: a root that
# is there is kept, whatever it looks like.
_ROOT: Final = re.compile(rb"(?:^|;)\s*Root=[^;\s]")


def trace_header(headers: Headers, epoch: float, request_id: str) -> str:
    """The caller's if it names a root, is ASCII and has at most `MAX_BYTES`; else one with a new root.

    The random digits of a new root are those of `request_id`: this is done for every request, refused ones too.
    https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids
    """
    for name, value in headers:
        if name == NAME:
            if len(value) <= MAX_BYTES and value.isascii() and _ROOT.search(value):
                return value.decode("ascii")
            break
    return f"Root=1-{int(epoch):08x}-{request_id[:8]}{request_id[24:]}{request_id[9:13]}"
