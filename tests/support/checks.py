"""`penstock check` as a process, on projects with one fault or another."""

import shutil
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from support.projects import LAYER, Project, Shape, make_project, write_template
from support.up import PENSTOCK, own_variables, variables

EXAMPLES = Path(__file__).parents[2] / "examples"
CHECK_APP = Path(__file__).with_name("check_app.py")
# With what it brings up and takes down, and a machine that does other things too.
CHECK_PATIENCE_S = 110.0

# As in examples/fastapi-streaming.
RUN_UVICORN = """\
#!/bin/sh
export PYTHONPATH="${LAMBDA_TASK_ROOT:-.}${PYTHONPATH:+:$PYTHONPATH}"
exec python3 -m uvicorn --host 127.0.0.1 --port "$PORT" main:app
"""


class Checked(NamedTuple):
    """How it ended, and what it said: of `--json` the object, else an empty one."""

    code: int
    result: Mapping[str, Any]
    stdout: str
    stderr: str

    @property
    def kinds(self) -> list[str]:
        """Of its findings."""
        return [finding["kind"] for finding in self.result["findings"]]

    @property
    def failing(self) -> list[str]:
        return [finding["kind"] for finding in self.result["findings"] if finding["fails"]]

    def text(self, kind: str) -> str:
        """What is told of the first finding of a kind."""
        return next(str(finding["text"]) for finding in self.result["findings"] if finding["kind"] == kind)


def copy_example(name: str, folder: Path) -> Project:
    """So that nothing is written into the repository."""
    target = folder / name
    shutil.copytree(EXAMPLES / name, target, ignore=shutil.ignore_patterns(".penstock", "__pycache__", ".aws-sam"))
    return Project(target, uuid.uuid4().hex)


def make_fault_project(folder: Path, concurrency: int = 16) -> Project:
    """The app with a fault for each path, called in process."""
    shape = Shape({"AWS_LAMBDA_EXEC_WRAPPER": "/opt/penstock"}, concurrency, layers=(), handler="main.app")
    project = make_project(folder, shape)
    shutil.copyfile(CHECK_APP, project.code / "main.py")
    return project


def behind_uvicorn(project: Project, requirements: str, concurrency: int = 16) -> None:
    """The same app as a web server behind the Lambda Web Adapter layer, in place of what the project was."""
    (project.code / "requirements.txt").write_text(requirements)
    run = project.code / "run.sh"
    run.write_text(RUN_UVICORN)
    run.chmod(0o755)
    write_template(project, Shape(concurrency=concurrency, layers=(LAYER,)))


def start_check(
    project: Project, cache: Path, *words: str, user: Mapping[str, str] | None = None
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*PENSTOCK, "check", *own_variables(project, words), *words],
        cwd=project.folder,
        env=variables(project, cache, user or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def check(project: Project, cache: Path, *words: str, user: Mapping[str, str] | None = None) -> Checked:
    """Run it to its end with `--json`."""
    with start_check(project, cache, "--json", *words, user=user) as process:
        stdout, stderr = process.communicate(timeout=CHECK_PATIENCE_S)
    return Checked(process.returncode, orjson.loads(stdout) if stdout else {}, stdout, stderr)
