"""How the worker processes of an ordinary handler share an environment's memory."""

from typing import Final

from penstock.model.function import Function

# One that has made a boto3 client holds 36 MB of its own (measured with Python 3.13); the rest is room for the function
# (assumed).
SCARCE_MIB: Final = 64


def memory_line(function: Function) -> str:
    """`MyFunction: 16 workers share 2048 MB: 128 MB each`. MB as AWS counts them, 1,024 KB."""
    workers = function.max_concurrency
    count = "1 worker has" if workers == 1 else f"{workers} workers share"
    return f"{function.logical_id}: {count} {function.memory_mib} MB: {each_mib(function)} MB each"


def each_mib(function: Function) -> int:
    return function.memory_mib // function.max_concurrency
