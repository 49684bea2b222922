"""Tells how many inputs a long run tried."""

import os

import pytest

from support.fuzzing import TRIED, VARIABLE


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if VARIABLE in os.environ:
        for name, count in sorted(TRIED.items()):
            terminalreporter.write_line(f"{name}: {count} inputs tried")
        terminalreporter.write_line(f"{sum(TRIED.values())} inputs tried in all")
