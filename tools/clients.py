"""What only the tests with real clients need, fetched once into a cache outside the repository.

`python tools/clients.py` fetches, and ends well even where that is not possible: those tests are skipped then.
`python tools/clients.py where` prints the path of the Lambda Web Adapter's binary. Otherwise one line says why there is
none, with exit code 1, or 2 when PENSTOCK_LWA names something that cannot be it.

PENSTOCK_LWA: a binary to use instead. PENSTOCK_CLIENTS: the cache; `penstock/clients` in the user's cache by default.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

# The newest on crates.io; what it does is what 1.0.0 does: their sources are the same.
# https://crates.io/crates/lambda_web_adapter/versions, https://github.com/aws/aws-lambda-web-adapter/releases
CRATE: Final = "lambda_web_adapter"
VERSION: Final = "1.0.0-rc1"
BINARY: Final = "lambda-adapter"
NAME: Final = f"Lambda Web Adapter {VERSION}"

# Some 130 crates with link-time optimisation: under two minutes on two cores of today.
BUILD_LIMIT_S: Final = 1500.0
PROGRESS_EVERY_S: Final = 30.0
LOOK_EVERY_S: Final = 0.5

# Signals that came. Noted and not raised: an exception between the start of cargo and our care for it would orphan it.
STOPPED: Final[list[int]] = []


class Missing(Exception):
    """The binary is not there; the text is one line that says why."""


class Misplaced(Exception):
    """PENSTOCK_LWA is set and wrong; the text is one line that says so."""


def main(words: list[str], environ: Mapping[str, str]) -> int:
    """The exit code."""
    if words == ["where"]:
        return where(environ)
    if words:
        say(f"unknown words {' '.join(words)!r}; there is: where")
        return 2
    try:
        say(f"{NAME}: {fetch(environ)}")
    except Missing as missing:
        say(f"{NAME}: not built, its tests will be skipped: {missing}")
    except Misplaced as misplaced:
        say(str(misplaced))
        return 2
    return 0


def where(environ: Mapping[str, str]) -> int:
    try:
        say(str(find(environ)))
    except Missing as missing:
        say(str(missing))
        return 1
    except Misplaced as misplaced:
        say(str(misplaced))
        return 2
    return 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def cache(environ: Mapping[str, str]) -> Path:
    """https://specifications.freedesktop.org/basedir-spec/latest/: a relative path counts as unset."""
    if given := environ.get("PENSTOCK_CLIENTS"):
        return Path(given).absolute()
    base = Path(environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "penstock" / "clients"


def find(environ: Mapping[str, str]) -> Path:
    """The binary. Raises Missing, Misplaced."""
    if given := environ.get("PENSTOCK_LWA"):
        path = Path(given).absolute()
        if not (path.is_file() and os.access(path, os.X_OK)):
            raise Misplaced(f"PENSTOCK_LWA={given} is not an executable file")
        return path
    # Cargo puts it there in one move, when it is complete: its presence is the stamp.
    path = cache(environ) / f"{CRATE}-{VERSION}" / "bin" / BINARY
    if not path.is_file():
        raise Missing(f"{NAME} is not on this machine; `make clients` builds it, or set PENSTOCK_LWA to its binary")
    return path


def fetch(environ: Mapping[str, str]) -> Path:
    """The binary, built if need be. Raises Missing, Misplaced."""
    try:
        return find(environ)
    except Missing:
        cargo = shutil.which("cargo", path=environ.get("PATH"))
    if cargo is None:
        raise Missing("there is no cargo on PATH (https://rustup.rs has it)")
    say(f"{NAME}: building it from crates.io with cargo, once; that takes two to ten minutes")
    try:
        build(cargo, cache(environ), environ)
    except OSError as error:
        raise Missing(f"{error.strerror}: {error.filename}") from None
    return find(environ)


def build(cargo: str, folder: Path, environ: Mapping[str, str]) -> None:
    """Raises Missing when it does not come to an end, and OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "build"  # what an interrupted build has made is used by the next one
    log = folder / "build.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                *(cargo, "install", CRATE, "--version", f"={VERSION}", "--locked", "--no-track"),
                *("--root", str(folder / f"{CRATE}-{VERSION}"), "--target-dir", str(target)),
            ],
            cwd=folder,  # no cargo configuration of the repository's surroundings
            env={**environ, "CARGO_TERM_COLOR": "never", "CARGO_TERM_PROGRESS_WHEN": "never"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = attend(process, log)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if code != 0:
        raise Missing(f"{reason(log)} (cargo's exit code is {code}, its words are in {log})")
    shutil.rmtree(target, ignore_errors=True)


def attend(process: "subprocess.Popen[bytes]", log: Path) -> int:
    """Wait for cargo's exit code, saying now and then how far it is. Raises Missing when it takes too long."""
    began = said = time.monotonic()
    while (now := time.monotonic()) < began + BUILD_LIMIT_S:
        if STOPPED:
            sys.exit(128 + STOPPED[0])
        if now > said + PROGRESS_EVERY_S:
            said = now
            compiled = log.read_text(errors="replace").count("Compiling ")
            say(f"{NAME}: still building, {compiled} crates so far")
        try:
            return process.wait(LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            continue
    raise Missing(f"cargo was stopped after {BUILD_LIMIT_S:g} s; `make clients` goes on where it was (see {log})")


def reason(log: Path) -> str:
    """The first error of cargo, and the cause at the bottom of it."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    error = next((line for line in lines if line.startswith("error")), "cargo failed")
    return error if lines[-1:] in ([], [error]) else f"{error}; {lines[-1]}"


if __name__ == "__main__":
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda signum, _: STOPPED.append(signum))
    sys.exit(main(sys.argv[1:], os.environ))
