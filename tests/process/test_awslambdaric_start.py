"""How ordinary handlers start in AWS's runtime client, and what is said when they cannot."""

import json
import os
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from support.handlers import make_handler_project, running_handler
from support.projects import Shape
from support.sandbox_rig import need_namespaces
from support.up import running, shared_cache

OWN_LAYER = "arn:aws:lambda:us-east-1:123456789012:layer:own:1"
MODES = pytest.mark.parametrize("mode", ["--namespaces", "--no-namespaces"])


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


class Case(NamedTuple):
    """`message` is what is told, and `output` a pattern for the lines below it."""

    code: str
    error_type: str
    message: str
    output: str = ""
    handler: str = "app.handler"


CASES = {
    "import error": Case(
        "import no_such_module\n",
        "Runtime.ImportModuleError",
        "Unable to import module 'app': No module named 'no_such_module'",
    ),
    "exception": Case(
        "def fail():\n    raise ValueError('no luck')\n\nfail()\n",
        "Runtime.Unknown",
        "ValueError: no luck",
        r'(?s).*File ".*/app\.py", line 2, in fail\n    raise ValueError.*',
    ),
    "syntax error": Case(
        "def (\n",
        "Runtime.UserCodeSyntaxError",
        "Syntax error in module 'app': .*",
        r'(?s).*File ".*/app\.py" Line 1.*',
    ),
    "no such handler": Case("", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
    "no module named": Case("", "Runtime.MalformedHandlerName", "Bad handler 'run': .*", handler="run"),
}


@pytest.mark.parametrize("name", CASES)
def test_every_worker_fails_to_load_the_handler(name: str, tmp_path: Path, cache: Path) -> None:
    case = CASES[name]
    project = make_handler_project(tmp_path / "site", Shape(handler=case.handler))
    (project.code / "app.py").write_text(case.code)
    with running_handler(project, cache, environments=2) as up:
        assert up.ended() == 1
        (failed,) = up.said("failed")
        assert failed["errorType"] == case.error_type
        assert re.fullmatch(case.message, failed["errorMessage"])
        assert re.fullmatch(case.output, "\n".join(failed["output"]))
        assert up.said("environment", state="worker-died") == []
        assert up.stderr == ""
        up.assert_nothing_left(0)


def test_the_log_has_the_error_of_each_worker(tmp_path: Path, cache: Path) -> None:
    project = make_handler_project(tmp_path / "site", Shape(concurrency=3))
    (project.code / "app.py").write_text("import no_such_module\n")
    with running_handler(project, cache) as up:
        assert up.ended() == 1
    lines = [json.loads(line)["record"] for line in project.logs.read_text().splitlines()]
    errors = [line for line in lines if isinstance(line, str) and '"level": "ERROR"' in line]
    assert len(errors) == 3


WRAPPERS: dict[str, str] = {
    # What the wrapper gets is the runtime's own command, to which it may add.
    "arguments": '#!/bin/sh\nexec "$1" -X utf8 "$2"\n',
    "bootstrap": """\
#!/bin/sh
unset AWS_LAMBDA_EXEC_WRAPPER
export PYTHONUTF8=1
exec "$LAMBDA_RUNTIME_DIR/bootstrap"
""",
}


@MODES
@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_of_ones_own(name: str, mode: str, tmp_path: Path, cache: Path) -> None:
    project = make_handler_project(tmp_path / "site", Shape({"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}))
    wrapper = project.code / "wrap"
    wrapper.write_text(WRAPPERS[name])
    wrapper.chmod(0o755)
    with running_handler(project, cache, mode) as up:
        assert json.loads(up.get("/look").text)["utf8"] == 1


@MODES
def test_modules_of_layers(mode: str, tmp_path: Path, cache: Path) -> None:
    versioned = tmp_path / "layer" / "python" / "lib" / "python3.13" / "site-packages"
    versioned.mkdir(parents=True)
    for folder in (versioned, tmp_path / "layer" / "python"):
        (folder / "twice.py").write_text("")
    for name in ("layered", "boto3", "mine"):
        (tmp_path / "layer" / "python" / f"{name}.py").write_text("")
    project = make_handler_project(tmp_path / "site", Shape(layers=(OWN_LAYER,)))
    (project.code / "mine.py").write_text("")
    with running_handler(project, cache, "--layer", f"{OWN_LAYER}={tmp_path / 'layer'}", mode) as up:
        found = {name: json.loads(up.get(f"/load?{name}").text) for name in ("layered", "twice", "boto3", "mine")}
        task = json.loads(up.get("/look").text)["variables"]["LAMBDA_TASK_ROOT"]
    assert found["layered"].endswith("/python/layered.py")
    assert found["twice"].endswith("/python/lib/python3.13/site-packages/twice.py")
    assert found["boto3"].endswith("/python/boto3.py")  # before the runtime's own
    assert found["mine"] == f"{task}/mine.py"  # and the function's own before all


def test_nothing_of_this_machines_packages(tmp_path: Path, cache: Path) -> None:
    """What is installed where Penstock runs, or in this machine's Python, is not the function's."""
    project = make_handler_project(tmp_path / "site", Shape())
    (project.code / "app.py").write_text("import rich\n")
    with running_handler(project, cache) as up:
        assert up.ended() == 1
        assert up.wait_for("failed")["errorMessage"] == "Unable to import module 'app': No module named 'rich'"


def test_no_package_index_is_one_line(tmp_path: Path) -> None:
    project = make_handler_project(tmp_path / "site", Shape())
    user = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "uv")}
    with running(project, tmp_path / "cache", user=user) as up:
        assert up.ended() == 2
    (line,) = up.stderr.splitlines()
    assert "cannot install AWS's Python runtime for App: " in line
    assert os.listdir(tmp_path / "cache" / "penstock" / "runtime") == [".locks"]


def test_little_memory_for_each_worker_is_a_warning(tmp_path: Path, cache: Path) -> None:
    project = make_handler_project(tmp_path / "site", Shape(concurrency=64))
    (project.code / "app.py").write_text("import no_such_module\n")
    with running_handler(project, cache) as up:
        assert up.ended() == 1
        line = "App: 64 workers share 2048 MB: 32 MB each, which is little: lower PerExecutionEnvironmentMaxConcurrency"
        assert up.said("warning", text=line)


def test_in_a_network_of_its_own(tmp_path: Path, cache: Path) -> None:
    need_namespaces()
    project = make_handler_project(tmp_path / "site", Shape(timeout=1))
    with running_handler(project, cache, "--network", "isolated", environments=2) as up:
        seen = json.loads(up.get("/look").text)["variables"]
        assert seen["AWS_LAMBDA_RUNTIME_API"] == "127.0.0.1:9001"
        assert up.get("/die").status == 502
        assert up.wait_for("environment", state="worker-died")["slots"] == 3
