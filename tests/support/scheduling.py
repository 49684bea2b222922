"""Which worker of pytest-xdist runs what, and when.

The tests of a file stay together: what they share is started once. What takes longest begins first, so that no worker
has much left to do when the others are through.
"""

from typing import Final

import pytest
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]

# One site and one browser are there for all of these but the SAM CLI's.
SITE: Final = "tests/clients/"
ALONE: Final = "tests/clients/test_sam_"
# What takes longest, then where most of the time is spent; then whatever is in none of these.
FIRST: Final = (
    "tests/clients/",
    "tests/process/test_check_",
    "tests/process/test_uvicorn_hook",
    "tests/process/test_environment_death",
    "tests/e2e/",
    "tests/process/",
    "tests/conformance/",
    "tests/functional/",
)


def unit_of(node: str) -> str:
    """What a test is run together with."""
    path = node.partition("::")[0]
    return SITE if path.startswith(SITE) and not path.startswith(ALONE) else path


def rank(unit: str) -> int:
    """The lower, the earlier."""
    return next((number for number, start in enumerate(FIRST) if unit.startswith(start)), len(FIRST))


class LongestFirst(LoadScopeScheduling):  # type: ignore[misc]
    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(min(self.workqueue, key=rank), last=False)
        super()._assign_work_unit(node)
