"""`penstock check` on an app with one fault a path: each is found, and nothing else is."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from penstock.packaging import adapter_layer
from support.checks import Checked, check, make_fault_project
from support.package_index import need_packages
from support.up import shared_cache


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


@pytest.fixture(scope="module")
def user() -> dict[str, str]:
    return need_packages(adapter_layer.REQUIREMENTS)


def run(folder: Path, cache: Path, user: dict[str, str], paths: Sequence[str], *words: str) -> Checked:
    project = make_fault_project(folder / "project")
    asked = [word for path in paths for word in ("--path", f"/{path}?user={{token}}")]
    return check(project, cache, *asked, "--token-in", "path", *words, user=user)


def test_each_path_is_judged_by_itself(tmp_path: Path, cache: Path, user: dict[str, str]) -> None:
    paths = ("sound", "remembers", "fails", "broken", "counts")
    found = run(tmp_path, cache, user, paths, "--levels", "1,8", "--seconds", "1")
    assert found.code == 1
    seen = {(finding["kind"], finding["text"].split("?")[0]) for finding in found.result["findings"]}
    # How quick all that is, is the machine's matter.
    assert {(kind, text) for kind, text in seen if kind not in ("latency", "loop")} == {
        ("mixed", "GET /remembers"),
        ("errors", "GET /fails"),
        ("errors", "GET /broken"),
        ("changed", "GET /counts"),
    }
    assert "one at a time held the token of a request before them" in found.text("mixed")
    texts = [finding["text"] for finding in found.result["findings"]]
    assert any("fails as it does not one at a time" in text and "status 500" in text for text in texts)
    assert any("one at a time failed: status 500" in text for text in texts)
    assert found.result["largestSafeConcurrency"] == 0


def test_state_is_found_where_no_answer_shows_it(tmp_path: Path, cache: Path, user: dict[str, str]) -> None:
    found = run(tmp_path, cache, user, ("hidden",), "--levels", "1,4", "--seconds", "0.5")
    assert (found.code, found.failing) == (1, ["state"])
    told = "main.current['user'] (str) held data of one request and then of another"
    assert found.text("state").startswith(told)
    assert found.result["largestSafeConcurrency"] == 1


@pytest.mark.parametrize(
    ("path", "kind", "told"),
    [
        ("dies", "errors", "the environment died at 4 requests at once: Runtime.ExitError"),
        ("greedy", "memory", "MemorySize does not hold: 2,048 MB were too little for 4 requests at once"),
    ],
)
def test_an_environment_that_dies(
    tmp_path: Path, cache: Path, user: dict[str, str], path: str, kind: str, told: str
) -> None:
    found = run(tmp_path, cache, user, (path,), "--levels", "1,4,16", "--seconds", "0.5")
    assert (found.code, found.failing) == (1, [kind]), found.stdout
    assert told in found.text(kind)
    assert found.result["largestSafeConcurrency"] == 1
    assert len(found.result["levels"]) == 2


def test_an_environment_that_dies_of_the_first_request(tmp_path: Path, cache: Path, user: dict[str, str]) -> None:
    found = run(tmp_path, cache, user, ("fragile",), "--levels", "1,4", "--seconds", "0.5")
    assert (found.code, found.failing) == (1, ["errors"]), found.stdout
    assert "the environment died at one request at a time: Runtime.ExitError" in found.text("errors")
    assert found.result["largestSafeConcurrency"] == 0
    assert len(found.result["levels"]) == 1


def test_memory_of_each_request(tmp_path: Path, cache: Path, user: dict[str, str]) -> None:
    """4 MB for as long as it lasts."""
    found = run(tmp_path, cache, user, ("hungry",), "--levels", "1,4,16", "--seconds", "0.5")
    assert found.result["memory"]["perRequestBytes"] == pytest.approx(4.5 * (1 << 20), rel=0.35)
    assert found.result["memory"]["measuredAtMaximum"] is True


def test_what_holds_up_the_loop(tmp_path: Path, cache: Path, user: dict[str, str]) -> None:
    found = run(tmp_path, cache, user, ("blocks",), "--levels", "1,4", "--seconds", "1", "--fail-on", "loop")
    assert (found.code, found.failing) == (1, ["loop"])
    assert " in blocks" in found.text("loop")
    assert "main.py:" in found.text("loop")
    assert found.result["levels"][0]["loopDelayWorstMs"] > 50


def test_requests_that_queue(tmp_path: Path, cache: Path, user: dict[str, str]) -> None:
    found = run(tmp_path, cache, user, ("queues",), "--levels", "1,16", "--seconds", "0.5", "--latency-factor", "3")
    assert found.code == 0
    assert "latency" in found.kinds
    assert found.result["limitedBy"] == "requests wait for each other at 16"


@pytest.mark.parametrize("flag", ["--isolated", "--no-namespaces"])
def test_in_other_sandboxes(tmp_path: Path, cache: Path, user: dict[str, str], flag: str) -> None:
    found = run(tmp_path, cache, user, ("mixed",), "--levels", "1,4", "--seconds", "0.5", flag)
    assert set(found.failing) == {"mixed", "state"}
