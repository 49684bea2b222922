"""The real Lambda Web Adapter in the place of ours: where its binary is, and projects that run with it."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from support.gate import Gate
from support.projects import LAYER, Project, Shape, make_project

CLIENTS = Path(__file__).parents[2] / "tools" / "clients.py"
APP = Path(__file__).with_name("bodies_app.py")
SLOTS = 64
# The process name by which it is told from penstock_adapter, which is a Python.
BINARY = "lambda-adapter"


def need_web_adapter() -> Path:
    """The binary; skips where it is missing, fails where PENSTOCK_LWA is wrong."""
    found = subprocess.run([sys.executable, str(CLIENTS), "where"], capture_output=True, text=True, check=False)
    said = found.stdout.strip() or found.stderr.strip()
    if found.returncode == 1:
        pytest.skip(said)
    assert found.returncode == 0, said
    return Path(said)


def layer_flags(arn: str = LAYER) -> tuple[str, str]:
    """Of `penstock up`, for a template with that layer."""
    return "--layer", f"{arn}={need_web_adapter()}"


def make_site(folder: Path, gate: Gate, shape: Shape | None = None, *, buffered: bool = False) -> Project:
    """A project of the bodies app. `buffered` is its Function URL's mode and the adapter's."""
    shape = shape or Shape()
    mode = {"AWS_LWA_INVOKE_MODE": "buffered"} if buffered else {}
    shape = replace(shape, concurrency=SLOTS, variables={"GATE": gate.port, **mode, **shape.variables})
    project = make_project(folder, shape)
    shutil.copyfile(APP, project.code / "app.py")
    if buffered:
        template = project.template.read_text()
        project.template.write_text(template.replace("InvokeMode: RESPONSE_STREAM", "InvokeMode: BUFFERED"))
    return project
