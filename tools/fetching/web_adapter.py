"""The Lambda Web Adapter, built from crates.io with cargo."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .common import Client, Command, Missing, cache, own_binary, program, run, say

# The newest on crates.io; what it does is what 1.0.0 does: their sources are the same.
# https://crates.io/crates/lambda_web_adapter/versions, https://github.com/aws/aws-lambda-web-adapter/releases
CRATE: Final = "lambda_web_adapter"
VERSION: Final = "1.0.0-rc1"
BINARY: Final = "lambda-adapter"
TITLE: Final = f"Lambda Web Adapter {VERSION}"

# Some 130 crates with link-time optimisation: under two minutes on two cores of today.
BUILD_LIMIT_S: Final = 1500.0


def find(environ: Mapping[str, str]) -> Path:
    """The binary. Raises Missing, Misplaced."""
    if own := own_binary(environ, "PENSTOCK_LWA"):
        return own
    # Cargo puts it there in one move, when it is complete: its presence is the stamp.
    path = cache(environ) / f"{CRATE}-{VERSION}" / "bin" / BINARY
    if not path.is_file():
        raise Missing(f"{TITLE} is not on this machine; `make clients` builds it, or set PENSTOCK_LWA to its binary")
    return path


def fetch(environ: Mapping[str, str]) -> Path:
    """The binary, built if need be. Raises Missing, Misplaced."""
    try:
        return find(environ)
    except Missing:
        cargo = program(environ, "cargo", "https://rustup.rs")
    say(f"{TITLE}: building it from crates.io with cargo, once; that takes two to ten minutes")
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
    install = (cargo, "install", CRATE, "--version", f"={VERSION}", "--locked", "--no-track")
    words = (*install, "--root", folder / f"{CRATE}-{VERSION}", "--target-dir", target)

    def progress() -> str:
        compiled = log.read_text(errors="replace").count("Compiling ")
        return f"{TITLE}: still building, {compiled} crates so far"

    quiet = {"CARGO_TERM_COLOR": "never", "CARGO_TERM_PROGRESS_WHEN": "never"}
    run(Command(words, log, BUILD_LIMIT_S, progress), folder, {**environ, **quiet})
    shutil.rmtree(target, ignore_errors=True)


CLIENT: Final = Client("lambda-web-adapter", TITLE, find, fetch)
