"""What one answer tells about its request: whether it holds the token it should, and none that it should not. Pure."""

import hashlib
import zlib
from dataclasses import dataclass
from typing import Final

from penstock.check.connection import Reply
from penstock.check.tokens import Tokens

# As the platform refuses a request for which there is no slot: a function cannot set this header.
_THROTTLED: Final = (b"x-amzn-errortype", b"TooManyRequestsException")
_MARK: Final = b"{token}"


@dataclass(frozen=True, slots=True)
class Answer:
    """`target` is the index of what was asked. `seconds` is from the request to the last byte. `status` is 0 where no
    whole answer came, and `error` says why then. `foreign` are the requests whose tokens it holds though it is not
    theirs. `digest` is the same for answers that differ in nothing but their own token.
    """

    target: int
    seconds: float
    status: int
    error: str = ""
    echoed: bool = False
    foreign: frozenset[int] = frozenset()
    digest: bytes = b""
    size: int = 0

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 400


def is_throttled(reply: Reply) -> bool:
    """Whether the platform itself had no slot for the request."""
    return reply.status == 429 and _THROTTLED in reply.headers


def read_answer(reply: Reply, target: int, number: int, seconds: float, tokens: Tokens) -> Answer:
    """What `reply` to request `number` tells."""
    body = _decoded(reply)
    head = b"\n".join(value for _, value in reply.headers)
    found = tokens.find(head) | tokens.find(body)
    own = tokens.make(number).encode()
    plain = body.replace(own, _MARK) if number in found else body
    return Answer(
        target,
        seconds,
        reply.status,
        echoed=number in found,
        foreign=found - {number},
        digest=hashlib.blake2b(plain, digest_size=8).digest(),
        size=reply.size,
    )


def _decoded(reply: Reply) -> bytes:
    """Some apps compress whatever the client says it takes."""
    encoding = dict(reply.headers).get(b"content-encoding", b"").strip().lower()
    if encoding not in (b"gzip", b"x-gzip", b"deflate"):
        return reply.body
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(reply.body)
    except zlib.error:
        return reply.body
