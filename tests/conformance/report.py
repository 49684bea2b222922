"""`make conformance`: run exactly the tests the checklists name, and say what became of each scenario."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Final

import pytest

from conformance.checklist import FUNCTION_URL, ROOT, RUNTIME_API, WEB_ADAPTER, Judged, Outcome, Result, judge, load

# By the name under which each is told.
_CHECKLISTS: Final = {
    "The APIs inside an environment": RUNTIME_API,
    "Function URLs": FUNCTION_URL,
    "The web adapter": WEB_ADAPTER,
}
_TOLD: Final[tuple[tuple[Result, str], ...]] = (
    ("passed", "passed"),
    ("failed", "failed"),
    ("skipped", "skipped"),
    ("differs", "differ"),
    ("not applicable", "not applicable"),
)


class Collector:
    """A pytest plugin: how each test ended."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            before = self.outcomes.get(report.nodeid)
            self.outcomes[report.nodeid] = "failed" if "failed" in (before, report.outcome) else report.outcome


def table(judged: Sequence[Judged]) -> str:
    """One line for each scenario, with the reason where there is one, and the share that passed."""
    lines = []
    for one in judged:
        reason = one.scenario.differs or one.scenario.not_applicable
        told = f"{one.scenario.number:>4}  {one.result:<15} {one.scenario.scenario}"
        lines.append(f"{told}\n{'':22}({reason})" if reason else told)
    return "\n".join((*lines, "", summary(judged)))


def summary(judged: Sequence[Judged]) -> str:
    counts = Counter(one.result for one in judged)
    told = ", ".join(f"{counts[result]} {word}" for result, word in _TOLD if counts[result] or result != "skipped")
    concern = len(judged) - counts["not applicable"]
    share = 100 * counts["passed"] / concern if concern else 0.0
    return f"{len(judged)} scenarios: {told}; {share:.1f} % of the {concern} that concern us pass as they stand"


def main(arguments: Sequence[str]) -> int:
    os.chdir(ROOT)
    checklists = {name: load(path) for name, path in _CHECKLISTS.items()}
    nodes = dict.fromkeys(node for checklist in checklists.values() for node in checklist.all_nodes)
    collector = Collector()
    status = pytest.main(["-q", *arguments, *nodes], plugins=[collector])
    for name, checklist in checklists.items():
        sys.stdout.write(f"\n{name}\n\n{table(judge(checklist, collector.outcomes))}\n")
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
