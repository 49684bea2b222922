"""A request to the port: which protocol and which service it is for, as far as its head tells.

AWS's clients speak one of a few protocols, and send all of them to one endpoint when told of one.
https://smithy.io/2.0/aws/protocols/index.html
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from penstock.wire.http_messages import Headers

# Signing names whose protocol only the service tells.
_S3: Final = frozenset({"s3", "s3express", "s3-object-lambda", "s3-outposts"})
_REST_XML: Final = frozenset({"cloudfront", "route53"})

_FORM: Final = b"application/x-www-form-urlencoded"
# In a scope: `<key>/<date>/<region>/<service>/aws4_request`.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
_SCOPE: Final = re.compile(rb"Credential=[^,\s&]*(?:/|%2F)([a-z0-9-]{1,64})(?:/|%2F)aws4_request", re.IGNORECASE)
_ACTION: Final = re.compile(rb"(?:^|&)Action=([A-Za-z0-9]{1,128})(?:&|$)")
_TARGET: Final = re.compile(rb"(?:[A-Za-z0-9_]+\.)*([A-Za-z0-9]{1,128})")
_PLAIN_PATH: Final = re.compile(rb"[!-~]{1,256}")


class Protocol(Enum):
    REST_JSON = auto()
    """Lambda's."""
    JSON = auto()
    CBOR = auto()
    QUERY = auto()
    EC2 = auto()
    REST_XML = auto()
    S3 = auto()


@dataclass(frozen=True, slots=True)
class Request:
    """`service` is the one that was signed for; empty when the request is not signed."""

    method: bytes
    target: bytes
    headers: Headers
    service: str
    protocol: Protocol

    def operation(self, body: bytes) -> str:
        """The operation asked for, or method and path where the protocol has no names; empty when it cannot be told."""
        path, _, query = self.target.partition(b"?")
        found: re.Match[bytes] | None = None
        if self.protocol is Protocol.JSON:
            found = _TARGET.fullmatch(_field(self.headers, b"x-amz-target"))
        elif self.protocol in (Protocol.QUERY, Protocol.EC2):
            found = _ACTION.search(body) or _ACTION.search(query)
        elif self.protocol is Protocol.CBOR:
            found = _TARGET.fullmatch(path.rpartition(b"/")[2])
        elif _PLAIN_PATH.fullmatch(path):
            return f"{self.method.decode()} {path.decode()}"
        return found[1].decode() if found else ""


def read_request(method: bytes, target: bytes, headers: Headers) -> Request:
    """`target` and `headers` as sent, names in lower case."""
    service = _signed_service(target, headers)
    return Request(method, target, headers, service, _protocol(target, headers, service))


def _signed_service(target: bytes, headers: Headers) -> str:
    found = _SCOPE.search(_field(headers, b"authorization")) or _SCOPE.search(target.partition(b"?")[2])
    return found[1].decode().lower() if found else ""


def _protocol(target: bytes, headers: Headers, service: str) -> Protocol:
    if service == "lambda":
        return Protocol.REST_JSON
    if _field(headers, b"smithy-protocol") == b"rpc-v2-cbor":
        return Protocol.CBOR
    if _field(headers, b"x-amz-target"):
        return Protocol.JSON
    if service in _S3:
        return Protocol.S3
    if service == "ec2":
        return Protocol.EC2
    if service in _REST_XML:
        return Protocol.REST_XML
    path, _, query = target.partition(b"?")
    # Unsigned, only at the root, where such services are: curl calls any body a form that it is not told of.
    if (path == b"/" or service) and (_ACTION.search(query) or _field(headers, b"content-type").startswith(_FORM)):
        return Protocol.QUERY
    return Protocol.REST_JSON


def _field(headers: Headers, name: bytes) -> bytes:
    """The first of that name, or nothing: a client sends one."""
    return next((value for found, value in headers if found == name), b"")
