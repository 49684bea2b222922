"""Its place puts `tests/` on the import path, so that every test can say `from support import ...`.

And how hypothesis tries, and how pytest-xdist spreads them, where it is used.
"""

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from xdist.remote import Producer  # type: ignore[import-untyped]

    from support.scheduling import LongestFirst

# As in hypothesis's own profile for CI: how long one input takes is the machine's matter.
settings.register_profile("patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: one more than there are processors, for tests of processes wait much of their time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "LongestFirst":
    from support.scheduling import LongestFirst

    return LongestFirst(config, log)
