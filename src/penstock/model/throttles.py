"""Why a request was refused: exactly one of four reasons, each with a metric of its own beside `Throttles`.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-monitoring.html
"""

from enum import StrEnum


class ThrottleReason(StrEnum):
    """The value is the name of its metric."""

    CONCURRENCY = "ConcurrencyThrottles"
    CPU = "CPUThrottles"
    MEMORY = "MemoryThrottles"
    DISK = "DiskThrottles"
