"""`make clients`: fetches once, and where it cannot it says so and ends well. Cargo, npm and node are scripts here."""

import json
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from support.up import eventually
from support.web_adapter import CLIENTS

PINS = CLIENTS.with_name("clients")
FETCH = ("fetch", "lambda-web-adapter")
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
# `npm ci` in a folder: the packages of the test.
NPM = """\
#!/bin/sh
test "$1" = ci && test -f package-lock.json || exit 3
cp -r "$PACKAGES" node_modules
printf n >> "$CALLS"
"""
# `node -e SCRIPT PACKED UNPACKED`: what is packed is as it is.
NODE = '#!/bin/sh\ncp "$3" "$4"\n'
BROWSER = '#!/bin/sh\necho "$LD_LIBRARY_PATH $1"\n'
BROKEN_BROWSER = "#!/bin/sh\necho 'libnss3.so: cannot open' >&2\nexit 127\n"
NPM_OFFLINE = """\
#!/bin/sh
echo 'npm error code ENOTFOUND'
echo 'npm error network the registry cannot be reached'
echo 'npm error Log files were not written'
exit 1
"""
STUCK = '#!/bin/sh\nsleep 1000 &\necho "$$ $!" > "$CALLS"\nwait\n'


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Where nothing is but the commands that every machine has."""
    system = tmp_path / "system"
    system.mkdir()
    for name in ("sh", "mkdir", "cp", "dirname", "sleep"):
        (system / name).symlink_to(str(shutil.which(name)))
    return {
        "PATH": f"{tmp_path / 'bin'}:{tmp_path / 'system'}",
        "PENSTOCK_CLIENTS": str(tmp_path / "clients"),
        "CALLS": str(tmp_path / "calls"),
    }


def put(tmp_path: Path, name: str, script: str) -> None:
    """A command on PATH."""
    path = tmp_path / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(script)
    path.chmod(0o755)


def put_packages(tmp_path: Path, environ: dict[str, str], browser: str) -> None:
    """What npm has to give: Chromium as the package has it, only not compressed."""
    packed = tmp_path / "packages" / "@sparticuz" / "chromium" / "bin"
    packed.mkdir(parents=True)
    (packed / "chromium.br").write_text(browser)
    (tmp_path / "lib").mkdir()
    with tarfile.open(packed / "al2023.tar.br", "w") as archive:
        archive.add(tmp_path / "lib", "lib")
    environ["PACKAGES"] = str(tmp_path / "packages")


def tool(environ: Mapping[str, str], *words: str) -> tuple[int, list[str]]:
    """Exit code and lines."""
    done = subprocess.run(
        [sys.executable, str(CLIENTS), *words], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_it_builds_once(tmp_path: Path, environ: dict[str, str]) -> None:
    put(tmp_path, "cargo", CARGO)
    code, lines = tool(environ, *FETCH)
    binary = lines[-1].split(": ")[1]
    assert code == 0
    assert Path(binary).read_text() == "adapter"
    assert Path(binary).is_relative_to(tmp_path / "clients")
    assert tool(environ, *FETCH) == (0, lines[-1:])
    assert tool(environ, "where") == (0, [binary])
    assert (tmp_path / "calls").read_text() == "."


def test_no_cargo_is_one_line(environ: dict[str, str]) -> None:
    code, [line] = tool(environ, *FETCH)
    assert code == 0
    assert "there is no cargo on PATH" in line
    code, [line] = tool(environ, "where")
    assert code == 1
    assert "`make clients` builds it" in line


def test_a_cargo_that_fails_is_one_line_with_the_cause(tmp_path: Path, environ: dict[str, str]) -> None:
    put(tmp_path, "cargo", FAILING)
    code, [_, line] = tool(environ, *FETCH)
    assert code == 0
    assert "error: download of config.json failed; [7] Could not connect to server" in line
    assert "exit code is 101" in line
    assert tool(environ, "where")[0] == 1


def test_a_cache_that_cannot_be_is_one_line(tmp_path: Path, environ: dict[str, str]) -> None:
    put(tmp_path, "cargo", CARGO)
    (tmp_path / "clients").write_text("a file")
    code, [_, line] = tool(environ, *FETCH)
    assert code == 0
    assert str(tmp_path / "clients") in line


def test_a_binary_of_ones_own(tmp_path: Path, environ: dict[str, str]) -> None:
    own = tmp_path / "own"
    own.write_text("")
    for words in (FETCH, ("where",)):
        assert tool({**environ, "PENSTOCK_LWA": str(own)}, *words) == (
            2,
            [f"PENSTOCK_LWA={own} is not an executable file"],
        )
    own.chmod(0o755)
    assert tool({**environ, "PENSTOCK_LWA": str(own)}, "where") == (0, [str(own)])


def test_its_end_is_cargos_end(tmp_path: Path, environ: dict[str, str]) -> None:
    put(tmp_path, "cargo", STUCK)
    process = subprocess.Popen([sys.executable, str(CLIENTS), *FETCH], env=environ, stdout=subprocess.DEVNULL)
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


def test_packages_of_npm_are_fetched_once(tmp_path: Path, environ: dict[str, str]) -> None:
    put(tmp_path, "npm", NPM)
    put(tmp_path, "node", NODE)
    put_packages(tmp_path, environ, BROWSER)
    code, lines = tool(environ, "fetch", "javascript-sdk", "chromium")
    folder, browser = (Path(line.split(": ")[1]) for line in (lines[1], lines[-1]))
    assert code == 0
    assert (folder / "node_modules" / "@sparticuz").is_dir()
    assert tool(environ, "where", "javascript-sdk") == (0, [str(folder)])
    assert tool(environ, "where", "chromium") == (0, [str(browser)])
    said = subprocess.run([browser, "--word"], env=environ, capture_output=True, text=True, check=True)
    assert said.stdout == f"{browser.parent / 'lib'} --word\n"
    assert tool(environ, "fetch", "javascript-sdk", "chromium")[1] == [lines[1], lines[-1]]
    assert (tmp_path / "calls").read_text() == "n"


def test_an_npm_that_fails_is_one_line_with_the_cause(tmp_path: Path, environ: dict[str, str]) -> None:
    put(tmp_path, "npm", NPM_OFFLINE)
    code, [_, line] = tool(environ, "fetch", "javascript-sdk")
    assert code == 0
    assert "npm error code ENOTFOUND; npm error network the registry cannot be reached (npm's exit code is 1" in line
    assert tool(environ, "where", "javascript-sdk") == (
        1,
        ["the AWS SDK for JavaScript is not on this machine; run `make clients`"],
    )
    kept = sorted(path.suffix for path in (tmp_path / "clients").iterdir())
    assert kept == [".log"]


@pytest.mark.parametrize("name", ["javascript-sdk", "chromium"])
def test_no_node_is_one_line(environ: dict[str, str], name: str) -> None:
    code, [line] = tool(environ, "fetch", name)
    assert code == 0
    assert "on PATH (https://nodejs.org has it)" in line


def test_a_chromium_that_cannot_run_gives_way_to_the_machines_own(tmp_path: Path, environ: dict[str, str]) -> None:
    put(tmp_path, "npm", NPM)
    put(tmp_path, "node", NODE)
    put_packages(tmp_path, environ, BROKEN_BROWSER)
    code, lines = tool(environ, "fetch", "chromium")
    assert code == 0
    assert "it does not run on this machine: libnss3.so: cannot open; install a Chromium" in lines[-1]
    assert tool(environ, "where", "chromium")[0] == 1
    put(tmp_path, "chromium", BROWSER)
    assert tool(environ, "fetch", "chromium") == (0, [f"Chromium: {tmp_path / 'bin' / 'chromium'}"])


def test_a_chromium_of_ones_own(tmp_path: Path, environ: dict[str, str]) -> None:
    own = {**environ, "PENSTOCK_CHROMIUM": str(tmp_path / "bin" / "own")}
    wrong = f"PENSTOCK_CHROMIUM={tmp_path / 'bin' / 'own'} is not an executable file"
    assert tool(own, "where", "chromium") == (2, [wrong])
    assert tool(own, "fetch", "chromium") == (2, [wrong])
    put(tmp_path, "own", BROWSER)
    assert tool(own, "where", "chromium") == (0, [str(tmp_path / "bin" / "own")])


def test_an_index_that_cannot_be_reached_is_one_line(tmp_path: Path, environ: dict[str, str]) -> None:
    offline = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "uv"), "UV_NO_CONFIG": "1"}
    code, [_, line] = tool({**environ, **offline}, "fetch", "aws-cli")
    assert code == 0
    assert line.startswith("AWS CLI: not there, its tests will be skipped: error: ")
    assert tool(environ, "where", "aws-cli")[0] == 1


@pytest.mark.parametrize("words", [("where", "nobody"), ("fetch",), ("fetch", "nobody"), ("fetch all",)])
def test_unknown_words_are_one_line(environ: dict[str, str], words: tuple[str, ...]) -> None:
    code, [line] = tool(environ, *words)
    assert code == 2
    clients = "aws-cli, aws-cli-2, sam-cli, javascript-sdk, chromium, lambda-web-adapter"
    assert f"there is: where NAME, fetch NAME..., with {clients}" in line


def test_lock_files_hold_hashes_and_no_address() -> None:
    lock = json.loads((PINS / "package-lock.json").read_text())
    packages = [package for path, package in lock["packages"].items() if path]
    assert all("integrity" in package and "resolved" not in package for package in packages)
    pins = (PINS / "awscli.txt").read_text()
    assert "://" not in pins
    assert pins.count("==") <= pins.count("--hash=sha256:")


def has_ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)  # nobody may be there to reap it
    except psutil.NoSuchProcess:
        return True
