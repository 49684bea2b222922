"""`penstock logs --follow` as a process: it sees what comes, and ends quietly."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

COMMAND = "import typer; from penstock.cli.logs import show_logs; typer.run(show_logs)"
LINE = '{"time":"2026-11-23T06:23:20.000Z","type":"function","environment":"e","logStream":"s","record":"%s"}\n'
TIMEOUT_S = 20


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / ".penstock" / "stack" / "logs" / "App.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(LINE % "one")
    return path


def add(log: Path, *texts: str) -> None:
    with log.open("a") as file:
        file.writelines(LINE % text for text in texts)


async def start(folder: Path, *flags: str, stdout: int = PIPE) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, "--template", str(folder), *flags),
        stdout=stdout,
        stderr=PIPE,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )


async def next_text(process: Process) -> str:
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), TIMEOUT_S)
    return line.decode().rstrip("\n").split(" ", 3)[-1].strip()


async def ended(process: Process) -> tuple[int | None, bytes]:
    assert process.stderr is not None
    error = await asyncio.wait_for(process.stderr.read(), TIMEOUT_S)
    return await asyncio.wait_for(process.wait(), TIMEOUT_S), error


async def test_follow_sees_new_lines_until_ctrl_c(tmp_path: Path, log: Path) -> None:
    process = await start(tmp_path, "--follow")
    assert await next_text(process) == "one"
    add(log, "two")
    assert await next_text(process) == "two"
    os.rename(log, f"{log}.1")
    add(log, "three")
    assert await next_text(process) == "three"
    process.send_signal(signal.SIGINT)
    assert await ended(process) == (0, b"")


async def test_follow_ends_when_nobody_reads_any_more(tmp_path: Path, log: Path) -> None:
    """Also when no further line comes that would fail to be written."""
    reading, writing = os.pipe()
    process = await start(tmp_path, "--follow", stdout=writing)
    os.close(writing)
    assert b"one" in await asyncio.to_thread(os.read, reading, 1000)
    os.close(reading)
    assert await ended(process) == (0, b"")


async def test_head_ends_it_quietly(tmp_path: Path, log: Path) -> None:
    add(log, *(["x"] * 20_000))
    reading, writing = os.pipe()
    process = await start(tmp_path, stdout=writing)
    os.close(writing)
    await asyncio.to_thread(os.read, reading, 100)
    os.close(reading)
    assert await ended(process) == (0, b"")


async def test_letters_the_terminal_does_not_have(tmp_path: Path, log: Path) -> None:
    add(log, "café")
    process = await start(tmp_path)
    assert await next_text(process) == "one"
    assert await next_text(process) == "caf\\xe9"
    assert await ended(process) == (0, b"")
