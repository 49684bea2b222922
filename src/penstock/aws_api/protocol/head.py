"""A request's head: for which service it is, signed by whom, and which protocol it speaks.

AWS's clients send everything to one endpoint when told of one: what was signed for tells the services apart.
https://smithy.io/2.0/aws/protocols/index.html
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import Final
from urllib.parse import quote, unquote

from penstock.wire.http_messages import Headers
from penstock.wire.http_server import HttpConnection


class Form(Enum):
    """A protocol; S3's REST XML has errors of its own."""

    REST_JSON = auto()
    JSON = auto()
    CBOR = auto()
    QUERY = auto()
    EC2 = auto()
    REST_XML = auto()
    S3 = auto()


# In a scope: `<key>/<date>/<region>/<service>/aws4_request`.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
_SLASH: Final = "(?:/|%2F)"
_SCOPE: Final = re.compile(
    rf"Credential=([^,\s&/%]*){_SLASH}\d*{_SLASH}([a-z0-9-]{{1,64}}){_SLASH}([a-z0-9-]{{1,64}}){_SLASH}aws4_request",
    re.IGNORECASE,
)
# Presigned in the older way, as boto3 does it for S3 unless told otherwise:
# https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
_VERSION_2: Final = re.compile(r"(?:^|&)AWSAccessKeyId=([^&]{1,128})(?:&|$)")
_ACTION: Final = re.compile(rb"(?:^|&)Action=([A-Za-z0-9]{1,128})(?:&|$)")
_API_VERSION: Final = re.compile(rb"(?:^|&)Version=(\d{4}-\d\d-\d\d)(?:&|$)")
_TARGET: Final = re.compile(r"(?:([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)\.)?([A-Za-z0-9]{1,128})")
_CBOR_PATH: Final = re.compile(r"/service/([A-Za-z0-9_.]{1,128})/operation/([A-Za-z0-9]{1,128})")
_PLAIN_PATH: Final = re.compile(r"[!-~]{1,256}")
_LAMBDA_PATH: Final = re.compile(r"/20\d\d-\d\d-\d\d/")
_S3_HOST: Final = re.compile(r"(?:^|\.)s3(?:\.[a-z0-9-]+)?\.localhost$")
_FORM: Final = "application/x-www-form-urlencoded"

# Services that speak one protocol alone, whatever else a request looks like. CloudWatch speaks three.
_FORMS: Final = {
    "lambda": Form.REST_JSON,
    "logs": Form.JSON,
    "sts": Form.QUERY,
    "iam": Form.QUERY,
    "cloudformation": Form.QUERY,
    "ec2": Form.EC2,
    **dict.fromkeys(("s3", "s3express", "s3-object-lambda", "s3-outposts"), Form.S3),
}
_REST_XML: Final = frozenset({"cloudfront", "route53"})

# Of the services offered here; all in their botocore models' metadata: botocore's name where another one is signed for,
# the prefix of X-Amz-Target, and the version that the query protocols' forms name.
_BY_SIGNING_NAME: Final = {"monitoring": "cloudwatch", "cloudcontrolapi": "cloudcontrol"}
_BY_TARGET: Final = {
    "Logs_20140328": "logs",
    "GraniteServiceVersion20100801": "cloudwatch",
    "CloudApiService": "cloudcontrol",
}
_BY_VERSION: Final = {
    "2011-06-15": "sts",
    "2010-05-08": "iam",
    "2016-11-15": "ec2",
    "2010-05-15": "cloudformation",
    "2010-08-01": "cloudwatch",
}


@dataclass(frozen=True)
class Head:
    """`target` and `headers` as sent, names in lower case. `known` is the service, where something else told it."""

    method: str
    target: str
    headers: Headers
    known: str = ""

    def field(self, name: bytes) -> str:
        """The first of that name, or nothing: a client sends one."""
        return next((value.decode("latin-1") for found, value in self.headers if found == name), "")

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @cached_property
    def _scope(self) -> tuple[str, str, str]:
        found = _SCOPE.search(self.field(b"authorization")) or _SCOPE.search(self.query)
        if found:
            return unquote(found[1]), found[2].lower(), found[3].lower()
        older = _VERSION_2.search(self.query)
        return (unquote(older[1]), "", "s3") if older else ("", "", "")

    @property
    def access_key_id(self) -> str:
        return self._scope[0]

    @property
    def linked(self) -> bool:
        """It is a presigned link."""
        return "X-Amz-Algorithm=" in self.query or self.version_2

    @property
    def version_2(self) -> bool:
        """The link is signed in the older way."""
        return bool(self.signed_service) and not self.region

    @property
    def region(self) -> str:
        """Of the signature; empty without one."""
        return self._scope[1]

    @property
    def signed_service(self) -> str:
        """The name signed for; empty without a signature."""
        return self._scope[2]

    @property
    def host(self) -> str:
        """Without the port, in lower case."""
        return re.sub(r":\d*$", "", self.field(b"host")).lower()

    @cached_property
    def service(self) -> str:
        """botocore's name of the service, as far as the head tells; else the name signed for, or nothing."""
        return self.service_with(b"")

    def service_with(self, body: bytes) -> str:
        """The same with what a form in the body says."""
        if self.known:
            return self.known
        if self.signed_service:
            return _BY_SIGNING_NAME.get(self.signed_service, self.signed_service)
        if target := _TARGET.fullmatch(self.field(b"x-amz-target")):
            return _BY_TARGET.get(target[1] or "", "")
        if path := _CBOR_PATH.fullmatch(self.path):
            return _BY_TARGET.get(path[1], "")
        if _S3_HOST.search(self.host):
            return "s3"
        if _LAMBDA_PATH.match(self.path):
            return "lambda"
        version = _API_VERSION.search(body) or _API_VERSION.search(self.query.encode("latin-1"))
        return _BY_VERSION.get(version[1].decode(), "") if version and self.path == "/" else ""

    @cached_property
    def form(self) -> Form:
        service = self.service
        if service in _FORMS:
            return _FORMS[service]
        if self.field(b"smithy-protocol") == "rpc-v2-cbor":
            return Form.CBOR
        if self.field(b"x-amz-target"):
            return Form.JSON
        if service == "cloudwatch":
            return Form.QUERY
        if service in _REST_XML:
            return Form.REST_XML
        # Unsigned, only at the root, where such services are: curl calls any body a form that it is not told of.
        at_root = self.path == "/" or self.signed_service
        if at_root and (_ACTION.search(self.query.encode("latin-1")) or self.field(b"content-type").startswith(_FORM)):
            return Form.QUERY
        return Form.REST_JSON

    def operation(self, body: bytes) -> str:
        """The operation by its name, where the protocol sends one."""
        if self.form is Form.JSON:
            target = _TARGET.fullmatch(self.field(b"x-amz-target"))
            return target[2] if target else ""
        if self.form is Form.CBOR:
            path = _CBOR_PATH.fullmatch(self.path)
            return path[2] if path else ""
        if self.form in (Form.QUERY, Form.EC2):
            action = _ACTION.search(body) or _ACTION.search(self.query.encode("latin-1"))
            return action[1].decode() if action else ""
        return ""

    def wanted(self, body: bytes) -> str:
        """What was asked for, to be shown: the operation, or method and path where the protocol has no names."""
        named = self.form in (Form.JSON, Form.CBOR, Form.QUERY, Form.EC2)
        if named:
            return self.operation(body)
        return f"{self.method} {self.path}" if _PLAIN_PATH.fullmatch(self.path) else ""


def read_head(connection: HttpConnection) -> Head:
    """That of the request which is open on the connection."""
    return Head(connection.method.decode(), connection.target.decode("latin-1"), connection.headers)


def bucket_in_host(host: str) -> str:
    """The bucket of `bucket.localhost`, `bucket.s3.localhost` and `bucket.s3.us-east-1.localhost`, or nothing.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
    """
    if not host.endswith(".localhost"):
        return ""
    found = _S3_HOST.search(host)
    bucket = host[: found.start()] if found else host.removesuffix(".localhost")
    return bucket if bucket and "lambda-url" not in bucket else ""


def s3_path(head: Head) -> str:
    """The path with the bucket in it, wherever that was named."""
    bucket = bucket_in_host(head.host)
    return f"/{quote(bucket)}{head.path}" if bucket else head.path
