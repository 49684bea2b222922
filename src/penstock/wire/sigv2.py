"""S3's presigned links with the older signature, verified: what boto3 makes unless it is told otherwise.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html#RESTAuthenticationQueryStringAuth
"""

import base64
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from penstock.wire.http_messages import Headers
from penstock.wire.signature_errors import SignatureError, mismatch, missing, unrecognized
from penstock.wire.sigv4 import Key

# Parameters that are part of what is signed: the page named above, and `QSAOfInterest` in
# https://github.com/boto/botocore/blob/develop/botocore/auth.py, which has later ones.
_NAMES: Final = (
    "accelerate acl analytics cors defaultObjectAcl delete inventory lifecycle location logging metrics notification "
    "object-lock partNumber policy replication requestPayment response-cache-control response-content-disposition "
    "response-content-encoding response-content-language response-content-type response-expires restore select "
    "select-type storageClass tagging torrent uploadId uploads versionId versioning versions website"
)
_SIGNED: Final = frozenset(_NAMES.split())
_TOKEN: Final = "x-amz-security-token"


def verify_link(keys: Mapping[str, Key], *, method: bytes, path: str, query: str, headers: Headers, now: float) -> Key:
    """The key that signed the link. `path` as sent, with the bucket in it; names of `headers` in lower case; `now` in
    epoch seconds. Raises SignatureError.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    values = dict(pairs)
    access_key_id, signature, expires = (values.get(name, "") for name in ("AWSAccessKeyId", "Signature", "Expires"))
    if not (access_key_id and signature and expires.isdecimal() and len(expires) < 16):
        raise missing()
    if int(expires) < now:
        raise SignatureError("AccessDenied", "Request has expired")
    key = keys.get(access_key_id)
    if key is None:
        raise unrecognized(f"no key {access_key_id!r} in the key file")
    # A header that is signed may be sent in the query in its place.
    lowered = {name.lower(): value for name, value in values.items()}
    sent = lowered | {name.decode("latin-1"): value.decode("latin-1").strip() for name, value in headers}
    if sent.get(_TOKEN) != key.session_token:
        raise unrecognized("the session token is not the key's")
    amazon = "".join(f"{name}:{sent[name]}\n" for name in sorted(sent) if name.startswith("x-amz-"))
    plain = "\n".join([method.decode(), sent.get("content-md5", ""), sent.get("content-type", ""), expires])
    text = f"{plain}\n{amazon}{_resource(path, query)}"
    digest = hmac.digest(key.secret_access_key.encode(), text.encode(), "sha1")
    if not hmac.compare_digest(base64.b64encode(digest), signature.encode()):
        raise mismatch()
    return key


def _resource(path: str, query: str) -> str:
    """A parameter without `=` stays without."""
    signed = []
    for pair in query.split("&"):
        name, equals, _ = pair.partition("=")
        if name in _SIGNED:
            value = dict(parse_qsl(pair, keep_blank_values=True)).get(name, "")
            signed.append(f"{name}={value}" if equals else name)
    return f"{path}?{'&'.join(sorted(signed))}" if signed else path
