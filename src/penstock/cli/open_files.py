"""Room for open sockets: a platform holds one for each client and one for each slot."""

import contextlib
import resource
from typing import Final

# 10,000 streams take two each, and as many slots may wait beside them (assumed).
WANTED: Final = 65_536


def raise_limit() -> int:
    """As many open files as are wanted or allowed; the number. Environments have a limit of their own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= WANTED:
        return soft
    with contextlib.suppress(OSError, ValueError):  # only root may raise the hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (WANTED, max(hard, WANTED)))
        return WANTED
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(WANTED, hard), hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
