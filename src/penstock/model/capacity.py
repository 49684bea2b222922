"""The states of a capacity provider and of a function version on one, in AWS's words.

https://docs.aws.amazon.com/lambda/latest/api/API_CapacityProvider.html
https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
"""

from enum import StrEnum


class CapacityProviderState(StrEnum):
    """Made without an instance: it is Active within seconds on AWS, and at once here."""

    PENDING = "Pending"
    ACTIVE = "Active"
    FAILED = "Failed"
    DELETING = "Deleting"


class VersionState(StrEnum):
    """Of a published version. `$LATEST` is `ActiveNonInvocable`: it exists and cannot run."""

    PENDING = "Pending"
    """Fewer environments than its minimum have ever been Ready."""
    ACTIVE = "Active"
    DEACTIVATING = "Deactivating"
    """Minimum and maximum are 0, and environments are still draining."""
    DEACTIVATED = "Deactivated"
    FAILED = "Failed"
    """It cannot start."""
    ACTIVE_NON_INVOCABLE = "ActiveNonInvocable"


def version_state(*, deactivated: bool, environments: int, reached_minimum: bool, failed: bool) -> VersionState:
    """The state of a published version. `environments` are those that serve or drain."""
    if failed:
        return VersionState.FAILED
    if deactivated:
        return VersionState.DEACTIVATING if environments else VersionState.DEACTIVATED
    return VersionState.ACTIVE if reached_minimum else VersionState.PENDING
