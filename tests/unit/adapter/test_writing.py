"""Pieces in one write, to a transport that tells its writer to pause."""

import asyncio

import pytest

from penstock_adapter import writing
from penstock_adapter.writing import write_lines


class Told(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[object] = []

    def write(self, data: object) -> None:
        self.calls.append(data)

    def writelines(self, list_of_data: object) -> None:
        self.calls.append(list_of_data)


class AsyncioTold(Told):
    __module__ = "asyncio.selector_events"


@pytest.mark.parametrize("forgets", [True, False])
def test_asyncios_own_transport_has_them_joined_where_it_forgets_to_pause(
    monkeypatch: pytest.MonkeyPatch, forgets: bool
) -> None:
    monkeypatch.setattr(writing, "_FORGETS_TO_PAUSE", forgets)
    of_asyncio, another = AsyncioTold(), Told()
    write_lines(of_asyncio, [b"a", b"b"])
    write_lines(another, [b"a", b"b"])
    assert of_asyncio.calls == ([b"ab"] if forgets else [[b"a", b"b"]])
    assert another.calls == [[b"a", b"b"]]
