"""What a version is called while its environments come and go."""

import pytest

from penstock.model.capacity import VersionState, version_state


@pytest.mark.parametrize(
    ("deactivated", "environments", "reached_minimum", "failed", "state"),
    [
        (False, 0, False, False, VersionState.PENDING),
        (False, 2, False, False, VersionState.PENDING),
        (False, 3, True, False, VersionState.ACTIVE),
        (False, 1, True, False, VersionState.ACTIVE),  # some died: it serves on
        (True, 2, True, False, VersionState.DEACTIVATING),
        (True, 0, True, False, VersionState.DEACTIVATED),
        (False, 0, False, True, VersionState.FAILED),
    ],
)
def test_states(deactivated: bool, environments: int, reached_minimum: bool, failed: bool, state: VersionState) -> None:
    found = version_state(
        deactivated=deactivated, environments=environments, reached_minimum=reached_minimum, failed=failed
    )
    assert found is state
