"""One invocation as `/next` hands it out, and what the app may know of it beyond HTTP.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-next
"""

from collections.abc import Mapping
from typing import NamedTuple

from penstock_adapter.codec import as_dict, dumps, loads
from penstock_adapter.options import FunctionFacts


class Invocation(NamedTuple):
    """`deadline_ms` is epoch milliseconds. Empty text means that the platform said nothing."""

    request_id: str
    deadline_ms: int
    function_arn: str
    trace_id: str
    client_context: str
    cognito_identity: str
    tenant_id: str
    # A second id per attempt; newer runtimes echo it so that a late answer cannot meet the wrong attempt.
    invocation_id: str
    event: bytes


# What a slot holds before its first poll is answered.
NO_INVOCATION = Invocation("", 0, "", "", "", "", "", "", b"")


def read_invocation(headers: Mapping[bytes, bytes], event: bytes) -> Invocation | None:
    """The invocation in an answer to `/next` (lower-case header names), or None when it carries no request id."""

    get = headers.get
    request_id = get(b"lambda-runtime-aws-request-id", b"")
    if not request_id:
        return None
    deadline = get(b"lambda-runtime-deadline-ms", b"")
    return Invocation(
        request_id.decode("utf-8", "replace"),
        int(deadline) if deadline.isdigit() else 0,
        get(b"lambda-runtime-invoked-function-arn", b"").decode("utf-8", "replace"),
        get(b"lambda-runtime-trace-id", b"").decode("utf-8", "replace"),
        get(b"lambda-runtime-client-context", b"").decode("utf-8", "replace"),
        get(b"lambda-runtime-cognito-identity", b"").decode("utf-8", "replace"),
        get(b"lambda-runtime-aws-tenant-id", b"").decode("utf-8", "replace"),
        get(b"lambda-runtime-invocation-id", b"").decode("utf-8", "replace"),
        event,
    )


def env_config(facts: FunctionFacts) -> dict[str, object]:
    """The part of the Lambda context that never changes."""
    return {
        "function_name": facts.function_name,
        "memory": facts.memory,
        "version": facts.version,
        "log_stream": facts.log_stream,
        "log_group": facts.log_group,
    }


def lambda_context(invocation: Invocation, config: Mapping[str, object]) -> bytes:
    """JSON of the header `x-amzn-lambda-context`, keys as LWA writes them; what is absent is null."""
    return dumps(
        {
            "request_id": invocation.request_id,
            "deadline": invocation.deadline_ms,
            "invoked_function_arn": invocation.function_arn,
            "xray_trace_id": invocation.trace_id or None,
            "client_context": _client_context(invocation.client_context) if invocation.client_context else None,
            "identity": _identity(invocation.cognito_identity) if invocation.cognito_identity else None,
            "tenant_id": invocation.tenant_id or None,
            "invocation_id": invocation.invocation_id or None,
            "env_config": config,
        }
    )


def _json_object(text: str) -> dict[str, object]:
    """The object in `text`; empty when there is none. LWA dies of bad JSON here; an app can live with null."""
    if not text:
        return {}
    try:
        return as_dict(loads(text))
    except ValueError:
        return {}


def _client_context(text: str) -> dict[str, object] | None:
    given = _json_object(text)
    if not given:
        return None
    return {"client": None, "custom": {}, "environment": {}} | given


def _identity(text: str) -> dict[str, object] | None:
    given = _json_object(text)
    if not given:
        return None
    return {
        "identityId": _first(given, "identityId", "identity_id", "cognitoIdentityId"),
        "identityPoolId": _first(given, "identityPoolId", "identity_pool_id", "cognitoIdentityPoolId"),
    }


def _first(given: Mapping[str, object], *names: str) -> object:
    return next((given[name] for name in names if name in given), None)
