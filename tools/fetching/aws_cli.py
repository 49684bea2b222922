"""The AWS CLI, version 1 from PyPI, in a virtual environment of its own: it wants libraries of its own versions."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .common import PINS, Client, Command, Missing, complete, pinned, run, say

PIN: Final = PINS / "awscli.txt"
TITLE: Final = "AWS CLI"
UV: Final = Path(sys.executable).with_name("uv")
# 25 MB to fetch, a second to install from uv's cache.
LIMIT_S: Final = 600.0


def find(environ: Mapping[str, str]) -> Path:
    """The command `aws`. Raises Missing."""
    path = pinned(environ, "awscli", PIN) / "bin" / "aws"
    if not path.is_file():
        raise Missing(f"the {TITLE} is not on this machine; run `make clients`")
    return path


def fetch(environ: Mapping[str, str]) -> Path:
    """The command `aws`, installed if need be. Raises Missing."""
    try:
        return find(environ)
    except Missing:
        folder = pinned(environ, "awscli", PIN)
    say(f"{TITLE}: installing it from PyPI, once")
    with complete(folder) as new:
        log = folder.with_suffix(".log")
        # Relocatable: it is moved to its place when it is complete.
        make = (UV, "venv", "--quiet", "--relocatable", "--allow-existing", "--python", sys.executable, new)
        sync = (UV, "pip", "sync", "--quiet", "--require-hashes", "--python", new / "bin" / "python", PIN)
        for words in (make, sync):
            run(Command(words, log, LIMIT_S, lambda: f"{TITLE}: still installing"), new, environ)
    return find(environ)


CLIENT: Final = Client("aws-cli", TITLE, find, fetch)
