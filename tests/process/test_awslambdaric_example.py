"""The repository's handler example, as it is."""

import json
import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from support.handlers import running_handler
from support.projects import Project
from support.up import shared_cache

EXAMPLE = Path(__file__).parents[2] / "examples" / "handler"


def test_the_example_serves(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "handler", ignore=shutil.ignore_patterns(".penstock"))
    project = Project(tmp_path / "handler", uuid4().hex)
    with running_handler(project, shared_cache(tmp_path_factory)) as up:
        reply = up.get("/?seconds=0.01")
        assert up.said("info", text="HandlerFunction: 16 workers share 2048 MB: 128 MB each")
    assert reply.status == 200
    said = json.loads(reply.text)
    assert said["requestId"] == reply.request_id
    assert said["requests"] == 1
