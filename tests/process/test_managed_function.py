"""The fixture `managed_function`: `penstock up` as a process of the test run."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import psutil
import pytest
from botocore.config import Config

from penstock.pytest_plugin.managed_function import ManagedFunctions
from support.projects import FUNCTION, Project, Shape, make_project
from support.pytest_runs import PLAIN
from support.up import eventually, shared_cache

pytest_plugins = ["pytester"]

DIES = "#!/bin/sh\necho 'no module named pumps'\nexit 3\n"
TEST_FILE = """
import urllib.request

import pytest


@pytest.fixture(scope="module")
def site(managed_function):
    with managed_function("template.yaml") as function:
        yield function


@pytest.mark.parametrize("number", range(4))
def test_it_serves(site, number):
    with urllib.request.urlopen(site.url + "/environ") as response:
        assert response.status == 200
"""


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache(tmp_path_factory)))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "site", Shape({"GREETING": "hello"}))


@pytest.fixture
def functions(tmp_path: Path) -> Iterator[ManagedFunctions]:
    functions = ManagedFunctions(tmp_path, (), 60.0)
    yield functions
    functions.close()


def get(url: str, path: str = "/") -> str:
    with urllib.request.urlopen(url.rstrip("/") + path, timeout=30) as response:
        text: str = response.read().decode()
        return text


def below() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_a_template_is_brought_up_and_ended(functions: ManagedFunctions, project: Project) -> None:
    before = below()
    function = functions("site/template.yaml", variables={"GREETING": "good evening"})
    assert list(function.urls) == [FUNCTION]
    assert '"GREETING": "good evening"' in get(function.url, "/environ")
    started = [process for process in below() if process not in before]
    assert len(started) > 2
    assert len(list(project.folder.glob(".penstock/test-*"))) == 1
    function.stop()
    assert [process for process in started if process.is_running()] == []
    assert list(project.folder.glob(".penstock/test-*")) == []
    function.stop()


def test_it_can_be_invoked_and_its_logs_read(functions: ManagedFunctions, project: Project) -> None:
    function = functions(project.template, stack_name="kept")
    client = boto3.client(
        "lambda",
        endpoint_url=function.aws_endpoint,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    names = [one["FunctionName"] for one in client.list_functions()["Functions"]]
    client.close()
    assert len(names) == 1
    assert names[0].startswith(f"kept-{FUNCTION}-")
    get(function.url, "/log?logged-line")
    assert "logged-line" in function.wait_for_log("logged-line")
    assert "logged-line" in "\n".join(function.logs(FUNCTION))
    assert function.logs("Other") == []
    with pytest.raises(TimeoutError, match="no log line holds 'never written' within 0 s"):
        function.wait_for_log("never written", seconds=0)
    function.stop()
    assert (project.folder / ".penstock/kept/logs" / f"{FUNCTION}.jsonl").exists()


def test_two_at_once_in_the_same_folder(functions: ManagedFunctions, project: Project) -> None:
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(functions, [project.template] * 2)
    assert one.url != two.url
    assert get(one.url, "/environ") != get(two.url, "/environ")


def test_a_function_that_cannot_start_fails_the_test(functions: ManagedFunctions, tmp_path: Path) -> None:
    project = make_project(tmp_path / "site", run_sh=DIES)
    with pytest.raises(pytest.fail.Exception) as caught:
        functions(project.template)
    told = str(caught.value)
    assert f"{FUNCTION} cannot start: Runtime.ExitError" in told
    assert "  | no module named pumps" in told
    assert list(project.folder.glob(".penstock/test-*")) == []


def test_bad_input_fails_the_test_with_its_one_line(functions: ManagedFunctions, tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception) as caught:
        functions("nothing.yaml")
    first, *rest = str(caught.value).splitlines()
    assert first.endswith("ended with exit code 2 before it was ready")
    assert rest == [f"penstock: no template at {tmp_path / 'nothing.yaml'}"]


def test_a_start_that_takes_too_long_is_ended(project: Project, tmp_path: Path) -> None:
    functions = ManagedFunctions(tmp_path, ("--init-timeout", "100"), 0.01)
    before = below()
    with pytest.raises(pytest.fail.Exception, match=r"not ready within 0\.01 s"):
        functions(project.template)
    assert [process for process in below() if process not in before] == []


def test_without_a_url_there_is_none(functions: ManagedFunctions, tmp_path: Path) -> None:
    project = make_project(tmp_path / "site", Shape(with_url=False))
    function = functions(project.template)
    assert function.aws_endpoint
    with pytest.raises(ValueError, match=r"it has: none"):
        function.url  # noqa: B018


def test_nothing_outlives_a_test_run_that_is_killed(project: Project) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from penstock.pytest_plugin.managed_function import ManagedFunctions\n"
        "ManagedFunctions(Path.cwd(), (), 60.0)('template.yaml')\n"
        "print('up', flush=True)\n"
        "time.sleep(600)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", code], cwd=project.folder, stdout=subprocess.PIPE, text=True)
    with run:
        assert run.stdout is not None
        assert run.stdout.readline() == "up\n"
        started = psutil.Process(run.pid).children(recursive=True)
        assert len(started) > 2
        run.send_signal(signal.SIGKILL)
    eventually(lambda: not any(process.is_running() for process in started), "the end of every process", 20.0)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_fixture_in_a_test_run(pytester: pytest.Pytester, workers: str) -> None:
    make_project(pytester.path / "made").template.rename(pytester.path / "template.yaml")
    (pytester.path / "made/app").rename(pytester.path / "app")
    pytester.makepyfile(TEST_FILE)
    result = pytester.runpytest_subprocess("-n", workers, *PLAIN)
    result.assert_outcomes(passed=4)
    assert os.listdir(pytester.path / ".penstock") == [".gitignore"]


def test_settings_of_the_configuration_file(pytester: pytest.Pytester) -> None:
    make_project(pytester.path / "made", run_sh=DIES).template.rename(pytester.path / "template.yaml")
    (pytester.path / "made/app").rename(pytester.path / "app")
    pytester.makeini("[pytest]\npenstock_up_options = --no-such-option\n")
    pytester.makepyfile(TEST_FILE)
    result = pytester.runpytest_subprocess(*PLAIN)
    result.assert_outcomes(errors=4)
    result.stdout.fnmatch_lines(["*No such option*--no-such-option*"])
    pytester.makeini("[pytest]\npenstock_start_timeout = soon\n")
    result = pytester.runpytest_subprocess(*PLAIN)
    result.stdout.fnmatch_lines(["*penstock_start_timeout='soon' is not a number of seconds above 0*"])
