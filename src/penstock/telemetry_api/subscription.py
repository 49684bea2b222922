"""A subscription as an extension asks for it.

https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html; what Managed Instances accept of it:
https://github.com/aws/aws-lambda-runtime-interface-emulator (lambda-managed-instances, telemetry-subscription-schema)

Imported for the first subscription: pydantic takes a quarter of what a start does, and few functions subscribe.
"""

from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from penstock.telemetry_api.events import Category
from penstock.telemetry_api.subscription_error import InvalidSubscription


class _Part(BaseModel):
    # Strict: a number in quotes is not a number. Keys that are not known are ignored.
    model_config = ConfigDict(strict=True, frozen=True, alias_generator=to_camel)


class HttpTarget(_Part):
    protocol: Literal["HTTP"]
    uri: str = Field(alias="URI", min_length=1)


class TcpTarget(_Part):
    protocol: Literal["TCP"]
    port: int = Field(ge=1, le=65535)


class Buffering(_Part):
    """When a batch is sent: at `max_items` events, at `max_bytes`, or `timeout_ms` after its first event."""

    max_items: int = Field(default=10_000, ge=1_000, le=10_000)
    max_bytes: int = Field(default=262_144, ge=262_144, le=1_048_576)
    timeout_ms: int = Field(default=1_000, ge=25, le=30_000)


class Subscription(_Part):
    # Older versions are for other kinds of functions and are refused on Managed Instances.
    schema_version: Literal["2025-01-29"]
    types: list[Category] = Field(min_length=1)
    """As sent: the same one may be there twice."""
    destination: Annotated[HttpTarget | TcpTarget, Field(discriminator="protocol")]
    buffering: Buffering = Buffering()


def read_subscription(body: bytes) -> Subscription:
    """Raises InvalidSubscription."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidSubscription(f"failed to parse JSON: {error}") from None
    try:
        return Subscription.model_validate(value)
    except ValidationError as error:
        raise InvalidSubscription(f"schema validation error: {_first_reason(error)}") from None


def _first_reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else "the body is not a JSON object"
