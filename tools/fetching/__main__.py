"""The words of the command line: see `tools/clients.py`."""

import os
import signal
import sys
from collections.abc import Mapping
from typing import Final

from . import aws_cli, aws_cli_2, chromium, javascript, sam_cli, web_adapter
from .common import STOPPED, Client, Misplaced, Missing, say

# Chromium comes out of what javascript fetches; the adapter's long build is the last.
_FETCHERS: Final = (aws_cli, aws_cli_2, sam_cli, javascript, chromium, web_adapter)
CLIENTS: Final = {fetcher.CLIENT.name: fetcher.CLIENT for fetcher in _FETCHERS}


def main(words: list[str], environ: Mapping[str, str]) -> int:
    """The exit code."""
    match words:
        case []:
            return max(fetch(client, environ) for client in CLIENTS.values())
        case ["where"]:
            return where(web_adapter.CLIENT, environ)
        case ["where", name] if name in CLIENTS:
            return where(CLIENTS[name], environ)
        case ["fetch", *names] if names and set(names) <= set(CLIENTS):
            return max(fetch(CLIENTS[name], environ) for name in names)
    say(f"unknown words {' '.join(words)!r}; there is: where NAME, fetch NAME..., with {', '.join(CLIENTS)}")
    return 2


def fetch(client: Client, environ: Mapping[str, str]) -> int:
    try:
        say(f"{client.title}: {client.fetch(environ)}")
    except Missing as missing:
        say(f"{client.title}: not there, its tests will be skipped: {missing}")
    except Misplaced as misplaced:
        say(str(misplaced))
        return 2
    return 0


def where(client: Client, environ: Mapping[str, str]) -> int:
    try:
        say(str(client.find(environ)))
    except Missing as missing:
        say(str(missing))
        return 1
    except Misplaced as misplaced:
        say(str(misplaced))
        return 2
    return 0


for signum in (signal.SIGINT, signal.SIGTERM):
    signal.signal(signum, lambda signum, _: STOPPED.append(signum))
sys.exit(main(sys.argv[1:], os.environ))
