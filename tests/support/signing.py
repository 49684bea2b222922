"""Requests signed as AWS's documentation says it, written apart from what verifies them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

import pytest

from penstock.wire.sigv4 import Key, SignatureError, Verifier

REGION: Final = "us-east-1"
SERVICE: Final = "lambda"
HOST: Final = "abc.lambda-url.us-east-1.localhost:9000"
NOW: Final = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC).timestamp()
KEY: Final = Key(
    access_key_id="AKIDEXAMPLE",
    secret_access_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    account_id="123456789012",
    user="default",
)
TOKEN: Final = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeo=="
TEMPORARY: Final = replace(KEY, access_key_id="ASIAEXAMPLE", session_token=TOKEN, user="temporary")
MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
KEYS: Final = {key.access_key_id: key for key in (KEY, TEMPORARY)}


@dataclass(frozen=True)
class Request:
    """As it goes over the wire; header names in lower case."""

    method: str = "GET"
    target: str = "/"
    headers: tuple[tuple[str, str], ...] = (("host", HOST),)
    body: bytes = b""

    def having(self, *headers: tuple[str, str]) -> "Request":
        """With these headers in place of any of the same name."""
        names = {name for name, _ in headers}
        return replace(self, headers=(*(pair for pair in self.headers if pair[0] not in names), *headers))

    def without(self, name: str) -> "Request":
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0] != name))

    @property
    def authorization(self) -> str:
        return dict(self.headers)["authorization"]

    def edited(self, old: str, new: str) -> "Request":
        """With another Authorization header."""
        assert old in self.authorization
        return self.having(("authorization", self.authorization.replace(old, new)))


POST: Final = Request("POST", "/", (("host", HOST), ("content-type", "application/json")), b'{"a":1}')


def verify(request: Request, *, now: float = NOW, verifier: Verifier | None = None) -> Key:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in request.headers]
    return (verifier or Verifier(KEYS, service=SERVICE, region=REGION)).verify(
        method=request.method.encode(), target=request.target.encode(), headers=headers, body=request.body, now=now
    )


def refusal(request: Request, *, now: float = NOW, verifier: Verifier | None = None) -> SignatureError:
    with pytest.raises(SignatureError) as caught:
        verify(request, now=now, verifier=verifier)
    assert caught.value.status == 403
    assert KEY.secret_access_key not in repr(caught.value) + caught.value.message + caught.value.hint
    return caught.value


def words(request: Request, *, now: float = NOW) -> tuple[str, str]:
    error = refusal(request, now=now)
    return error.error_type, error.message


@dataclass(frozen=True)
class Signer:
    """`canonical_path` is for signers that do not normalise; `payload_hash` for those that sign another body."""

    key: Key = KEY
    time: float = NOW
    region: str = REGION
    service: str = SERVICE
    terminator: str = "aws4_request"
    payload_hash: str | None = None
    canonical_path: str | None = None
    canonical_query: str = ""
    unsigned: frozenset[str] = field(default_factory=frozenset)

    @property
    def timestamp(self) -> str:
        return datetime.fromtimestamp(self.time, UTC).strftime("%Y%m%dT%H%M%SZ")

    @property
    def scope(self) -> str:
        return f"{self.timestamp[:8]}/{self.region}/{self.service}/{self.terminator}"

    def sign(self, request: Request) -> Request:
        """With X-Amz-Date, the session token if there is one, and the Authorization header."""
        request = request.having(("x-amz-date", self.timestamp))
        if self.key.session_token:
            request = request.having(("x-amz-security-token", self.key.session_token))
        names = self._signed(request)
        signature = self._signature(request, request.target.partition("?")[0], self.canonical_query, names)
        return request.having(
            (
                "authorization",
                f"AWS4-HMAC-SHA256 Credential={self.key.access_key_id}/{self.scope}, "
                f"SignedHeaders={';'.join(names)}, Signature={signature}",
            )
        )

    def presign(self, request: Request, extra: Mapping[str, str], *, late_token: bool = False) -> Request:
        """`extra` are parameters beside those of the signature. A `late_token` is added after signing."""
        names = self._signed(request)
        parameters = {
            **extra,
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.key.access_key_id}/{self.scope}",
            "X-Amz-Date": self.timestamp,
            "X-Amz-SignedHeaders": ";".join(names),
        }
        token = {"X-Amz-Security-Token": self.key.session_token} if self.key.session_token else {}
        if not late_token:
            parameters |= token
        query = _query(parameters)
        signature = self._signature(request, request.target, query, names)
        target = f"{request.target}?{query}&X-Amz-Signature={signature}"
        return replace(request, target=f"{target}&{_query(token)}" if late_token else target)

    def _signed(self, request: Request) -> list[str]:
        return sorted({name for name, _ in request.headers} - self.unsigned)

    def _signature(self, request: Request, path: str, query: str, names: list[str]) -> str:
        values = {
            name: ",".join(" ".join(value.split()) for other, value in request.headers if other == name)
            for name in names
        }
        canonical = "\n".join(
            [
                request.method,
                quote(path, safe="/-_.~") if self.canonical_path is None else self.canonical_path,
                query,
                *(f"{name}:{values[name]}" for name in names),
                "",
                ";".join(names),
                self.payload_hash or hashlib.sha256(request.body).hexdigest(),
            ]
        )
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self.timestamp}\n{self.scope}\n{hashed}"
        key = f"AWS4{self.key.secret_access_key}".encode()
        for part in self.scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _query(parameters: Mapping[str, str]) -> str:
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in parameters.items())
    return "&".join(f"{name}={value}" for name, value in pairs)
