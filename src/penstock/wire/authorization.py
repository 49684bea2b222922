"""What a request claims about its signature, in the Authorization header or in the query of a presigned URL."""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from time import gmtime, strftime
from typing import Final
from urllib.parse import unquote_to_bytes

from penstock.wire.canonical_request import query_pairs
from penstock.wire.signature_errors import incomplete, invalid, missing

# "An API request must reach AWS within 5 minutes": https://repost.aws/knowledge-center/lambda-sdk-signature
MAX_SKEW: Final = 300
# Seven days, as S3 documents it; other services accept less or ignore it, Lambda's own bound is unknown (assumed).
# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
MAX_EXPIRES: Final = 604_800

_ALGORITHM: Final = b"X-Amz-Algorithm"
_REQUIRED: Final = (_ALGORITHM, b"X-Amz-Credential", b"X-Amz-Signature", b"X-Amz-SignedHeaders", b"X-Amz-Date")
_EXPIRES: Final = b"X-Amz-Expires"
TOKEN: Final = b"X-Amz-Security-Token"
SIGNATURE: Final = b"X-Amz-Signature"
_OURS: Final = frozenset({*_REQUIRED, _EXPIRES, TOKEN})

_ISO_BASIC: Final = re.compile(rb"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z")
_ISO_FORMAT: Final = "%Y%m%dT%H%M%SZ"


@dataclass(slots=True)
class Claim:
    """`signed` are header names. `time` in epoch seconds, and `timestamp` the same as it is signed.

    `expires` in seconds, of a presigned URL that says so.
    """

    algorithm: bytes
    credential: bytes
    signed: list[bytes]
    signature: bytes
    time: float
    timestamp: str
    expires: int | None
    token: bytes | None
    in_query: bool


def read_claim(query: bytes, values: dict[bytes, bytes]) -> Claim:
    """Raises SignatureError when there is no signature, two, or one that lacks a part."""
    parameters = _query_parameters(query)
    header = values.get(b"authorization")
    if parameters is None:
        if header is None:
            raise missing()
        return _in_header(header, values)
    if header is not None:
        raise invalid("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")
    return _in_query(parameters, values)


def check_time(claim: Claim, now: float) -> None:
    """Raises SignatureError when the signature is not valid yet or any more at `now`, in epoch seconds."""
    lifetime = MAX_SKEW if claim.expires is None else claim.expires
    if claim.time < now - lifetime:
        period = f"{lifetime // 60} min." if lifetime % 60 == 0 else f"{lifetime} sec."  # seconds: assumed
        earliest = f"{_iso(now - lifetime)} ({_iso(now)} - {period})"
        raise invalid(f"Signature expired: {claim.timestamp} is now earlier than {earliest}")
    if claim.time > now + MAX_SKEW:
        latest = f"{_iso(now + MAX_SKEW)} ({_iso(now)} + {MAX_SKEW // 60} min.)"
        raise invalid(f"Signature not yet current: {claim.timestamp} is still later than {latest}")


def _in_header(header: bytes, values: dict[bytes, bytes]) -> Claim:
    algorithm, _, rest = header.partition(b" ")
    parts: dict[bytes, bytes] = {}
    for part in rest.replace(b",", b" ").split():
        name, equals, value = part.partition(b"=")
        if not equals:
            pair = "Invalid key=value pair (missing equal-sign) in Authorization header"
            raise incomplete(f"{pair} (hashed with SHA-256 and encoded with Base64): '{_hashed(header)}'.")
        if name in parts:
            raise incomplete("Authorization header must have each parameter once.")  # text: assumed
        parts[name] = value
    lacking = [
        f"Authorization header requires '{name}' parameter. "
        for name in ("Credential", "Signature", "SignedHeaders")
        if not parts.get(name.encode())
    ]
    date = values.get(b"x-amz-date")
    if date is None and b"date" not in values:
        lacking.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
    if lacking:
        where = f"(Hashed with SHA-256 and encoded with Base64) Authorization={_hashed(header)}"
        raise incomplete("".join(lacking) + where)
    time = _iso_time(date) if date is not None else _date_header(values[b"date"])
    return Claim(
        algorithm=algorithm,
        credential=parts[b"Credential"],
        signed=parts[b"SignedHeaders"].split(b";"),
        signature=parts[b"Signature"],
        time=time,
        timestamp=_iso(time),
        expires=None,
        token=values.get(b"x-amz-security-token"),
        in_query=False,
    )


def _in_query(parameters: dict[bytes, bytes], values: dict[bytes, bytes]) -> Claim:
    lacking = [
        f"AWS query-string parameters must include '{name.decode()}'. "
        for name in _REQUIRED
        if not parameters.get(name)
    ]
    if lacking:
        raise incomplete("".join(lacking) + "Re-examine the query-string parameters.")
    time = _iso_time(parameters[b"X-Amz-Date"])
    return Claim(
        algorithm=parameters[_ALGORITHM],
        credential=parameters[b"X-Amz-Credential"],
        signed=parameters[b"X-Amz-SignedHeaders"].split(b";"),
        signature=parameters[SIGNATURE],
        time=time,
        timestamp=_iso(time),
        expires=_lifetime(parameters.get(_EXPIRES)),
        token=parameters.get(TOKEN, values.get(b"x-amz-security-token")),
        in_query=True,
    )


def _query_parameters(query: bytes) -> dict[bytes, bytes] | None:
    """The parameters that carry a signature, decoded; None in a query that has no `X-Amz-Algorithm`."""
    if _ALGORITHM not in query:
        return None
    pairs = [(name, value) for name, value in query_pairs(query) if name in _OURS]
    parameters = {name: unquote_to_bytes(value) for name, value in pairs}
    if _ALGORITHM not in parameters:
        return None
    if len(parameters) < len(pairs):
        raise incomplete("AWS query-string parameters must each be sent once.")  # text: assumed
    return parameters


def _lifetime(text: bytes | None) -> int | None:
    """The texts are S3's; the type is assumed."""
    if text is None:
        return None
    if not re.fullmatch(rb"\d{1,9}", text):
        raise incomplete("X-Amz-Expires should be a number")
    if int(text) > MAX_EXPIRES:
        raise incomplete(f"X-Amz-Expires must be less than {MAX_EXPIRES} seconds")
    return int(text)


@lru_cache(16)  # requests come many in a second
def _iso_time(text: bytes) -> float:
    match = _ISO_BASIC.fullmatch(text)
    if match:
        year, month, day, hour, minute, second = map(int, match.groups())
        try:
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
        except ValueError:
            pass  # the 31st of February
    raise incomplete(
        f"Date must be in ISO-8601 'basic format'. Got '{text.decode('latin-1')}'. "
        "See http://en.wikipedia.org/wiki/ISO_8601"
    )


def _date_header(text: bytes) -> float:
    """A Date header holds either form: the one of HTTP, or the one of X-Amz-Date."""
    try:
        moment = parsedate_to_datetime(text.decode("latin-1"))
    except (ValueError, OverflowError):
        return _iso_time(text)
    # "-0000" parses to a time without a zone; it is UTC all the same.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _iso(time: float) -> str:
    return strftime(_ISO_FORMAT, gmtime(time))


def _hashed(header: bytes) -> str:
    """AWS does not repeat an Authorization header it cannot read: there may be a password in it."""
    return base64.b64encode(hashlib.sha256(header).digest()).decode()
