"""Compression of buffered answers (AWS_LWA_ENABLE_COMPRESSION): which responses, and with which coding.

Both are the default rules of tower-http, as LWA has it: https://docs.rs/tower-http/0.6.8/tower_http/compression/
Brotli is offered where the package `brotli` is installed: the function's requirements may bring it, the layer does not.
"""

import os
import re
import sys
import zlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Any, Final, Protocol

from penstock_adapter.http_answer import ResponseHeaders

# A response known to be shorter is left alone.
MIN_BYTES: Final = 32
_NEVER: Final = (b"application/grpc", b"image/", b"text/event-stream")
_BUT_ALWAYS: Final = b"image/svg+xml"
# Level 6 and a gzip header around it: flate2's default, which tower-http takes. Its level for Brotli is 4.
_GZIP_LEVEL: Final = 6
_GZIP_WINDOW: Final = zlib.MAX_WBITS | 16
_BROTLI_QUALITY: Final = 4
# Layers, of which the proxy's own Python knows nothing. https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html
_LAYERS: Final = "/opt/python"

_WEIGHT: Final = re.compile(r"[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


class Coding(StrEnum):
    """A content coding, as `content-encoding` names it."""

    BROTLI = "br"
    GZIP = "gzip"


class Compressor(Protocol):
    """One body on its way. Called from one thread at a time, not always the same."""

    def process(self, data: bytes, /) -> bytes: ...
    def finish(self) -> bytes: ...


_NAMES: Final[Mapping[str, Coding]] = {"br": Coding.BROTLI, "gzip": Coding.GZIP, "x-gzip": Coding.GZIP}


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
        self.process = self._stream.compress
        self.finish = self._stream.flush


def new_compressor(coding: Coding) -> Compressor:
    """For one body. `coding` is one of `offered()`."""
    package = _brotli() if coding is Coding.BROTLI else None
    if package is None:
        return _Gzip()
    compressor: Compressor = package.Compressor(quality=_BROTLI_QUALITY)
    return compressor


def offered() -> tuple[Coding, ...]:
    """What bodies can be compressed with, the preferred one first."""
    return (Coding.BROTLI, Coding.GZIP) if _brotli() is not None else (Coding.GZIP,)


@cache
def _brotli() -> Any:
    """The package, None without it. Looked for once, and imported, which takes a few milliseconds."""
    return find_brotli([os.environ.get("LAMBDA_TASK_ROOT", "/var/task"), _LAYERS])


def find_brotli(folders: Sequence[str]) -> Any:
    """`brotli` from this Python's own path, or from `folders`, where one for another version of Python is no use."""
    added = [folder for folder in folders if folder not in sys.path]
    sys.path += added
    try:
        package = import_module("brotli")
    except ImportError:
        return None
    finally:
        for folder in added:
            sys.path.remove(folder)
    return package if hasattr(package, "Compressor") else None  # it may be a module of the app's


def choose_coding(accept_encoding: Sequence[str], codings: Sequence[Coding]) -> Coding | None:
    """The one of `codings` that a client likes best, and no less than the body as it is; of equals the first.

    Codings that are not known, `*` among them, and weights that are none are passed over.
    """
    identity = 0.0
    liked = dict.fromkeys(codings, 0.0)
    for part in (part for value in accept_encoding for part in value.split(",")):
        coding, semicolon, parameter = part.partition(";")
        weight = _WEIGHT.fullmatch(parameter.strip())
        if semicolon and weight is None:
            continue
        liking = float(weight[1]) if weight else 1.0
        name = coding.strip().lower()
        known = _NAMES.get(name)
        if known in liked:
            liked[known] = max(liked[known], liking)
        elif name == "identity":
            identity = max(identity, liking)
    best = max(codings, key=liked.__getitem__)
    return best if liked[best] > 0 and liked[best] >= identity else None


def is_compressible(headers: ResponseHeaders, *, bodiless: bool) -> bool:
    """Whether a response may be compressed. Names in lower case; one of unknown length may, `bodiless` may not."""
    fields = dict(reversed(headers))  # of a name that comes twice the first counts
    if bodiless or b"content-encoding" in fields or b"content-range" in fields:
        return False
    content_type = fields.get(b"content-type", b"")
    if content_type.startswith(_NEVER) and content_type != _BUT_ALWAYS:
        return False
    length = fields.get(b"content-length", b"")
    return not (length.isdigit() and len(length) < 9 and int(length) < MIN_BYTES)


def varying(headers: ResponseHeaders) -> list[tuple[bytes, bytes]]:
    """The headers of what may be compressed, whether it is or not: caches must know."""
    told = any(name == b"vary" and b"accept-encoding" in value.lower() for name, value in headers)
    return [*headers] if told else [*headers, (b"vary", b"accept-encoding")]


def compressed(headers: ResponseHeaders, coding: Coding) -> list[tuple[bytes, bytes]]:
    """`varying` headers of what is compressed; the content encoding makes the answer's body base64."""
    kept = [pair for pair in varying(headers) if pair[0] not in (b"accept-ranges", b"content-length")]
    return [*kept, (b"content-encoding", coding.encode())]
