"""What looks at an app from inside, in a thread of its own, when `penstock check` asks.

It tells what the app's own modules hold, and how long its event loop takes to come round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET = "PENSTOCK_CHECK_SOCKET"
TOKENS = "PENSTOCK_CHECK_TOKENS"
"""The two variables that `begin` reads: where the platform listens, and the pattern of a request's token."""


def begin(environ: Mapping[str, str]) -> None:
    """Connect to whoever checks, from a thread; do nothing where nobody does."""
    if SOCKET not in environ or TOKENS not in environ:
        return
    from .link import Link  # what is checked nowhere need not load it

    Link(environ[SOCKET], environ[TOKENS], environ.get("LAMBDA_TASK_ROOT", "/var/task")).start()
