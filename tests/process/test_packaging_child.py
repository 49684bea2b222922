"""The tools packaging runs never outlive it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from penstock.packaging import child

SLEEPER = ("/bin/sh", "-c", "sleep 600 & echo $! $$; wait")


async def test_status_output_and_input(tmp_path: Path) -> None:
    seen: list[str] = []
    command = ("/bin/sh", "-c", "cat; pwd; echo bad >&2; exit 3")
    status, lines = await child.run(command, cwd=tmp_path, stdin=b"in\xff\n", on_line=seen.append)
    assert status == 3
    assert lines == seen == ["in\N{REPLACEMENT CHARACTER}", str(tmp_path), "bad"]


async def test_only_the_last_lines_are_kept(tmp_path: Path) -> None:
    _, lines = await child.run((sys.executable, "-c", "for n in range(1000): print(n)"), cwd=tmp_path)
    assert lines[-1] == "999"
    assert len(lines) < 100


async def test_one_that_does_not_read_its_input(tmp_path: Path) -> None:
    assert await child.run(("/bin/true",), cwd=tmp_path, stdin=b"x" * 1_000_000) == (0, [])


async def test_cancelling_kills_the_whole_group(tmp_path: Path) -> None:
    pids: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        child.run(SLEEPER, cwd=tmp_path, on_line=lambda line: pids.set_result([int(pid) for pid in line.split()]))
    )
    processes = [psutil.Process(pid) for pid in await pids]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert psutil.wait_procs(processes, timeout=10)[1] == []


async def test_it_dies_when_we_are_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, pathlib\n"
        "from penstock.packaging import child\n"
        "command = ('/bin/sh', '-c', 'echo $$; exec sleep 600')\n"
        "asyncio.run(child.run(command, cwd=pathlib.Path('/'), on_line=lambda line: print(line, flush=True)))\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    sleeper = psutil.Process(int(await parent.stdout.readline()))
    assert sleeper.is_running()
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    assert psutil.wait_procs([sleeper], timeout=10)[1] == []
