"""`make clients`: builds once, and where it cannot build it says so and ends well. Cargo is a script here."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from support.up import eventually
from support.web_adapter import CLIENTS

# What `cargo install ... --root FOLDER ...` comes down to; a dot for each time it was called.
CARGO = """\
#!/bin/sh
while [ "$1" != --root ]; do shift; done
mkdir -p "$2/bin"
printf . >> "$CALLS"
printf adapter > "$2/bin/lambda-adapter"
"""
FAILING = """\
#!/bin/sh
echo 'warning: spurious network error' >&2
echo 'error: download of config.json failed' >&2
echo >&2
echo 'Caused by:' >&2
echo '  [7] Could not connect to server' >&2
exit 101
"""
STUCK = '#!/bin/sh\nsleep 1000 &\necho "$$ $!" > "$CALLS"\nwait\n'


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Without a cargo."""
    return {
        "PATH": f"{tmp_path / 'bin'}:{os.defpath}",
        "PENSTOCK_CLIENTS": str(tmp_path / "clients"),
        "CALLS": str(tmp_path / "calls"),
    }


def put_cargo(tmp_path: Path, script: str) -> None:
    cargo = tmp_path / "bin" / "cargo"
    cargo.parent.mkdir()
    cargo.write_text(script)
    cargo.chmod(0o755)


def tool(environ: Mapping[str, str], *words: str) -> tuple[int, list[str]]:
    """Exit code and lines."""
    done = subprocess.run(
        [sys.executable, str(CLIENTS), *words], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_it_builds_once(tmp_path: Path, environ: dict[str, str]) -> None:
    put_cargo(tmp_path, CARGO)
    code, lines = tool(environ)
    binary = lines[-1].split(": ")[1]
    assert code == 0
    assert Path(binary).read_text() == "adapter"
    assert Path(binary).is_relative_to(tmp_path / "clients")
    assert tool(environ) == (0, lines[-1:])
    assert tool(environ, "where") == (0, [binary])
    assert (tmp_path / "calls").read_text() == "."


def test_no_cargo_is_one_line(environ: dict[str, str]) -> None:
    code, [line] = tool(environ)
    assert code == 0
    assert "there is no cargo on PATH" in line
    code, [line] = tool(environ, "where")
    assert code == 1
    assert "`make clients` builds it" in line


def test_a_cargo_that_fails_is_one_line_with_the_cause(tmp_path: Path, environ: dict[str, str]) -> None:
    put_cargo(tmp_path, FAILING)
    code, [_, line] = tool(environ)
    assert code == 0
    assert "error: download of config.json failed; [7] Could not connect to server" in line
    assert "exit code is 101" in line
    assert tool(environ, "where")[0] == 1


def test_a_cache_that_cannot_be_is_one_line(tmp_path: Path, environ: dict[str, str]) -> None:
    put_cargo(tmp_path, CARGO)
    (tmp_path / "clients").write_text("a file")
    code, [_, line] = tool(environ)
    assert code == 0
    assert str(tmp_path / "clients") in line


def test_a_binary_of_ones_own(tmp_path: Path, environ: dict[str, str]) -> None:
    own = tmp_path / "own"
    own.write_text("")
    for words in ((), ("where",)):
        assert tool({**environ, "PENSTOCK_LWA": str(own)}, *words) == (
            2,
            [f"PENSTOCK_LWA={own} is not an executable file"],
        )
    own.chmod(0o755)
    assert tool({**environ, "PENSTOCK_LWA": str(own)}, "where") == (0, [str(own)])


def test_its_end_is_cargos_end(tmp_path: Path, environ: dict[str, str]) -> None:
    put_cargo(tmp_path, STUCK)
    process = subprocess.Popen([sys.executable, str(CLIENTS)], env=environ, stdout=subprocess.DEVNULL)
    calls = tmp_path / "calls"
    eventually(lambda: calls.exists() and calls.read_text().endswith("\n"), "the start of cargo")
    started = [psutil.Process(int(pid)) for pid in calls.read_text().split()]
    try:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
        eventually(lambda: all(map(has_ended, started)), "the end of cargo and its child")
    finally:
        process.kill()
        for one in started:
            with suppress(psutil.NoSuchProcess):
                one.kill()


def has_ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)  # nobody may be there to reap it
    except psutil.NoSuchProcess:
        return True
