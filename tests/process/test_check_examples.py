"""`penstock check` on the repository's examples, in each way a function can be run."""

import subprocess
from pathlib import Path

import pytest

from penstock.packaging import adapter_layer, python_runtime
from support.checks import CHECK_PATIENCE_S, EXAMPLES, behind_uvicorn, check, copy_example, start_check
from support.package_index import need_packages
from support.up import shared_cache

HELLO = ("--path", "/hello?user={token}", "--levels", "1,8,16", "--seconds", "1")


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


@pytest.fixture
def user() -> dict[str, str]:
    need_packages(EXAMPLES / "check-sound" / "app" / "requirements.txt")
    return need_packages(adapter_layer.REQUIREMENTS)


def test_the_shared_state_is_found(tmp_path: Path, cache: Path, user: dict[str, str]) -> None:
    found = check(copy_example("check-shared-state", tmp_path), cache, *HELLO, user=user)
    assert found.code == 1
    assert {"mixed", "state"} <= set(found.failing) <= {"mixed", "state"}
    assert "answers mixed between requests" in found.text("mixed")
    assert found.text("state").startswith("main.current_user (str) held data of one request and then of another")
    assert found.result["sound"] is False
    assert found.result["largestSafeConcurrency"] == 1
    alone, *together = found.result["levels"]
    assert alone["ok"] == alone["requests"] >= 3
    assert [level["concurrency"] for level in together] == [8, 16]


def test_the_sound_one_is_left_in_peace(tmp_path: Path, cache: Path, user: dict[str, str]) -> None:
    """With a counter, a cache and a list of who came last in its module."""
    found = check(copy_example("check-sound", tmp_path), cache, *HELLO, "--load", "200", user=user)
    assert (found.code, found.failing) == (0, []), found.stdout
    assert {"mixed", "state", "changed", "memory", "errors"}.isdisjoint(found.kinds)
    (note,) = found.result["notes"]
    assert note.endswith("main.recent_users, main.requests_served")
    memory = found.result["memory"]
    assert memory["holds"] is True
    assert 0 < memory["atMaximumBytes"] < memory["memorySizeBytes"] / 4
    assert all(level["loopDelayP95Ms"] is not None for level in found.result["levels"])
    assert found.result["load"]["slots"] >= 6  # 200 of 0.02 s, and half as many again


@pytest.mark.parametrize(("example", "code"), [("check-shared-state", 1), ("check-sound", 0)])
def test_behind_a_web_server(tmp_path: Path, cache: Path, user: dict[str, str], example: str, code: int) -> None:
    """Where the app is a process that a script starts, the probe is in it all the same."""
    project = copy_example(example, tmp_path)
    requirements = (EXAMPLES / "fastapi-streaming" / "app" / "requirements.txt").read_text()
    behind_uvicorn(project, requirements)
    found = check(project, cache, *HELLO, user=user)
    assert found.code == code, found.stdout
    assert set(found.failing) == ({"mixed", "state"} if code else set())
    assert all(level["loopDelayP95Ms"] is not None for level in found.result["levels"])
    if code:
        assert found.text("state").startswith("main.current_user")


def test_an_ordinary_handler(tmp_path: Path, cache: Path) -> None:
    """Each slot is a process: nothing in its module is shared, however much is overwritten there."""
    user = need_packages(python_runtime.REQUIREMENTS)
    project = copy_example("handler", tmp_path)
    handler = project.code / "app.py"
    handler.write_text(
        handler.read_text().replace("    global seen\n", "    global seen, last\n    last = event['rawQueryString']\n")
    )
    found = check(project, cache, "--levels", "1,16", "--requests", "60", user=user)
    assert (found.code, found.failing) == (0, []), found.stdout
    assert "each slot is a process of its own: no two requests share module state" in found.result["notes"]
    assert [level["ok"] for level in found.result["levels"]] == [60, 60]
    assert found.result["memory"]["perRequestBytes"] * 16 == pytest.approx(
        found.result["memory"]["atMaximumBytes"], rel=0.01
    )
    assert found.result["levels"][0]["loopDelayP95Ms"] is None


def test_for_people(tmp_path: Path, cache: Path, user: dict[str, str]) -> None:
    project = copy_example("check-shared-state", tmp_path)
    with start_check(project, cache, *HELLO, user=user) as process:
        stdout, stderr = process.communicate(timeout=CHECK_PATIENCE_S)
    lines = stdout.splitlines()
    assert process.returncode == 1
    assert [line.split()[0] for line in lines[1:4]] == ["1", "8", "16"]
    assert any(line.startswith("fault   GET /hello?user={token}: answers mixed") for line in lines)
    assert lines[-1].startswith(
        "unsafe  GreetingFunction: largest safe PerExecutionEnvironmentMaxConcurrency is 1 of 32"
    )
    assert "8 requests at once" in stderr
    assert isinstance(process, subprocess.Popen)
