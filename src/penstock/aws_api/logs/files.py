"""The files of a group, while one call reads them: they are read on in a thread, and nobody else reads meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from penstock.aws_api.logs import errors
from penstock.aws_api.logs.catalogue import Catalogue, Group, Source
from penstock.aws_api.logs.view import refresh
from penstock.model.clock import Clock


class Files:
    def __init__(self, catalogue: Catalogue, clock: Clock) -> None:
        self._catalogue = catalogue
        self._clock = clock
        # One at a time: a call looks at a bounded part, and a group may share no file with another.
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def group(self, region: str, name: str) -> Group:
        """Raises ServiceError when there is none."""
        group = self._catalogue.group(region, name)
        if group is None:
            raise errors.no_group()
        return group

    @asynccontextmanager
    async def reading(self, group: Group) -> AsyncIterator[list[Source]]:
        """Its files, read up to now."""
        key = (group.region, group.name)
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            self._catalogue.forget_gone()
            sources = self._catalogue.sources(group, int(self._clock.epoch() * 1000))
            await asyncio.to_thread(refresh, sources)
            yield sources
