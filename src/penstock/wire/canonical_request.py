"""The canonical request of Signature Version 4: the same bytes for the one who signs and the one who verifies.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html#create-canonical-request
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from penstock.wire.http_messages import Headers

# What AWS's UriEncode leaves alone, beside letters, digits, "-", "." and "_".
_UNRESERVED: Final = "~"


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Path and query of a request target, as sent. The absolute form loses its scheme and host."""
    if not target.startswith(b"/") and b"://" in target:
        rest = target.partition(b"://")[2]
        start = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
        target = rest[start:]
    path, _, query = target.partition(b"?")
    return path or b"/", query


def header_values(headers: Headers) -> dict[bytes, bytes]:
    """Each header once: values trimmed, inner white space folded, repetitions joined with commas in order."""
    values: dict[bytes, bytes] = {}
    for name, value in headers:
        if b"  " in value or value[:1].isspace() or value[-1:].isspace() or b"\t" in value:
            value = b" ".join(value.split())
        values[name] = b"%b,%b" % (values[name], value) if name in values else value
    return values


def path_as_sent(path: bytes) -> bytes:
    """The path with each segment encoded once more: every service but S3 signs what is sent, encoded again."""
    return quote_from_bytes(path, safe="/" + _UNRESERVED).encode()


def path_encoded_once(path: bytes) -> bytes:
    """Decoded, and encoded as AWS does it: what S3 signs."""
    return quote_from_bytes(unquote_to_bytes(path), safe="/" + _UNRESERVED).encode()


def normalized_path(path: bytes) -> bytes:
    """The same without empty segments, `.` and `..`.

    RFC 3986 section 5.2.4, and empty segments go as well: `normalize_url_path` in
    https://github.com/boto/botocore/blob/develop/botocore/utils.py says that AWS's services require it.
    """
    if b"//" in path or b"/." in path:
        segments: list[bytes] = []
        for segment in path.split(b"/"):
            if segment == b"..":
                del segments[-1:]
            elif segment not in (b"", b"."):
                segments.append(segment)
        end = b"/" if segments and path.endswith(b"/") else b""
        path = b"/" + b"/".join(segments) + end
    return path_as_sent(path)


def query_pairs(query: bytes, without: frozenset[bytes] = frozenset()) -> list[tuple[bytes, bytes]]:
    """Names and values as sent, less the names in `without`. A name without `=` has the empty value."""
    if not query:
        return []
    pairs = [pair.partition(b"=") for pair in query.split(b"&")]
    return [(name, value) for name, _, value in pairs if name not in without]


def query_as_sent(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Sorted by name, then value; nothing is encoded."""
    return b"&".join([b"%b=%b" % pair for pair in sorted(pairs)])


def encoded_query(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Decoded and encoded again as AWS does it, then sorted.

    `+` is a space, as in `post-vanilla-query-nonunreserved` of AWS's Signature Version 4 test suite of 2011 and in the
    query parsers of most languages; later suites leave the case out.
    """
    return query_as_sent([(_encode(name), _encode(value)) for name, value in pairs if name or value])


def _encode(text: bytes) -> bytes:
    return quote_from_bytes(unquote_to_bytes(text.replace(b"+", b" ")), safe=_UNRESERVED).encode()


def canonical_request(
    method: bytes, path: bytes, query: bytes, signed: Sequence[bytes], values: dict[bytes, bytes], payload_hash: bytes
) -> bytes:
    """`path` and `query` in canonical form; `signed` in order, and every one of them in `values`."""
    lines = [b"%b:%b" % (name, values[name]) for name in signed]
    return b"\n".join((method, path, query, *lines, b"", b";".join(signed), payload_hash))
