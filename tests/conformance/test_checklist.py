"""The checklist's data is sound, and what is said of it is what the tests said."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from conformance.checklist import (
    FUNCTION_URL,
    ROOT,
    RUNTIME_API,
    WEB_ADAPTER,
    Checklist,
    Outcome,
    Scenario,
    belongs,
    judge,
    load,
)
from conformance.report import summary, table

CHECKLISTS = {"runtime-api": load(RUNTIME_API), "web-adapter": load(WEB_ADAPTER), "function-url": load(FUNCTION_URL)}
each_checklist = pytest.mark.parametrize("checklist", CHECKLISTS.values(), ids=CHECKLISTS.keys())


@pytest.mark.parametrize(("name", "last"), [("runtime-api", 219), ("web-adapter", 117)])
def test_every_number_once(name: str, last: int) -> None:
    assert [scenario.number for scenario in CHECKLISTS[name].scenarios] == list(range(1, last + 1))


@pytest.fixture(scope="module")
def collected() -> list[str]:
    """As `make conformance` runs them: pytest refuses a name that leads nowhere."""
    nodes = dict.fromkeys(node for checklist in CHECKLISTS.values() for node in checklist.all_nodes)
    command = (sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *nodes)
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]
    return [line for line in ran.stdout.splitlines() if "::" in line]


@each_checklist
def test_every_test_exists(checklist: Checklist, collected: list[str]) -> None:
    assert [node for node in checklist.all_nodes if not any(belongs(test, node) for test in collected)] == []


@each_checklist
def test_every_file_is_named_for_a_use(checklist: Checklist) -> None:
    assert set(checklist.files) == {node.partition("::")[0] for one in checklist.scenarios for node in one.test}
    assert len(set(checklist.files.values())) == len(checklist.files)


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 1, "scenario": "s"},
        {"number": 1, "scenario": "s", "not-applicable": "why", "test": "a::b"},
        {"number": 1, "scenario": "s", "not-applicable": "why", "differs": "how"},
        {"number": 1, "scenario": "", "test": "a::b"},
        {"number": 1, "scenario": "s", "test": "a::b", "reason": "misspelt"},
    ],
)
def test_what_is_neither_proved_nor_explained_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Scenario.model_validate(wrong)


def made() -> Checklist:
    scenarios = [
        {"number": 1, "scenario": "one", "test": "f::a"},
        {"number": 2, "scenario": "two", "test": ["f::a", "f::b"]},
        {"number": 3, "scenario": "three", "differs": "in a way", "test": "f::a"},
        {"number": 4, "scenario": "four", "differs": "untested"},
        {"number": 5, "scenario": "five", "not-applicable": "why"},
    ]
    return Checklist.model_validate({"files": {"f": "t.py"}, "scenarios": scenarios})


@pytest.mark.parametrize(
    ("outcomes", "results"),
    [
        ({"t.py::a": "passed", "t.py::b": "passed"}, ["passed", "passed", "differs"]),
        ({"t.py::a": "passed", "t.py::b": "failed"}, ["passed", "failed", "differs"]),
        ({"t.py::a[x]": "passed", "t.py::a[y]": "failed", "t.py::b": "passed"}, ["failed", "failed", "failed"]),
        ({"t.py::a": "skipped", "t.py::b": "passed"}, ["skipped", "passed", "differs"]),
        ({"t.py::ab": "passed", "t.py::b": "passed"}, ["failed", "failed", "failed"]),
        ({}, ["failed", "failed", "failed"]),
    ],
)
def test_judgement(outcomes: dict[str, Outcome], results: list[str]) -> None:
    judged = judge(made(), outcomes)
    assert [one.result for one in judged] == [*results, "differs", "not applicable"]


def test_table_ends_with_the_share() -> None:
    judged = judge(made(), {"t.py::a": "passed", "t.py::b": "failed"})
    told = "5 scenarios: 1 passed, 1 failed, 2 differ, 1 not applicable; 25.0 % of the 4 that concern us pass"
    assert summary(judged).startswith(told)
    lines = table(judged).splitlines()
    assert lines[0] == "   1  passed          one"
    assert lines[3].strip() == "(in a way)"
    assert lines[-1] == summary(judged)
