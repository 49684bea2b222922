"""The event loop everything runs on: uvloop's where it is installed."""

import asyncio
from collections.abc import Callable

new_event_loop: Callable[[], asyncio.AbstractEventLoop]
try:
    from uvloop import new_event_loop
except ImportError:  # pragma: no cover - a layer built for a machine without wheels
    new_event_loop = asyncio.new_event_loop
