"""Headless Chromium, unpacked from the npm package `@sparticuz/chromium`, which carries it compressed."""

import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from . import javascript
from .common import Client, Command, Missing, complete, own_binary, pinned, program, run, say

TITLE: Final = "Chromium"
PACKED: Final = Path("node_modules", "@sparticuz", "chromium", "bin")
ON_PATH: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LIMIT_S: Final = 300.0
VERSION_LIMIT_S: Final = 60.0
# Python has no brotli of its own, node has.
INFLATE: Final = """
const fs = require("node:fs"), { createBrotliDecompress } = require("node:zlib"), { pipeline } = require("node:stream");
const [packed, unpacked] = process.argv.slice(1);
pipeline(fs.createReadStream(packed), createBrotliDecompress(), fs.createWriteStream(unpacked), (error) => {
  if (error) { console.error(`error: ${error.message}`); process.exitCode = 1; }
});
"""
# Its libraries are those of Amazon Linux that slim machines lack: nss, nspr, expat.
LAUNCHER: Final = """\
#!/bin/sh
here=$(dirname "$0")
export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$here/chromium.bin" "$@"
"""


def find(environ: Mapping[str, str]) -> Path:
    """The executable: PENSTOCK_CHROMIUM, the one in the cache, or one on PATH. Raises Missing, Misplaced."""
    if ours := _ours(environ):
        return ours
    for name in ON_PATH:
        if found := shutil.which(name, path=environ.get("PATH")):
            return Path(found)
    raise Missing(f"{TITLE} is not on this machine; run `make clients`, or set PENSTOCK_CHROMIUM to one")


def fetch(environ: Mapping[str, str]) -> Path:
    """The executable, unpacked if need be; where that one cannot be had, one on PATH. Raises Missing, Misplaced."""
    if ours := _ours(environ):
        return ours
    try:
        _unpack(_folder(environ), environ)
    except Missing as missing:
        try:
            return find(environ)
        except Missing:
            raise missing from None
    return find(environ)


def _ours(environ: Mapping[str, str]) -> Path | None:
    """Raises Misplaced."""
    path = own_binary(environ, "PENSTOCK_CHROMIUM") or _folder(environ) / "chromium"
    return path if path.is_file() else None


def _unpack(folder: Path, environ: Mapping[str, str]) -> None:
    """Raises Missing."""
    node = program(environ, "node", "https://nodejs.org")
    packed = javascript.fetch(environ) / PACKED
    with complete(folder) as new:
        for name in ("chromium", "al2023.tar"):
            words = (node, "-e", INFLATE, packed / f"{name}.br", new / f"{name}.bin")
            run(Command(words, folder.with_suffix(".log"), LIMIT_S, lambda: f"{TITLE}: still unpacking"), new, environ)
        _assemble(new)
        _try_out(new / "chromium", environ)


def _folder(environ: Mapping[str, str]) -> Path:
    return pinned(environ, "chromium", javascript.LOCK)


def _assemble(folder: Path) -> None:
    """Raises OSError."""
    archive = folder / "al2023.tar.bin"
    with tarfile.open(archive) as libraries:
        libraries.extractall(folder, filter="data")
    archive.unlink()
    (folder / "chromium.bin").chmod(0o755)
    launcher = folder / "chromium"
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)


def _try_out(path: Path, environ: Mapping[str, str]) -> None:
    """Raises Missing when this machine cannot run it."""
    try:
        said = subprocess.run(
            [path, "--version"], env=environ, capture_output=True, text=True, timeout=VERSION_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"it does not answer on this machine; {_ELSE}") from None
    if said.returncode != 0:
        words = (said.stderr.strip() or f"exit code {said.returncode}").splitlines()[0]
        raise Missing(f"it does not run on this machine: {words}; {_ELSE}")
    say(f"{TITLE}: {said.stdout.strip()}")


_ELSE: Final = "install a Chromium, or set PENSTOCK_CHROMIUM to one"
CLIENT: Final = Client("chromium", TITLE, find, fetch)
