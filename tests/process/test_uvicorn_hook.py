"""PENSTOCK_UVICORN_HOOK=1: a run.sh as it is, whose uvicorn is handed the invocations; and what else it may start."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from penstock.model.function import Architecture
from penstock.packaging import adapter_layer, interpreter
from penstock.packaging.adapter_layer.archive import build
from support.gate import Gate
from support.package_index import need_packages
from support.projects import LAYER, RUN_SH, Project, Shape, make_project
from support.up import Up, eventually, running, shared_cache

NEW, OLD = "uvicorn==0.54.0", "uvicorn==0.35.0"
# As the example has it, and as the web adapter's own examples do.
UVICORN = """\
#!/bin/sh
export PYTHONPATH="${LAMBDA_TASK_ROOT:-.}${PYTHONPATH:+:$PYTHONPATH}"
exec python3 -m uvicorn --port "$PORT" main:app
"""
APP = """
import asyncio, json, os, socket


async def released(path):
    connection = socket.create_connection(("127.0.0.1", int(os.environ["GATE"])))
    said = {"name": path.strip("/"), "environment": "", "pid": os.getpid()}
    connection.sendall(json.dumps(said).encode() + b"\\n")
    reader, writer = await asyncio.open_connection(sock=connection)
    await reader.read()
    writer.close()


async def app(scope, receive, send):
    assert scope["type"] == "http"
    path = scope["path"]
    if path == "/wait":
        await released(path)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    if path == "/stream":
        await send({"type": "http.response.body", "body": b"begin\\n", "more_body": True})
        await released(path)
    loop = type(asyncio.get_running_loop()).__name__
    told = {"/loop": loop, "/stream": "end\\n", "/variables": json.dumps(dict(os.environ))}.get(path, "ok")
    await send({"type": "http.response.body", "body": told.encode()})
"""


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    needed = tmp_path_factory.mktemp("needed") / "requirements.txt"
    needed.write_text(f"{NEW}\n")
    need_packages(needed)
    return need_packages(adapter_layer.REQUIREMENTS)


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate


def site(
    folder: Path,
    run_sh: str = UVICORN,
    *,
    requirements: str = NEW,
    layers: tuple[str, ...] = (LAYER,),
    **variables: str | int,
) -> Project:
    shape = Shape({"PENSTOCK_UVICORN_HOOK": "1", **variables}, layers=layers)
    project = make_project(folder / "site", shape, run_sh=run_sh)
    (project.code / "main.py").write_text(APP)
    (project.code / "requirements.txt").write_text(f"{requirements}\n")
    return project


def listening(up: Up, environment: str) -> bool:
    """Whether the app listens at a port: the runtime's process, or one below it."""
    runtime = up.runtime(environment)
    found = [one for each in (runtime, *runtime.children(recursive=True)) for one in each.net_connections("tcp")]
    return any(one.status == psutil.CONN_LISTEN for one in found)


def said(project: Project, text: str, count: int = 1) -> list[str]:
    """What the function's log holds with `text`, once that is so many lines."""

    def found() -> list[str] | None:
        lines = [str(json.loads(line)["record"]) for line in project.logs.read_bytes().splitlines()]
        lines = [line for line in lines if text in line]
        return lines if len(lines) == count else None

    return eventually(found, f"{text!r} {count} times in the log")


def is_hooked(up: Up, project: Project) -> None:
    reply = up.get("/loop")
    assert (reply.status, reply.text) == (200, "InvocationLoop")
    assert not any(listening(up, environment) for environment in up.environments)
    assert said(project, "invocations reach uvicorn in its process", len(up.environments))


def is_proxied(up: Up, project: Project, path: str = "/loop") -> None:
    assert up.get(path).status == 200
    assert all(listening(up, environment) for environment in up.environments)
    assert said(project, "PENSTOCK_UVICORN_HOOK=1 is not in use: ", len(up.environments))


@pytest.mark.parametrize("flags", [(), ("--no-namespaces",), ("--network", "isolated")])
def test_run_sh_as_it_is(tmp_path: Path, cache: Path, user: dict[str, str], flags: tuple[str, ...]) -> None:
    project = site(tmp_path)
    with running(project, cache, *flags, environments=2, user=user) as up:
        is_hooked(up, project)
        # What the app starts is on its own.
        assert '"UVICORN_LOOP"' not in up.get("/variables").text
        told = [event["text"] for event in up.said("warning") if "PENSTOCK_UVICORN_HOOK" in event["text"]]
        assert len(told) == 1
        assert "`penstock layer build`" in told[0]


OWN_PATH = """\
#!/bin/sh
export PYTHONPATH="$LAMBDA_TASK_ROOT"
exec "$LAMBDA_TASK_ROOT/bin/uvicorn" --port "$PORT" main:app
"""
PATH_FIRST = """\
#!/bin/sh
PYTHONPATH="$PYTHONPATH:$LAMBDA_TASK_ROOT:/opt/python" exec python3 -m uvicorn --port="$PORT" main:app
"""
BELOW_A_SHELL = """\
cd "$LAMBDA_TASK_ROOT"
python3 -m uvicorn --host 0.0.0.0 --port "$PORT" main:app
"""


@pytest.mark.parametrize("run_sh", [OWN_PATH, PATH_FIRST, BELOW_A_SHELL], ids=["own", "first", "below"])
def test_however_the_file_starts_it(tmp_path: Path, cache: Path, user: dict[str, str], run_sh: str) -> None:
    project = site(tmp_path, run_sh)
    with running(project, cache, user=user) as up:
        is_hooked(up, project)


@pytest.fixture(scope="module")
def built(user: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer as an archive."""
    python, other = asyncio.run(interpreter.find("python3.13"))
    if other:
        pytest.skip(other)
    output = tmp_path_factory.mktemp("built") / "layer.zip"
    architecture = Architecture.ARM64 if os.uname().machine == "aarch64" else Architecture.X86_64
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_CACHE_DIR", user["UV_CACHE_DIR"])
        asyncio.run(build(architecture, "{}.{}".format(*python.version), output))
    return output


@pytest.mark.parametrize("wrapper", ["/opt/bootstrap", "/opt/penstock"])
def test_with_the_layer_built(tmp_path: Path, cache: Path, user: dict[str, str], built: Path, wrapper: str) -> None:
    project = site(tmp_path, layers=("PLACE",), AWS_LAMBDA_EXEC_WRAPPER=wrapper)
    shutil.copyfile(built, project.folder / "layer.zip")
    layer = "  Built: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layer.zip}}\n"
    text = (
        project.template.read_text()
        .replace('["PLACE"]', "[!Ref Built]")
        .replace("Resources:\n", f"Resources:\n{layer}")
    )
    project.template.write_text(text)
    with running(project, cache, user=user) as up:
        is_hooked(up, project)
        assert [event["text"] for event in up.said("warning") if "supplied" in event["text"]] == []


@pytest.mark.parametrize("options", ["--workers 2", "--loop asyncio"])
def test_a_uvicorn_that_listens_all_the_same(tmp_path: Path, cache: Path, user: dict[str, str], options: str) -> None:
    project = site(tmp_path, UVICORN.replace("main:app", f"{options} main:app"), AWS_LWA_ASYNC_INIT="true")
    with running(project, cache, user=user) as up:
        is_proxied(up, project)


def test_an_old_uvicorn(tmp_path: Path, cache: Path, user: dict[str, str]) -> None:
    project = site(tmp_path, requirements=OLD)
    with running(project, cache, user=user) as up:
        is_proxied(up, project)
        (line,) = said(project, "WARN ")
        assert line.endswith(
            "PENSTOCK_UVICORN_HOOK=1 has no effect: uvicorn 0.35.0 in /var/task cannot use it: 0.36 or later can"
        )


def test_another_server(tmp_path: Path, cache: Path, user: dict[str, str]) -> None:
    """The probe app's, of the standard library alone; the uvicorn among the requirements is not started."""
    project = site(tmp_path, RUN_SH)
    with running(project, cache, user=user) as up:
        is_proxied(up, project, "/environ")


def test_without_uvicorn(tmp_path: Path, cache: Path, user: dict[str, str]) -> None:
    project = site(tmp_path, RUN_SH, requirements="")
    with running(project, cache, user=user) as up:
        is_proxied(up, project, "/environ")
        assert said(project, "WARN PENSTOCK_UVICORN_HOOK=1 has no effect: there is no uvicorn in /var/task, ")


def test_neither_yes_nor_no(tmp_path: Path, cache: Path, user: dict[str, str]) -> None:
    project = site(tmp_path, PENSTOCK_UVICORN_HOOK="yes")
    with running(project, cache, user=user) as up:
        assert up.get("/loop").text != "InvocationLoop"
        assert said(project, "PENSTOCK_UVICORN_HOOK='yes' counts as 0: expected 0 or 1")


def test_an_app_that_is_killed_in_a_request(tmp_path: Path, cache: Path, user: dict[str, str], gate: Gate) -> None:
    project = site(tmp_path, GATE=gate.port)
    with running(project, cache, user=user) as up:
        (dead,) = up.environments
        held, stream = up.occupy(gate), up.occupy(gate, "/stream")
        assert stream.call.read(100) == b"begin\n"
        up.runtime(dead).kill()
        assert held.call.rest().status == 502
        assert stream.call.is_cut()
        up.wait_for("environment", state="died", environment=dead)
        eventually(lambda: up.environments, "a new environment")
        assert up.get("/loop").text == "InvocationLoop"
        assert dead not in up.environments


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_open_stream_ends_before_up_does(
    tmp_path: Path, cache: Path, user: dict[str, str], gate: Gate, signum: signal.Signals
) -> None:
    project = site(tmp_path, GATE=gate.port)
    with running(project, cache, "--drain", "30", user=user) as up:
        stream = up.occupy(gate, "/stream")
        up.send(signum)
        up.wait_for("stopping")
        reply = stream.release()
        assert (reply.status, reply.text) == (200, "begin\nend\n")
        assert up.ended() == 0
        up.assert_nothing_left(0)
        assert said(project, "Finished server process")


def test_sigterm_to_uvicorn_alone_lets_a_stream_end(
    tmp_path: Path, cache: Path, user: dict[str, str], gate: Gate
) -> None:
    project = site(tmp_path, GATE=gate.port)
    with running(project, cache, user=user) as up:
        (first,) = up.environments
        stream = up.occupy(gate, "/stream")
        up.runtime(first).terminate()
        said(project, "Waiting for connections to close")
        reply = stream.release()
        assert (reply.status, reply.text) == (200, "begin\nend\n")
        up.wait_for("environment", state="died", environment=first)
