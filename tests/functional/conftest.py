"""Which event loop runs what: the platform's doors run on uvloop, as they do when they are served; the adapter's
stories, TLS and slow clients on both, because asyncio's is taken where uvloop cannot be had.
"""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
UVLOOP: Mapping[str, LoopFactory] = {"uvloop": uvloop.new_event_loop}


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, LoopFactory]:
    if item.path.name.startswith(("test_adapter_", "test_https", "test_slow")):
        return {**UVLOOP, "asyncio": asyncio.new_event_loop}
    return UVLOOP
