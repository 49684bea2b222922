"""Projects whose function is an ordinary handler, run by AWS's own runtime client from the package index."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from penstock.packaging import python_runtime
from support.gate import Gate
from support.package_index import need_packages
from support.projects import Project, Shape, make_project
from support.up import Up, running

PROBE_HANDLER = Path(__file__).with_name("probe_handler.py")


def make_handler_project(folder: Path, shape: Shape, gate: Gate | None = None) -> Project:
    """Its `app.handler` is the probe's; `shape` gives what else differs from a function behind the web adapter."""
    variables: Mapping[str, str | int] = {
        "AWS_LAMBDA_EXEC_WRAPPER": "",
        **({"GATE": gate.port} if gate else {}),
        **shape.variables,
    }
    handler = "app.handler" if shape.handler == Shape().handler else shape.handler
    layers = () if shape.layers == Shape().layers else shape.layers
    project = make_project(folder, replace(shape, variables=variables, handler=handler, layers=layers))
    shutil.copyfile(PROBE_HANDLER, project.code / "app.py")
    return project


@contextmanager
def running_handler(project: Project, cache: Path, *flags: str, environments: int = 1) -> Iterator[Up]:
    """As `running`. Skips the test where the runtime client cannot be had."""
    user = need_packages(python_runtime.REQUIREMENTS)
    with running(project, cache, *flags, environments=environments, user=user) as up:
        yield up


def worker_processes(up: Up, environment: str) -> list[psutil.Process]:
    """The processes that the runtime's main one forked, also those that ended and were not waited for."""
    return up.runtime(environment).children()
