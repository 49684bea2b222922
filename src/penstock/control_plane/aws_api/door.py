"""Everything on the AWS-compatible port that is no invocation: one request in, one complete answer out."""

from dataclasses import replace
from email.utils import formatdate
from functools import partial
from typing import Final

import orjson

from penstock.control_plane.aws_api.lambda_api import LambdaApi
from penstock.control_plane.aws_api.operations import find_operation
from penstock.control_plane.aws_api.rendering import render, unknown_operation
from penstock.control_plane.aws_api.request import Protocol, Request, read_request
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
_CLOSE: Final = b"connection: close\r\n"
_TOO_LARGE: Final = RefusalError(
    413, "RequestTooLargeException", f"Request must be smaller than {MAX_BODY_BYTES} bytes"
)


class AwsApi:
    """Answers from `registry`. It stands behind `guarded`, as every door of the port must.

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
        request = read_request(connection.method, connection.target, connection.headers)
        request_id = ids.request_id()
        too_large = render(request.protocol, _TOO_LARGE, request_id, self._date() + _CLOSE)
        return CollectedBody(
            connection, partial(self._complete, connection, request, request_id), MAX_BODY_BYTES, too_large
        )

    def _complete(self, connection: HttpConnection, request: Request, request_id: str, body: bytes) -> None:
        extra = self._date() if connection.keep_alive else self._date() + _CLOSE
        try:
            status, content_type, content = self._answer(request, body)
        except RefusalError as refusal:
            connection.respond(render(request.protocol, refusal, request_id, extra))
        else:
            extra += f"x-amzn-requestid: {request_id}\r\n".encode()
            connection.respond(response(status, content_type, content, extra))

    def _answer(self, request: Request, body: bytes) -> tuple[int, bytes, bytes]:
        """Status, content type and content. Raises RefusalError."""
        if request.protocol is not Protocol.REST_JSON or request.service not in ("", "lambda"):
            raise unknown_operation(request, body)
        if request.target == b"/" and request.method in (b"GET", b"HEAD") and not request.service:
            return 200, _TEXT, self._about  # somebody looks what is here
        self._verify(request, body)
        call = find_operation(request.method.decode(), request.target.decode("latin-1"))
        if call is None:
            raise unknown_operation(request, body)
        return call.status, _JSON, orjson.dumps(self._lambda.answer(replace(call, body=body)))

    def _verify(self, request: Request, body: bytes) -> None:
        if self._verifier is None:
            return
        now = self._clock.epoch()
        try:
            self._verifier.verify(
                method=request.method, target=request.target, headers=request.headers, body=body, now=now
            )
        except SignatureError as error:
            raise RefusalError(error.status, error.error_type, error.message) from None

    def _date(self) -> bytes:
        return f"date: {formatdate(self._clock.epoch(), usegmt=True)}\r\n".encode()
