"""Many pieces in one write."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Final

# From 3.12.0 asyncio's own transport took lines without ever telling their writer to pause, so that an answer nobody
# reads piled up in memory (CVE-2024-12254; mended in 3.12.9 and 3.13.2): https://github.com/python/cpython/issues/127655
_FORGETS_TO_PAUSE: Final = (3, 12) <= sys.version_info < (3, 12, 9) or (3, 13) <= sys.version_info < (3, 13, 2)


def write_lines(transport: asyncio.WriteTransport, parts: Sequence[bytes]) -> None:
    """Without joining them, where the writer is told to pause all the same."""
    if _FORGETS_TO_PAUSE and type(transport).__module__ == "asyncio.selector_events":
        transport.write(b"".join(parts))
    else:
        transport.writelines(parts)
