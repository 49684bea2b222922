"""The store: made once, whole or not at all, never pruned while in use."""

import asyncio
import os
from pathlib import Path

import pytest

from penstock.packaging.store import Store, remove_tree


async def fill(target: Path) -> None:
    (target / "file").write_text("content")


def entries(root: Path) -> list[str]:
    return sorted(name for name in os.listdir(root) if name != ".locks")


async def test_entry_is_made_once_and_found_again(tmp_path: Path) -> None:
    store, made = Store(tmp_path, keep=5), []

    async def make(target: Path) -> None:
        made.append(target)
        await fill(target)

    first = await store.entry("a", make)
    second = await store.entry("a", make)
    assert first.path == second.path == tmp_path / "a"
    assert (first.path / "file").read_text() == "content"
    assert len(made) == 1


async def test_two_that_want_the_same_at_once_make_it_once(tmp_path: Path) -> None:
    began, go, made = asyncio.Event(), asyncio.Event(), []

    async def make(target: Path) -> None:
        made.append(target)
        began.set()
        await go.wait()

    first = asyncio.create_task(Store(tmp_path, keep=5).entry("a", make))
    await began.wait()
    second = asyncio.create_task(Store(tmp_path, keep=5).entry("a", make))
    go.set()
    assert (await first).path == (await second).path
    assert len(made) == 1


async def test_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    async def make(target: Path) -> None:
        await fill(target)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        await Store(tmp_path, keep=5).entry("a", make)
    assert entries(tmp_path) == []


async def test_cancelling_leaves_nothing_behind_and_frees_the_name(tmp_path: Path) -> None:
    began = asyncio.Event()

    async def make(target: Path) -> None:
        await fill(target)
        began.set()
        await asyncio.Event().wait()

    store = Store(tmp_path, keep=5)
    task = asyncio.create_task(store.entry("a", make))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert entries(tmp_path) == []
    assert (await store.entry("a", fill)).path.is_dir()


async def test_waiting_for_another_maker_can_be_cancelled(tmp_path: Path) -> None:
    began, never = asyncio.Event(), asyncio.Event()

    async def make(target: Path) -> None:
        began.set()
        await never.wait()

    first = asyncio.create_task(Store(tmp_path, keep=5).entry("a", make))
    await began.wait()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Store(tmp_path, keep=5).entry("a", fill), 0.1)
    never.set()
    await first


async def test_entry_that_appeared_meanwhile_is_taken(tmp_path: Path) -> None:
    """As when the other process sits on a file system without locks."""

    async def make(target: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "theirs").touch()

    entry = await Store(tmp_path, keep=5).entry("a", make)
    assert os.listdir(entry.path) == ["theirs"]
    assert entries(tmp_path) == ["a"]


async def test_prune_keeps_the_newest(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=2)
    for age, name in enumerate(("newest", "new", "old", "oldest")):
        path = (await store.entry(name, fill)).path
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    await store.prune()
    assert entries(tmp_path) == ["new", "newest"]


async def test_prune_leaves_what_is_in_use(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=0)
    held = await store.entry("a", fill)
    again = await store.entry("a", fill)
    await store.prune()
    assert (held.path / "file").exists()
    del held
    await store.prune()
    assert (again.path / "file").exists()
    del again
    await store.prune()
    assert entries(tmp_path) == []


async def test_using_an_entry_makes_it_new(tmp_path: Path) -> None:
    store = Store(tmp_path, keep=1)
    for name, used in (("a", 1000), ("b", 2000)):
        os.utime((await store.entry(name, fill)).path, (used, used))
    await store.entry("a", fill)
    await store.prune()
    assert entries(tmp_path) == ["a"]


async def test_prune_removes_what_a_killed_process_left_half_made(tmp_path: Path) -> None:
    for name, used in ((".new-dead", 1000.0), (".new-fresh", None)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
        if used:
            os.utime(tmp_path / name, (used, used))
    await Store(tmp_path, keep=5).prune()
    assert entries(tmp_path) == [".new-fresh"]


async def test_prune_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    await Store(tmp_path / "none", keep=1).prune()


def test_remove_tree_removes_read_only_folders(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    (tmp_path / "a" / "b").chmod(0o500)
    remove_tree(tmp_path / "a")
    assert not (tmp_path / "a").exists()
