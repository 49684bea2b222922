"""Streams for workers, with real processes at the other end."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.environment.worker_streams import MAX_PATH_BYTES, WorkerStreams
from support.streams import within

# What the runtime client does in each worker: https://github.com/aws/aws-lambda-python-runtime-interface-client
_WORKER = """
import os, socket, sys
def redirect(fd):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(sys.argv[1])
        os.dup2(connection.fileno(), fd)
redirect(1)
redirect(2)
"""


class Rig:
    def __init__(self, path: Path) -> None:
        self.lines: list[str] = []
        self.deaths = 0
        self._news = asyncio.Event()
        self.streams = WorkerStreams(path, self._line, self._death)

    def _line(self, line: bytes) -> None:
        self.lines.append(line.decode())
        self._news.set()

    def _death(self) -> None:
        self.deaths += 1
        self._news.set()

    async def until(self, *, lines: int = 0, deaths: int = 0) -> None:
        while len(self.lines) < lines or self.deaths < deaths:
            self._news.clear()
            await within(self._news.wait())

    def worker(self, program: str) -> "subprocess.Popen[bytes]":
        """Reads the program's further steps, one for each line on its stdin; at the end of stdin it ends."""
        folder, name = self.streams.path.parent, self.streams.path.name
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", f"{_WORKER}{program}\nsys.stdin.read()", name],
            cwd=folder,
            stdin=subprocess.PIPE,
        )


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path / "workers.sock")
    await rig.streams.open()
    yield rig
    rig.streams.close()


def end(process: "subprocess.Popen[bytes]") -> None:
    process.communicate()


async def test_both_streams_of_a_worker_are_read(rig: Rig) -> None:
    process = rig.worker("print('out', flush=True); print('err', file=sys.stderr, flush=True)")
    await rig.until(lines=2)
    assert sorted(rig.lines) == ["err", "out"]
    assert rig.deaths == 0
    end(process)
    await rig.until(deaths=1)


async def test_each_death_is_told_once_and_by_any_signal(rig: Rig) -> None:
    processes = [rig.worker("print('ready', flush=True)") for _ in range(3)]
    await rig.until(lines=3)
    processes[1].kill()
    await rig.until(deaths=1)  # although nobody waited for the process yet
    processes[0].terminate()
    await rig.until(deaths=2)
    for process in processes:
        end(process)
    await rig.until(deaths=3)
    assert rig.deaths == 3


async def test_a_worker_without_output_is_not_dead(rig: Rig) -> None:
    """Closed streams say nothing: the process itself is watched."""
    process = rig.worker("print('last', flush=True); os.close(1); os.close(2)")
    await rig.until(lines=1)
    await within(asyncio.gather(*rig.streams.closed))
    assert rig.deaths == 0
    end(process)
    await rig.until(deaths=1)


async def test_a_worker_is_dead_although_its_child_keeps_the_streams(rig: Rig) -> None:
    process = rig.worker("os.fork() and os._exit(0)\nprint('child', flush=True)")
    await rig.until(deaths=1, lines=1)
    assert not any(stream.done() for stream in rig.streams.closed)
    end(process)
    await within(asyncio.gather(*rig.streams.closed))


async def test_nothing_is_told_once_closed(rig: Rig) -> None:
    process = rig.worker("print('ready', flush=True)")
    await rig.until(lines=1)
    rig.streams.close()
    assert not rig.streams.path.exists()
    end(process)
    await within(asyncio.gather(*rig.streams.closed))
    assert rig.deaths == 0


async def test_a_folder_with_a_long_name(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    rig = Rig(folder / "workers.sock")
    assert len(os.fsencode(rig.streams.path)) > MAX_PATH_BYTES
    await rig.streams.open()
    process = rig.worker("print('ready', flush=True)")
    await rig.until(lines=1)
    end(process)
    await rig.until(deaths=1)
    rig.streams.close()
    assert os.listdir(folder) == []


async def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await Rig(tmp_path / "gone" / "workers.sock").streams.open()
