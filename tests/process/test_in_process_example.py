"""`penstock up examples/fastapi-inprocess`: the app in process, its layer supplied, or built."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest

from penstock.packaging import interpreter
from support.calls import Call, Reply
from support.package_index import need_packages
from support.projects import Project
from support.up import PENSTOCK, Up, command, eventually, running, shared_cache

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi-inprocess"
SENTENCE = "one process answers many requests at the same time"
SUPPLIED = "FastAPIFunction: no layer holds /opt/penstock: it is supplied here"
SLOTS = 64


def copy(folder: Path) -> Project:
    """So that nothing is written into the repository. What was built there stays there."""
    target = folder / "fastapi-inprocess"
    shutil.copytree(EXAMPLE, target, ignore=shutil.ignore_patterns(".penstock", "__pycache__", ".aws-sam", "layer"))
    (target / "layer").mkdir()
    shutil.copyfile(EXAMPLE / "layer" / "Makefile", target / "layer" / "Makefile")
    return Project(target, uuid4().hex)


@pytest.fixture(scope="module")
def user() -> dict[str, str]:
    return need_packages(EXAMPLE / "app" / "requirements.txt")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return copy(tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


@pytest.fixture(scope="module")
def up(project: Project, cache: Path, user: dict[str, str]) -> Iterator[Up]:
    with running(project, cache, user=user) as up:
        up.wait_for("ready")
        yield up


def supplied(up: Up) -> list[str]:
    return [event["text"] for event in up.said("warning") if event["text"].startswith(SUPPLIED)]


def test_the_layer_is_supplied_and_it_says_what_aws_needs(up: Up) -> None:
    (told,) = supplied(up)
    assert "`penstock layer build`" in told


def test_the_app_runs_without_a_web_server(up: Up) -> None:
    reply = up.get("/health")
    assert (reply.status, reply.text) == (200, '{"status":"ok"}')
    runtime = up.runtime(up.environments[0])
    assert runtime.cmdline()[-1] == "/opt/python/penstock_adapter/layer/start.py"
    assert [one for one in runtime.net_connections() if one.status == "LISTEN"] == []


class Streamed(NamedTuple):
    """An answer as it came. `took` in seconds."""

    request_id: str
    pieces: list[bytes]
    took: float


@pytest.fixture(scope="module")
def streamed(up: Up) -> Streamed:
    call = up.call("/")
    began = time.monotonic()
    pieces = list(iter(lambda: call.read(1000), b""))
    took = time.monotonic() - began
    request_id = str(call.response.getheader("x-amzn-requestid"))
    call.close()
    return Streamed(request_id, pieces, took)


def test_the_answer_arrives_character_by_character(streamed: Streamed) -> None:
    text = f"[{streamed.request_id}] {SENTENCE}\n"
    assert b"".join(streamed.pieces).decode() == text
    # A busy machine may join a few; one that waits for the end joins all.
    assert len(streamed.pieces) > len(text) * 0.8
    assert streamed.took > len(text) * 0.05 * 0.8


def burst(up: Up) -> list[Reply] | None:
    """One request for each slot at once; None while not every slot asks already, as a moment after the start."""
    calls = [Call(up.url, "/") for _ in range(SLOTS)]
    with ThreadPoolExecutor(SLOTS) as pool:
        replies = list(pool.map(Call.rest, calls))
    return replies if all(reply.status == 200 for reply in replies) else None


def test_one_process_answers_as_many_as_there_are_slots(up: Up) -> None:
    replies = eventually(lambda: burst(up), f"{SLOTS} answers at once", 60.0)
    for reply in replies:
        assert reply.text == f"[{reply.request_id}] {SENTENCE}\n"


def test_logs_name_the_request_of_each_line(streamed: Streamed, project: Project, cache: Path) -> None:
    def shown() -> str | None:
        lines = command(project, cache, "logs", "--request-id", streamed.request_id).stdout
        return lines if "REPORT RequestId" in lines else None

    assert f"streaming to request {streamed.request_id}" in eventually(shown, "the end of the request in the log")


@pytest.mark.parametrize("flags", [("--network", "isolated"), ("--no-namespaces",)])
def test_in_other_sandboxes(tmp_path: Path, cache: Path, user: dict[str, str], flags: tuple[str, ...]) -> None:
    with running(copy(tmp_path), cache, *flags, user=user) as up:
        assert up.get("/health").status == 200
        assert len(supplied(up)) == 1


async def python_3_13() -> bool:
    found, _ = await interpreter.find("python3.13")
    return found.name == "python3.13" and os.uname().machine == "x86_64"


def test_with_the_layer_built(tmp_path: Path, cache: Path, user: dict[str, str]) -> None:
    """The Makefile, called as `sam build` calls it, with the layer's own folder for the artifacts."""
    make = shutil.which("make")
    if make is None or not asyncio.run(python_3_13()):
        pytest.skip("needs make, and Python 3.13 on x86_64: for these are the wheels of the example's layer")
    project = copy(tmp_path)
    layer = project.folder / "layer"
    variables = {**user, "ARTIFACTS_DIR": str(layer), "PATH": f"{Path(PENSTOCK[0]).parent}:{user['PATH']}"}
    subprocess.run([make, "build-PenstockLayer"], cwd=layer, env=variables, check=True, timeout=100)
    with running(project, cache, user=user) as up:
        assert up.get("/health").status == 200
        assert supplied(up) == []
