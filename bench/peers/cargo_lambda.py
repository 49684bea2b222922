"""`cargo lambda watch` with the app on our adapter, in process: the fastest Python runtime client it can be given."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from bench.peers.ports import end, free_port, listening
from bench.peers.project import ADAPTER, Project, uv_install

VERSION: Final = "1.9.2"
SLOTS: Final = 64
_FUNCTION: Final = "app"
# It wants a crate to stand in and knows functions by the names of its binaries.
_MANIFEST: Final = f'[package]\nname = "{_FUNCTION}"\nversion = "0.1.0"\nedition = "2021"\n'


@dataclass(frozen=True, slots=True)
class Running:
    """The function's URL, and the processes of cargo-lambda and of the app."""

    url: str
    processes: tuple[psutil.Process, psutil.Process]


@contextlib.asynccontextmanager
async def cargo_lambda(project: Project, invoke_mode: str) -> AsyncIterator[Running]:
    """For where `why_missing` gives no reason. `invoke_mode` is the adapter's: `buffered` or `response_stream`."""
    port = free_port()
    flags = ("--only-lambda-apis", "--disable-cors", "--invoke-address", "127.0.0.1", "--invoke-port", str(port))
    watch = await asyncio.create_subprocess_exec(
        _binary(project), "lambda", "watch", *flags, cwd=_crate(project), stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await listening(port, watch)
        runtime = await _runtime(project, port, invoke_mode)
        try:
            processes = (psutil.Process(watch.pid), psutil.Process(runtime.pid))
            yield Running(f"http://127.0.0.1:{port}/lambda-url/{_FUNCTION}", processes)
        finally:
            await end(runtime)
    finally:
        await end(watch)


async def _runtime(project: Project, port: int, invoke_mode: str) -> asyncio.subprocess.Process:
    variables = {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}/.rt/{_FUNCTION}",
        "AWS_LAMBDA_MAX_CONCURRENCY": str(SLOTS),
        "AWS_LWA_INVOKE_MODE": invoke_mode,
        "LAMBDA_TASK_ROOT": str(project.app),
        "PYTHONPATH": f"{ADAPTER.parent}:{project.app}",
        "_HANDLER": "main.app",
    }
    return await asyncio.create_subprocess_exec(
        project.python,
        Path(__file__).with_name("cargo_runtime.py"),
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.DEVNULL,  # a warning for each caller that leaves within an answer, as wrk's do
    )


async def why_missing(project: Project) -> str | None:
    """Installs it from PyPI, once, without the compiler that it depends on: nothing is built here."""
    if not shutil.which("cargo"):
        return "it runs `cargo metadata`, and there is no cargo on PATH"
    if _binary(project).is_file():
        return None
    done = await uv_install(project.python, _binary(project).parents[1], "--no-deps", f"cargo-lambda=={VERSION}")
    return None if done else "uv could not install it"


def _binary(project: Project) -> Path:
    return project.folder / f"cargo-lambda-{VERSION}" / "bin" / "cargo-lambda"


def _crate(project: Project) -> Path:
    crate = project.folder / "crate"
    (crate / "src").mkdir(parents=True, exist_ok=True)
    (crate / "Cargo.toml").write_text(_MANIFEST)
    (crate / "src" / "main.rs").write_text("fn main() {}\n")
    return crate
