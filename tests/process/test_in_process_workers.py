"""PENSTOCK_WORKERS in an environment: two processes of one app that share its slots, and end with it."""

from pathlib import Path

import pytest

from penstock.packaging.adapter_layer import REQUIREMENTS
from support.gate import Gate
from support.package_index import need_packages
from support.projects import Shape, make_project
from support.up import running, shared_cache

APP = """
import asyncio, json, os, socket

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    connection = socket.create_connection(("127.0.0.1", int(os.environ["GATE"])))
    said = {"name": "wait", "environment": "", "pid": os.getpid()}
    connection.sendall(json.dumps(said).encode() + b"\\n")
    reader, writer = await asyncio.open_connection(sock=connection)
    await reader.read()
    writer.close()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


def test_two_processes_share_four_slots(tmp_path: Path, cache: Path) -> None:
    with Gate() as gate:
        variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/penstock", "PENSTOCK_WORKERS": "2", "GATE": str(gate.port)}
        shape = Shape(variables=variables, layers=(), handler="main.app")
        project = make_project(tmp_path / "site", shape)
        project.code.joinpath("main.py").write_text(APP)
        with running(project, cache, user=need_packages(REQUIREMENTS)) as up:
            held = [up.occupy(gate) for _ in range(4)]
            assert up.get().status == 429
            pids = [one.visit.pid for one in held]
            assert sorted(pids.count(pid) for pid in set(pids)) == [2, 2]
            assert {one.release().text for one in held} == {str(pid) for pid in pids}
