"""A site for each test, over a store that all share: opening one takes longer than most tests."""

from collections.abc import AsyncIterator, Iterator

import pytest

from support.cloudformation import ClearableStore, Site


@pytest.fixture(scope="module")
def store() -> Iterator[ClearableStore]:
    store = ClearableStore()
    yield store
    store.close()


@pytest.fixture
async def site(store: ClearableStore) -> AsyncIterator[Site]:
    store.clear()
    site = Site(shared=store)
    yield site
    await site.close()
