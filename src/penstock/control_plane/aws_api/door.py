"""Everything on the AWS-compatible port that is no invocation: one request in, one complete answer out."""

from email.utils import formatdate
from functools import partial
from typing import Final

import orjson

from penstock.control_plane.aws_api.lambda_api import LambdaApi
from penstock.control_plane.aws_api.operations import find_operation
from penstock.control_plane.aws_api.protocols import Protocol, recognise, render, signed_service, unknown_operation
from penstock.control_plane.registry import Registry
from penstock.invoke_api.refusal import RefusalError
from penstock.model import ids
from penstock.model.clock import Clock
from penstock.model.limits import MIB
from penstock.wire.bodies import CollectedBody
from penstock.wire.exchange import Exchange
from penstock.wire.http_messages import response
from penstock.wire.http_server import HttpConnection
from penstock.wire.sigv4 import SignatureError, Verifier

# No operation offered here takes more; what bodies other services would take is no matter (assumed).
MAX_BODY_BYTES: Final = MIB

_JSON: Final = b"application/json"
_TEXT: Final = b"text/plain; charset=utf-8"
_TOO_LARGE: Final = RefusalError(
    413, "RequestTooLargeException", f"Request must be smaller than {MAX_BODY_BYTES} bytes"
)


class AwsApi:
    """Answers from `registry`. It stands behind `guarded`, as every door of the port does.

    With a `verifier` each request to Lambda must be signed. What no service here answers says so, signed or not: each
    service has rules of its own for signatures, and nothing is told.
    """

    def __init__(
        self, registry: Registry, clock: Clock, region: str, account_id: str, *, verifier: Verifier | None = None
    ) -> None:
        self._lambda = LambdaApi(registry, region, account_id)
        self._clock = clock
        self._verifier = verifier
        self._about = (
            f"AWS-compatible endpoint of Penstock for Lambda: region {region}, account {account_id}\n".encode()
        )

    def open_exchange(self, connection: HttpConnection) -> Exchange:
        request_id = ids.request_id()
        service = signed_service(connection.target, connection.headers)
        protocol = recognise(connection.target, connection.headers, service)
        too_large = render(protocol, _TOO_LARGE, request_id, self._date() + b"connection: close\r\n")
        complete = partial(self._complete, connection, protocol, service, request_id)
        return CollectedBody(connection, complete, MAX_BODY_BYTES, too_large)

    def _complete(
        self, connection: HttpConnection, protocol: Protocol, service: str, request_id: str, body: bytes
    ) -> None:
        extra = self._date() if connection.keep_alive else self._date() + b"connection: close\r\n"
        try:
            content_type, content = self._answer(connection, protocol, service, body)
        except RefusalError as refusal:
            connection.respond(render(protocol, refusal, request_id, extra))
        else:
            extra += f"x-amzn-requestid: {request_id}\r\n".encode()
            connection.respond(response(200, content_type, content, extra))

    def _answer(self, connection: HttpConnection, protocol: Protocol, service: str, body: bytes) -> tuple[bytes, bytes]:
        """Content type and content. Raises RefusalError."""
        method, target, headers = connection.method, connection.target, connection.headers
        if protocol is not Protocol.REST_JSON or service not in ("", "lambda"):
            raise unknown_operation(protocol, service, target, headers, body)
        if target == b"/" and method in (b"GET", b"HEAD") and not service:
            return _TEXT, self._about  # somebody looks what is here
        if self._verifier:
            try:
                self._verifier.verify(method=method, target=target, headers=headers, body=body, now=self._clock.epoch())
            except SignatureError as error:
                raise RefusalError(error.status, error.error_type, error.message) from None
        call = find_operation(method.decode("latin-1"), target.decode("latin-1"))
        if call is None:
            raise unknown_operation(protocol, "lambda", target, headers, body)
        return _JSON, orjson.dumps(self._lambda.answer(call))

    def _date(self) -> bytes:
        return f"date: {formatdate(self._clock.epoch(), usegmt=True)}\r\n".encode()
