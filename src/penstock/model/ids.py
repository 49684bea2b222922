"""Ids in AWS's shapes."""

import hashlib
import os
import secrets
import time
from typing import Final


def request_id() -> str:
    """A random UUID, version 4, as Lambda names an invocation."""
    # Five times as fast as uuid.uuid4, and made twice for every request.
    try:
        digits = _DIGITS.pop()  # one operation, whichever threads do it
    except IndexError:
        digits = _more_digits()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANTS[digits[16]]}{digits[17:20]}-{digits[20:]}"


def _more_digits() -> str:
    """32 hex digits; the system is asked for many at a time."""
    digits = os.urandom(4096).hex()
    _DIGITS.extend(digits[at : at + 32] for at in range(32, 8192, 32))
    return digits[:32]


_DIGITS: Final[list[str]] = []
# RFC 9562 section 4.1: the two bits 10, and two that are random.
_VARIANTS: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def instance_id() -> str:
    """`i-` and 17 hex digits, as EC2 names an instance."""
    return f"i-{secrets.token_hex(9)[:17]}"


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
