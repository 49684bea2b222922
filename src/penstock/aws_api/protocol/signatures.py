"""Whether a request is signed as its service asks for."""

from penstock.aws_api.protocol.head import Form, s3_path
from penstock.aws_api.protocol.intake import Intake
from penstock.wire.sigv2 import verify_link
from penstock.wire.sigv4 import Key, Payload, Verifier


def verify(verifier: Verifier, intake: Intake, now: float) -> Key:
    """The key that signed a request which has come whole; `now` in epoch seconds. Raises SignatureError."""
    head = intake.head
    method = head.method.encode()
    s3 = head.form is Form.S3
    if s3 and head.version_2:
        path = s3_path(head)
        return verify_link(verifier.keys, method=method, path=path, query=head.query, headers=head.headers, now=now)
    payload = Payload(sha256=intake.sha256, s3=s3, signed=intake.signed)
    target = head.target.encode("latin-1")
    return verifier.verify(method=method, target=target, headers=head.headers, body=payload, now=now)
