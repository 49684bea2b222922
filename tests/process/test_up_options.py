"""Flags of `penstock up` at work, and what a person sees instead of JSON lines."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.calls import PATIENCE_S, Call
from support.gate import Gate
from support.projects import MARK, Project, Shape, make_project
from support.up import PENSTOCK, running, shared_cache, variables


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


@contextmanager
def talking(project: Project, cache: Path, *command: str) -> Iterator["subprocess.Popen[str]"]:
    """A command with its output to be read; interrupted at the end."""
    process = subprocess.Popen(
        command,
        cwd=project.folder,
        env=variables(project, cache, {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            process.wait(PATIENCE_S)


def read_until(process: "subprocess.Popen[str]", pattern: str) -> "re.Match[str]":
    """The first line of its output that matches."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if found := re.search(pattern, line):
            return found
    raise AssertionError(f"no {pattern} in {seen}")


def test_what_a_person_sees(tmp_path: Path, cache: Path) -> None:
    project = make_project(tmp_path / "site")
    with talking(project, cache, *PENSTOCK, "up", "--port", "0", "--min-environments", "2") as process:
        read_until(process, r"^ready   App environment [0-9a-f]{8} \(2/2\)$")
        url = read_until(process, r"^serving App at (http://127\.0\.0\.1:\d+/)$")[1]
        read_until(process, "Ctrl-C to stop")
        reply = Call(url, "/hello").rest()
        line = read_until(process, r" 200 .* GET /hello  env ([0-9a-f]{8})  req (\S+)$")
        assert (line[1], line[2]) == (reply.environment[:8], reply.request_id)
        os.killpg(process.pid, signal.SIGINT)
        read_until(process, "^stopping$")
        assert process.wait(PATIENCE_S) == 0


def test_the_demo_streams_once_and_serves_on(tmp_path: Path, cache: Path) -> None:
    project = make_project(tmp_path / "site")
    demo = (sys.executable, "-m", "penstock.cli.demo", str(project.template), "--port", "0")
    with talking(project, cache, *demo) as process:
        url = read_until(process, r"^\$ curl -N (http://\S+)$")[1]
        read_until(process, "^ok$")
        assert Call(url, "/hello").rest().text == "ok"
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0


def test_variables_from_a_file(tmp_path: Path, cache: Path) -> None:
    project = make_project(tmp_path / "site", Shape({"GREETING": "hello", "MOOD": "calm"}))
    values = {"Parameters": {"MOOD": "merry", MARK: project.mark}, "App": {"GREETING": "bonjour"}}
    (project.folder / "env.json").write_text(json.dumps(values))
    with running(project, cache, "--env-vars", "env.json") as up:
        seen = json.loads(up.get("/environ").text)
    assert (seen["GREETING"], seen["MOOD"]) == ("bonjour", "merry")


def test_parameters_stack_name_and_a_layer_by_hand(tmp_path: Path, cache: Path) -> None:
    layer = "arn:aws:lambda:us-east-1:123456789012:layer:mine:1"
    project = make_project(tmp_path / "site", Shape(layers=(*Shape().layers, layer)))
    text = project.template.read_text().replace("Parameters:", "Parameters:\n  Stage: {Type: String}")
    project.template.write_text(text.replace('"PORT": 8000', '"PORT": 8000, "STAGE": !Ref Stage'))
    (project.folder / "mine").mkdir()
    (project.folder / "mine" / "greeting.txt").write_text("from the layer")
    flags = ("--parameter-overrides", "Stage=prod", "--stack-name", "shop", "--layer", f"{layer}=mine")
    with running(project, cache, *flags) as up:
        seen = json.loads(up.get("/environ").text)
        looked = json.loads(up.get("/look").text)
        outputs = up.wait_for("ready")["outputs"]
    assert seen["STAGE"] == "prod"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"].startswith("shop-App-")
    assert "greeting.txt" in looked["opt"]
    assert outputs == {}
    assert project.logs.parent.parent.name == "shop"


def test_a_built_template_is_taken_as_it_is(tmp_path: Path, cache: Path) -> None:
    """Newer than the source, so it is the one; its requirements are not installed again."""
    project = make_project(tmp_path / "site")
    built = make_project(project.folder / ".aws-sam" / "build")
    (built.code / "requirements.txt").write_text("no-such-package-at-all\n")
    (built.code / "built.txt").write_text("")
    os.utime(project.template, (0, 0))
    with running(project, cache, template=None) as up:
        assert "built.txt" in json.loads(up.get("/look").text)["task"]
    assert project.logs.is_file()


def test_edited_code_is_what_runs_next(tmp_path: Path, cache: Path) -> None:
    project = make_project(tmp_path / "site")
    with running(project, cache) as up:
        assert up.get().text == "ok"
    app = project.code / "app.py"
    app.write_text(app.read_text().replace('else "ok"', 'else "edited"'))
    with running(project, cache) as up:
        assert up.get().text == "edited"


def test_a_buffered_function_url(tmp_path: Path, cache: Path) -> None:
    """The adapter answers in one piece, and so does the URL."""
    with Gate() as gate:
        project = make_project(tmp_path / "site", Shape({"GATE": gate.port, "AWS_LWA_INVOKE_MODE": "buffered"}))
        text = project.template.read_text()
        project.template.write_text(text.replace("InvokeMode: RESPONSE_STREAM", "InvokeMode: BUFFERED"))
        with running(project, cache) as up:
            reply = up.occupy(gate, "/stream").release()
            assert (reply.status, reply.text) == (200, "begin\nend\n")
            assert reply.headers["content-length"] == str(len(reply.body))
