"""The same stories on uvloop, the loop the adapter runs on when it is a process."""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction, signature
from types import ModuleType

import pytest
import test_adapter_buffered
import test_adapter_life
import test_adapter_streaming
import uvloop

Story = Callable[[], Awaitable[None]]


def stories(module: ModuleType) -> list[Story]:
    """Every test of `module` that needs no fixture."""
    found = [value for name, value in vars(module).items() if name.startswith("test_")]
    return [test for test in found if iscoroutinefunction(test) and not signature(test).parameters]


@pytest.mark.parametrize(
    "story",
    [*stories(test_adapter_streaming), *stories(test_adapter_buffered), *stories(test_adapter_life)],
    ids=lambda story: story.__name__,
)
def test_on_uvloop(story: Story) -> None:
    async def run() -> None:
        await story()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
