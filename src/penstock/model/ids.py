"""Ids in AWS's shapes."""

import hashlib
import os
import secrets
import time


def request_id() -> str:
    """A random UUID, version 4, as Lambda names an invocation."""
    # Twice as fast as uuid.uuid4, and made twice for every request.
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def environment_id() -> str:
    """32 hex digits, as Lambda ends a log stream's name."""
    return secrets.token_hex(16)


def log_stream(function_name: str, version: str, environment: str, epoch: float) -> str:
    """`2026/11/23/name[version]id`, as the emulator of Managed Instances names streams.

    https://github.com/aws/aws-lambda-runtime-interface-emulator (internal/lambda-managed-instances)
    """
    return f"{time.strftime('%Y/%m/%d', time.gmtime(epoch))}/{function_name}[{version}]{environment}"


def trace_id(epoch: float) -> str:
    """An X-Ray root: `1-<8 hex of epoch seconds>-<24 hex>`.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids
    """
    return f"1-{int(epoch):08x}-{secrets.token_hex(12)}"


def url_id(*parts: str) -> str:
    """The stable first label of a Function URL: 32 lower-case characters derived from `parts`."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:32]


def physical_suffix(*parts: str) -> str:
    """CloudFormation's random tail of a generated name (12 upper-case characters), made stable."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:12].upper()
