"""A real sandbox for a test: runs programs in it and keeps what was called back."""

import asyncio
import functools
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from penstock.environment.sandbox import ProcessExit, Sandbox, SandboxSpec
from support.streams import within

PATH = "/usr/local/bin:/usr/bin:/bin"
INTERPRETERS = tuple({Path(sys.prefix), Path(sys.base_prefix)})

_PROBE = """
import ctypes, os, sys
NEWNS, NEWUSER, NEWPID, NEWNET = 0x20000, 0x10000000, 0x20000000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(NEWNS | NEWPID | NEWNET | (NEWUSER if os.geteuid() else 0)):
    sys.exit(os.strerror(ctypes.get_errno()))
"""


@functools.cache
def refused() -> str:
    """Why a test can have no namespaces here, asked of the kernel and not of the code under test; empty if it can."""
    if sys.platform != "linux":
        return "they need Linux"
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False)
    return probe.stderr.strip()


def need_namespaces() -> None:
    if refused():
        pytest.skip(f"no namespaces on this machine: {refused()}")


def make_spec(
    tmp_path: Path,
    *,
    tmp_mib: int = 512,
    isolated_network: bool = False,
    keep_visible: tuple[Path, ...] = INTERPRETERS,
    lang_root: Path | None = None,
    runtime_root: Path | None = None,
    namespaces: bool = True,
) -> SandboxSpec:
    """With `tmp_path`'s `task` and `opt`, made here when the test did not."""
    for name in ("task", "opt"):
        (tmp_path / name).mkdir(exist_ok=True)
    return SandboxSpec(
        task_root=tmp_path / "task",
        opt_root=tmp_path / "opt",
        lang_root=lang_root,
        runtime_root=runtime_root,
        tmp_mib=tmp_mib,
        max_open_files=4096,
        isolated_network=isolated_network,
        keep_visible=keep_visible,
        namespaces=namespaces,
    )


class Rig:
    """`sandbox` is set by `rigged`."""

    sandbox: Sandbox

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.lost = asyncio.Event()
        self._exits: defaultdict[str, asyncio.Future[ProcessExit]] = defaultdict(
            asyncio.get_running_loop().create_future
        )
        self._transports: list[asyncio.BaseTransport] = []

    def on_exit(self, exit_: ProcessExit) -> None:
        self.calls.append(f"exit {exit_.name}")
        self._exits[exit_.name].set_result(exit_)

    def on_lost(self) -> None:
        self.calls.append("lost")
        self.lost.set()

    async def ended(self, name: str) -> ProcessExit:
        return await within(self._exits[name])

    async def pipe(self) -> tuple[asyncio.StreamReader, int]:
        """What is written to the descriptor can be read from the reader."""
        read_end, write_end = os.pipe()
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb")
        )
        self._transports.append(transport)
        return reader, write_end

    async def start(self, name: str, *argv: str, env: Mapping[str, str] | None = None) -> asyncio.StreamReader:
        """Start a program in the task root; its output."""
        output, write_end = await self.pipe()
        variables = {"PATH": PATH} if env is None else env
        await within(self.sandbox.spawn(name, argv, variables, self.sandbox.paths.task_root, write_end))
        return output

    async def sh(self, script: str) -> str:
        """Run a shell script to its end; all it printed, stripped. Once for each sandbox."""
        output = await self.start("sh", "sh", "-c", script)
        text = await within(output.read())
        await self.ended("sh")
        return text.decode().strip()

    async def python(self, program: str) -> str:
        """The same for a Python program that uses only the standard library."""
        output = await self.start("python", sys.executable, "-I", "-S", "-c", program)
        text = await within(output.read())
        await self.ended("python")
        return text.decode().strip()

    def close(self) -> None:
        for transport in self._transports:
            transport.close()


@asynccontextmanager
async def rigged(spec: SandboxSpec, work_dir: Path) -> AsyncIterator[Rig]:
    rig = Rig()
    rig.sandbox = await within(Sandbox.start(spec, work_dir, rig.on_exit, rig.on_lost))
    try:
        yield rig
    finally:
        await within(rig.sandbox.kill())
        rig.close()
