"""Its place puts `tests/` on the import path, so that every test can say `from support import ...`.

And how pytest-xdist spreads them, where it is used.
"""

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer  # type: ignore[import-untyped]

    from support.scheduling import LongestFirst


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: one more than there are processors, for tests of processes wait much of their time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "LongestFirst":
    from support.scheduling import LongestFirst

    return LongestFirst(config, log)
