"""`scope["aws.context"]`: the context object of AWS's Python runtime, read where it is asked for.

Attributes: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html, and, where that page leaves a type open,
https://github.com/aws/aws-lambda-python-runtime-interface-client (awslambdaric/lambda_context.py).
"""

import time
from dataclasses import dataclass

from penstock_adapter.codec import as_dict, loads
from penstock_adapter.invocation import Invocation
from penstock_adapter.options import FunctionFacts


@dataclass(frozen=True, slots=True)
class CognitoIdentity:
    """Who authorized the request; None where nobody did."""

    cognito_identity_id: object = None
    cognito_identity_pool_id: object = None


@dataclass(frozen=True, slots=True)
class Client:
    """The app that sent a client context."""

    installation_id: object = None
    app_title: object = None
    app_version_name: object = None
    app_version_code: object = None
    app_package_name: object = None


@dataclass(frozen=True, slots=True)
class ClientContext:
    """What the caller told of itself, in X-Amz-Client-Context."""

    custom: object = None
    env: object = None
    client: Client | None = None


class LambdaContext:
    """One invocation, in the words of AWS's Python runtime. What the platform did not say is None."""

    __slots__ = ("_facts", "_invocation")

    def __init__(self, invocation: Invocation, facts: FunctionFacts) -> None:
        self._invocation = invocation
        self._facts = facts

    def __repr__(self) -> str:
        return f"LambdaContext(aws_request_id={self.aws_request_id!r})"

    @property
    def aws_request_id(self) -> str:
        return self._invocation.request_id

    @property
    def invoked_function_arn(self) -> str:
        return self._invocation.function_arn

    @property
    def tenant_id(self) -> str | None:
        return self._invocation.tenant_id or None

    @property
    def function_name(self) -> str:
        return self._facts.function_name

    @property
    def function_version(self) -> str:
        return self._facts.version

    @property
    def memory_limit_in_mb(self) -> str:
        """Text, as AWS's runtime has it."""
        return str(self._facts.memory)

    @property
    def log_group_name(self) -> str | None:
        return self._facts.log_group or None

    @property
    def log_stream_name(self) -> str | None:
        return self._facts.log_stream or None

    @property
    def identity(self) -> CognitoIdentity:
        given = _json_object(self._invocation.cognito_identity)
        return CognitoIdentity(given.get("cognitoIdentityId"), given.get("cognitoIdentityPoolId"))

    @property
    def client_context(self) -> ClientContext | None:
        given = _json_object(self._invocation.client_context)
        if not given:
            return None
        client = given.get("client")
        known = {name: as_dict(client).get(name) for name in Client.__slots__}
        return ClientContext(given.get("custom"), given.get("env"), Client(**known) if client is not None else None)

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation times out; 0 once it has."""
        return max(0, self._invocation.deadline_ms - int(time.time() * 1000))


def _json_object(text: str) -> dict[str, object]:
    """The object in `text`; empty when there is none. AWS's runtime fails the invocation on bad JSON; we take none."""
    try:
        return as_dict(loads(text)) if text else {}
    except ValueError:
        return {}
