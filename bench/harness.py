"""What every bench needs: a running `penstock up`, a bare HTTP client, percentiles, and the machine in one line."""

import asyncio
import contextlib
import os
import platform
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import monotonic, monotonic_ns
from typing import Final
from urllib.parse import urlsplit

import orjson
import psutil

HERE: Final = Path(__file__).parent
TEMPLATE: Final = HERE / "template.yaml"
BARE_RUNTIME: Final = HERE / "bare_runtime.yaml"
EXAMPLE: Final = HERE.parent / "examples" / "fastapi-streaming" / "template.yaml"


def machine() -> str:
    """Processor, cores, system and the versions that matter."""
    model = platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    packages = ", ".join(f"{name} {version(name)}" for name in ("uvloop", "httptools", "orjson"))
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} x {model}, {system}, {packages}"


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank; `share` from 0 to 1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values: Sequence[float], unit: str = "ms") -> str:
    return (
        f"p50 {percentile(values, 0.5):.2f} {unit}, p99 {percentile(values, 0.99):.2f} {unit}, "
        f"max {max(values):.2f} {unit} (n={len(values)})"
    )


@dataclass(frozen=True, slots=True)
class Up:
    """A running `penstock up`: where it serves, how long it took to say so, in seconds, and the platform's process."""

    host: str
    port: int
    seconds_to_ready: float
    process: psutil.Process

    def rss(self) -> int:
        """Resident memory of the platform alone, in bytes: functions are processes of their own."""
        return int(self.process.memory_info().rss)

    def peak_rss(self) -> int:
        """The most it ever was; Linux alone tells (proc_pid_status(5))."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@contextlib.asynccontextmanager
async def up(template: Path, *flags: str) -> AsyncIterator[Up]:
    """Start `penstock up` as a user does, and end it."""
    began = monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "penstock", "up", str(template), "--port", "0", "--json"),
        # What is measured is a path, not what a fleet or a quota makes of it.
        *("--no-scaling", "--vcpu-share", "measure", *flags),
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    assert process.stdout
    reading: asyncio.Task[None] | None = None
    try:
        while True:
            line = await process.stdout.readline()
            if not line:
                raise SystemExit("penstock up ended before it served")
            event = orjson.loads(line)
            if event["event"] == "ready":
                break
        url = urlsplit(next(iter(event["urls"].values())))
        reading = asyncio.ensure_future(_drop(process.stdout))
        platform_process = psutil.Process(process.pid)
        yield Up(str(url.hostname), int(url.port or 80), monotonic() - began, platform_process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        if reading:
            await reading


@contextlib.asynccontextmanager
async def bare_app() -> AsyncIterator[tuple[int, psutil.Process]]:
    """The app as `run.sh` starts it, in this project's Python, without Penstock: its port and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    target = HERE / ".uvicorn"
    if not target.exists():
        install = await asyncio.create_subprocess_exec(
            *("uv", "pip", "install", "--quiet", "--target", str(target), "-r", str(HERE / "app/requirements.txt")),
            env={**os.environ, "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"},
        )
        await install.wait()
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--log-level", "warning"),
        "main:app",
        cwd=HERE / "app",
        env={**os.environ, "PYTHONPATH": str(target)},
    )
    try:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.05)
        yield port, psutil.Process(server.pid)
    finally:
        server.terminate()
        await server.wait()


def cpu_s(process: psutil.Process) -> float:
    """Seconds of CPU it has used, all its threads, in user mode and in the kernel."""
    used = process.cpu_times()
    return float(used.user + used.system)


def adapters() -> Iterator[psutil.Process]:
    """Extensions below this process: they know the Runtime API and, unlike runtimes, no log stream."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            variables = process.environ()
            if "AWS_LAMBDA_RUNTIME_API" in variables and "AWS_LAMBDA_LOG_STREAM_NAME" not in variables:
                yield process


async def _drop(stream: asyncio.StreamReader) -> None:
    while await stream.read(1 << 16):
        pass


@dataclass(slots=True)
class Answer:
    """Times are `monotonic_ns`. `reads` holds, for each time the socket had data, when and what."""

    status: int
    sent_at: int
    ended_at: int
    reads: list[tuple[int, bytes]]

    @property
    def body(self) -> bytes:
        return b"".join(data for _, data in self.reads)


async def get(host: str, port: int, path: str) -> Answer:
    """One GET on a connection of its own; chunked framing is taken off read by read."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        sent_at = monotonic_ns()
        writer.write(b"GET %b HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n" % path.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        reads: list[tuple[int, bytes]] = []
        if b"transfer-encoding: chunked" in head:
            while size := int(await reader.readline(), 16):
                data = (await reader.readexactly(size + 2))[:-2]
                reads.append((monotonic_ns(), data))
        else:
            reads.append((monotonic_ns(), await reader.read()))
        return Answer(int(head[9:12]), sent_at, monotonic_ns(), reads)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
