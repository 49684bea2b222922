"""What the services keep: found again, all or nothing, and one process's."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.aws_api.store import Store
from penstock.model.errors import UserError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.close()


def test_values_are_found_by_key_and_in_the_order_of_keys(store: Store) -> None:
    table = store.table("a.b")
    for key in ("f/2", "f/1", "fa/1", "e/1", "f0"):
        table.put(key, {"is": key})
    assert table.get("f/1") == {"is": "f/1"}
    assert table.get("none") is None
    assert "f/2" in table
    assert table.keys("f/") == ["f/1", "f/2"]
    assert table.items("f/") == [("f/1", {"is": "f/1"}), ("f/2", {"is": "f/2"})]
    assert table.values("e") == [{"is": "e/1"}]
    assert table.keys() == ["e/1", "f/1", "f/2", "f0", "fa/1"]
    assert table.page("f/", "f/1", 5) == [("f/2", {"is": "f/2"})]


def test_a_deleted_value_is_gone(store: Store) -> None:
    table = store.table("t")
    table.put("k", 1)
    assert (table.delete("k"), table.delete("k"), table.get("k")) == (True, False, None)


def test_tables_do_not_see_each_other(store: Store) -> None:
    store.table("a").put("k", 1)
    assert store.table("b").items() == []


@given(keys=st.sets(st.text(st.characters(exclude_categories=["Cs"]), max_size=4)), prefix=st.text("ab/é", max_size=2))
def test_a_prefix_finds_what_begins_with_it(keys: set[str], prefix: str) -> None:
    store = Store()
    try:
        table = store.table("t")
        for key in keys | {prefix + "x"}:
            table.put(key, 0)
        assert set(table.keys(prefix)) == {key for key in keys | {prefix + "x"} if key.startswith(prefix)}
    finally:
        store.close()


def test_a_transaction_that_fails_keeps_nothing(store: Store) -> None:
    table = store.table("t")

    def change() -> None:
        with store.transaction():
            table.put("a", 1)
            with store.transaction():
                table.put("b", 2)
            raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        change()
    assert table.items() == []
    with store.transaction():
        table.put("a", 1)
    assert table.items() == [("a", 1)]


def test_what_was_written_outlives_a_kill(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys; from penstock.aws_api.store import Store\n"
        "store = Store(pathlib.Path(sys.argv[1])); store.table('t').put('k', [1, 2])\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == -9
    store = Store(tmp_path)
    assert store.table("t").get("k") == [1, 2]
    store.close()


def test_a_folder_in_use_is_refused(store: Store, tmp_path: Path) -> None:
    store.table("t").put("k", 1)
    with pytest.raises(UserError, match="is in use by another process"):
        Store(tmp_path)


def test_a_folder_of_another_version_is_refused(tmp_path: Path) -> None:
    Store(tmp_path).close()
    database = sqlite3.connect(tmp_path / "state.sqlite")
    database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(UserError, match="another version of Penstock"):
        Store(tmp_path)


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UserError, match="--state"):
        Store(file)


def test_secrets_are_for_their_user_alone(store: Store, tmp_path: Path) -> None:
    assert (tmp_path / "state.sqlite").stat().st_mode & 0o077 == 0
    assert store.files.stat().st_mode & 0o077 == 0


def test_without_a_folder_nothing_stays() -> None:
    store = Store()
    files = store.files
    store.table("t").put("k", 1)
    store.close()
    assert not files.exists()
