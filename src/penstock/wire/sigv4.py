"""Signature Version 4, verified.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
Checks come in the order AWS's services make them, so that a request wrong in two ways hears of the same one first:
both forms at once, no signature, its parts, time, signed headers, algorithm, scope, key, signature, session token.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from penstock.wire.authorization import SIGNATURE, TOKEN, Claim, check_time, read_claim
from penstock.wire.canonical_request import (
    canonical_request,
    encoded_query,
    header_values,
    normalized_path,
    path_as_sent,
    path_encoded_once,
    query_as_sent,
    query_pairs,
    split_target,
)
from penstock.wire.http_messages import Headers
from penstock.wire.signature_errors import SignatureError, incomplete, invalid, mismatch, unrecognized

__all__ = ["Key", "Payload", "SignatureError", "Verifier"]

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_TERMINATOR: Final = "aws4_request"
# One for each key, day, region and service in use.
_SIGNING_KEYS: Final = 64
_CONTENT_SHA_256: Final = b"x-amz-content-sha256"
_UNSIGNED_PAYLOAD: Final = b"UNSIGNED-PAYLOAD"
_SIGNED_CHUNKS: Final = b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_NOTHING: Final = hashlib.sha256(b"").hexdigest()
_UNSIGNED: Final = frozenset({SIGNATURE})
_UNSIGNED_WITH_TOKEN: Final = frozenset({SIGNATURE, TOKEN})
# "You must include the host header (HTTP/1.1) or the :authority header (HTTP/2), and any x-amz-* headers in the
# signature": the page named above. But AWS takes requests without these:
_MAY_BE_UNSIGNED: Final = frozenset(
    {
        _CONTENT_SHA_256,  # is compared with the body in any case; awscurl and AWS's own test suite leave it out
        b"x-amz-date",  # is in the string to sign
        b"x-amz-security-token",  # is compared with the key's; `post-sts-header-after` of AWS's test suite adds it late
        b"x-amz-cf-id",  # CloudFront adds it on the way
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An access key of an IAM user."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    account_id: str
    user: str
    partition: str = "aws"

    @property
    def user_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account_id}:user/{self.user}"

    @property
    def caller_id(self) -> str:
        """The user's unique id: `AIDA` and 17 more, always the same for the same user.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
        """
        digest = hashlib.sha256(self.user_arn.encode()).digest()
        return "AIDA" + base64.b32encode(digest)[:17].decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A body that was hashed as it came. S3 has rules of its own: its paths are signed as they are sent, a body need
    not be signed, and one in chunks has a signature for each, `signed` with the SHA-256 of its content. Both in hex.
    """

    sha256: str
    s3: bool = False
    signed: Sequence[tuple[str, str]] = ()


class Verifier:
    """Knows the keys, by access key id. Where `service` or `region` is None, any that the signature names will do."""

    def __init__(self, keys: Mapping[str, Key], *, service: str | None, region: str | None) -> None:
        self.keys = keys
        self._service = service
        self._region = region
        self._signing_key = lru_cache(_SIGNING_KEYS)(_derive)

    def verify(self, *, method: bytes, target: bytes, headers: Headers, body: bytes | Payload, now: float) -> Key:
        """The key that signed the request. `target` and `headers` as sent, names in lower case; `now` in epoch seconds.

        Raises SignatureError.
        """
        path, query = split_target(target)
        values = header_values(headers)
        claim = read_claim(query, values)
        check_time(claim, now)
        _check_signed_headers(claim, values)
        if claim.algorithm != _ALGORITHM.encode():
            # SigV4a, AWS4-ECDSA-P256-SHA256, as well: Lambda has no multi-Region endpoint that would need it.
            algorithm = claim.algorithm.decode("latin-1")
            raise incomplete(f"Unsupported AWS 'algorithm': '{algorithm}' (only AWS4-HMAC-SHA256 for now). ")
        access_key_id, scope = self._scope(claim)
        key = self.keys.get(access_key_id)
        if key is None:
            raise unrecognized(f"no key {access_key_id!r} in the key file")
        payload = Payload(sha256=hashlib.sha256(body).hexdigest()) if isinstance(body, bytes) else body
        payload_hash = _s3_payload_hash(payload, values, claim) if payload.s3 else _payload_hash(payload, values)
        signing_key = self._signing_key(key.secret_access_key, *scope)
        for canonical_path, canonical_query in (_s3_candidates if payload.s3 else _candidates)(path, query, claim):
            request = canonical_request(method, canonical_path, canonical_query, claim.signed, values, payload_hash)
            if hmac.compare_digest(_sign(signing_key, claim.timestamp, scope, request), claim.signature):
                _check_token(claim, key)
                _check_chunks(payload, payload_hash, claim, scope, signing_key)
                return key
        raise mismatch()

    def _scope(self, claim: Claim) -> tuple[str, tuple[str, str, str]]:
        """Access key id, and date, region and service of the credential."""
        credential = claim.credential.decode("latin-1")
        parts = credential.split("/")
        if len(parts) != 5:
            raise incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
                f"got '{credential}'"
            )
        access_key_id, date, region, service, terminator = parts
        timestamp = claim.timestamp
        wrong = ""
        if self._region not in (None, region):
            wrong += f"Credential should be scoped to a valid region, not '{region}'. "
        if self._service not in (None, service):
            wrong += f"Credential should be scoped to correct service: '{self._service}'. "
        if terminator != _TERMINATOR:
            wrong += f"Credential should be scoped with a valid terminator: '{_TERMINATOR}', not '{terminator}'. "
        if date != timestamp[:8]:
            wrong += (
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                f"'{date}' != '{timestamp[:8]}', from '{timestamp}'. "
            )
        if wrong:
            raise invalid(wrong)
        return access_key_id, (date, region, service)


def _check_signed_headers(claim: Claim, values: dict[bytes, bytes]) -> None:
    if b"host" not in claim.signed:
        raise invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    for name in values:
        if name.startswith(b"x-amz-") and name not in claim.signed and name not in _MAY_BE_UNSIGNED:
            # The text is the one for Host with another name in it (assumed).
            raise invalid(f"'{name.decode('latin-1')}' must be a 'SignedHeader' in the AWS Authorization.")
    if claim.signed != sorted(set(claim.signed)) or b"".join(claim.signed).lower() != b"".join(claim.signed):
        raise mismatch("SignedHeaders must be in lower case, sorted, each once")
    for name in claim.signed:
        if name not in values:
            raise mismatch(f"signed header {name.decode('latin-1')!r} is not in the request")


def _payload_hash(payload: Payload, values: dict[bytes, bytes]) -> bytes:
    """The hash of what came, which is what must have been signed, in presigned URLs too.

    "Lambda doesn't support unsigned payloads", nor those signed chunk by chunk, which only S3 takes:
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-lambda.html
    and https://repost.aws/questions/QUPuq7VvHJRwWxVA3XJIgNKQ shows the answer to a presigned URL with another body.
    """
    actual = payload.sha256.encode()
    declared = values.get(b"x-amz-content-sha256", actual)
    if declared != actual:
        raise mismatch(
            f"x-amz-content-sha256 is {declared.decode('latin-1')!r}, and the body's SHA-256 {actual.decode()}"
        )
    return actual


def _s3_payload_hash(payload: Payload, values: dict[bytes, bytes], claim: Claim) -> bytes:
    """What was signed for the body: its hash, or a word that says how else it is signed. Who takes the body compares
    the hash with what came. https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    """
    return values.get(_CONTENT_SHA_256, _UNSIGNED_PAYLOAD if claim.in_query else payload.sha256.encode())


def _check_chunks(
    payload: Payload, payload_hash: bytes, claim: Claim, scope: tuple[str, str, str], signing_key: bytes
) -> None:
    """Each chunk's signature covers the one before it, and the first one the request's.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
    """
    if not payload_hash.startswith(_SIGNED_CHUNKS):
        return
    before = claim.signature.decode("latin-1")
    for signature, content in payload.signed:
        text = (
            f"{_ALGORITHM}-PAYLOAD\n{claim.timestamp}\n{'/'.join(scope)}/{_TERMINATOR}\n{before}\n{_NOTHING}\n{content}"
        )
        before = hmac.digest(signing_key, text.encode(), "sha256").hex()
        if not hmac.compare_digest(before, signature):
            raise mismatch("a chunk's signature does not fit its content")
    if not payload.signed:
        raise mismatch("the chunks are not signed")


def _s3_candidates(path: bytes, query: bytes, claim: Claim) -> Iterator[tuple[bytes, bytes]]:
    """As sent, and decoded and encoded again once: "Do not normalize URI paths for requests to Amazon S3", on the page
    named at the top.
    """
    pairs = query_pairs(query, _UNSIGNED if claim.in_query else frozenset())
    first = (path, query_as_sent(pairs))
    yield first
    second = (path_encoded_once(path), encoded_query(pairs))
    if second != first:
        yield second


def _candidates(path: bytes, query: bytes, claim: Claim) -> Iterator[tuple[bytes, bytes]]:
    """Canonical paths and queries that may have been signed; for all but odd targets there is one.

    Signers differ in two ways. The path: botocore and the SDK for JavaScript remove dot segments and empty segments,
    the SDK for Go, curl and awscurl do not. The query: botocore signs it as it is sent, others decode and encode it.
    The two candidates pair these so that one of them is right for every signer while only path or only query is odd,
    and the first one for botocore always.
    """
    pairs = query_pairs(query, _UNSIGNED if claim.in_query else frozenset())
    first = (normalized_path(path), query_as_sent(pairs))
    yield first
    second = (path_as_sent(path), encoded_query(pairs))
    if second != first:
        yield second
    if claim.in_query and claim.token is not None:
        # "For other services, you add this parameter at the end, after you calculate the signature":
        # post-sts-token/readme.txt of AWS's test suite.
        yield first[0], encoded_query(query_pairs(query, _UNSIGNED_WITH_TOKEN))


def _check_token(claim: Claim, key: Key) -> None:
    expected = key.session_token
    if (claim.token is None) != (expected is None):
        raise unrecognized("the key has no session token" if expected is None else "the key needs its session token")
    if expected is not None and not hmac.compare_digest(claim.token or b"", expected.encode()):
        raise unrecognized("the session token is not the key's")


def _derive(secret_access_key: str, date: str, region: str, service: str) -> bytes:
    signing_key = f"AWS4{secret_access_key}".encode()
    for part in (date, region, service, _TERMINATOR):
        signing_key = hmac.digest(signing_key, part.encode(), "sha256")
    return signing_key


def _sign(signing_key: bytes, timestamp: str, scope: tuple[str, str, str], request: bytes) -> bytes:
    text = f"{_ALGORITHM}\n{timestamp}\n{'/'.join(scope)}/{_TERMINATOR}\n{hashlib.sha256(request).hexdigest()}"
    return hmac.digest(signing_key, text.encode(), "sha256").hex().encode()
