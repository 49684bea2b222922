"""The packages from npm: the AWS SDK for JavaScript, and a Chromium that comes as one."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .common import PINS, Client, Command, Missing, complete, pinned, program, run, say

MANIFEST: Final = PINS / "package.json"
LOCK: Final = PINS / "package-lock.json"
TITLE: Final = "AWS SDK for JavaScript"
# 75 MB to fetch.
LIMIT_S: Final = 600.0
# Hashes are in the lock file. No package runs a script of its own.
INSTALL: Final = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--logs-max=0")


def find(environ: Mapping[str, str]) -> Path:
    """The folder that has `node_modules`. Raises Missing."""
    path = pinned(environ, "npm", MANIFEST, LOCK)
    if not path.is_dir():
        raise Missing(f"the {TITLE} is not on this machine; run `make clients`")
    return path


def fetch(environ: Mapping[str, str]) -> Path:
    """The folder that has `node_modules`, filled if need be. Raises Missing."""
    try:
        return find(environ)
    except Missing:
        npm = program(environ, "npm", "https://nodejs.org")
        folder = pinned(environ, "npm", MANIFEST, LOCK)
    say(f"{TITLE}: installing it and Chromium from npm, once")
    with complete(folder) as new:
        for pin in (MANIFEST, LOCK):
            shutil.copy(pin, new)
        words = (npm, *INSTALL)
        run(Command(words, folder.with_suffix(".log"), LIMIT_S, lambda: f"{TITLE}: still installing"), new, environ)
    return find(environ)


CLIENT: Final = Client("javascript-sdk", TITLE, find, fetch)
