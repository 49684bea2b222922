"""Works through things that need each other: each after all it needs, several at once."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping


async def walk(
    needs: Mapping[str, Collection[str]],
    act: Callable[[str], Awaitable[bool]],
    *,
    at_once: int,
    halted: Callable[[], bool] = lambda: False,
) -> set[str]:
    """The names whose `act` said true. Begins none whose needs did not, and none any more once `halted` says so;
    needs that are no names of their own count as met. What has begun is waited for.
    """
    waiting = dict.fromkeys(needs)
    running: dict[asyncio.Task[bool], str] = {}
    done: set[str] = set()
    try:
        while True:
            for name in [item for item in waiting if _free(item, needs, done)]:
                if halted() or len(running) >= at_once:
                    break
                del waiting[name]
                running[asyncio.ensure_future(_awaited(act, name))] = name
            if not running:
                return done
            finished, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                name = running.pop(task)
                if task.result():
                    done.add(name)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _awaited(act: Callable[[str], Awaitable[bool]], name: str) -> bool:
    return await act(name)


def _free(name: str, needs: Mapping[str, Collection[str]], done: set[str]) -> bool:
    return all(item in done for item in needs[name] if item in needs)


def reversed_needs(needs: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """For deleting: who needs it goes first."""
    found: dict[str, set[str]] = {name: set() for name in needs}
    for name, items in needs.items():
        for item in items:
            if item in found:
                found[item].add(name)
    return found
