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

    @property
    def note(self) -> str:
        """For the line of a request that was refused."""
        return _NOTES[self]


_NOTES = {
    ThrottleReason.CONCURRENCY: "every environment is busy",
    ThrottleReason.CPU: "every environment is busy, most of them short of CPU",
    ThrottleReason.MEMORY: "every environment is busy, most of them short of memory",
    ThrottleReason.DISK: "every environment is busy, one has no room left in /tmp",
}
