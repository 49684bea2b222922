"""What the services keep: JSON values in tables, and files in a folder beside them.

SQLite in WAL mode: what was committed before a process was killed is there afterwards. https://www.sqlite.org/wal.html
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import orjson

from penstock.model.errors import UserError

_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = (
    'CREATE TABLE IF NOT EXISTS item ("table" TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, '
    'PRIMARY KEY ("table", key)) WITHOUT ROWID'
)


class Store:
    """One writer: a second process that opens the same folder is refused.

    `files` is a folder for what is too large for a table; each service makes one of its own name in there.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Keeps everything in `folder`, or nowhere beyond this process. Raises UserError."""
        self._temporary = folder is None
        self._folder = Path(tempfile.mkdtemp(prefix="penstock-state-")) if folder is None else folder
        self.files = self._folder / "files"
        self._depth = 0
        try:
            self.files.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._open()
        except (OSError, sqlite3.Error) as error:
            raise UserError(f"--state {self._folder}: {_told(error)}") from None

    def _open(self) -> None:
        path = self._folder / "state.sqlite"
        path.touch(mode=0o600)  # functions' variables and temporary keys are in it; what SQLite puts beside it is alike
        self._db = sqlite3.connect(path, isolation_level=None, timeout=0)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, _SCHEMA_VERSION):
            raise sqlite3.DatabaseError(f"was written by another version of Penstock (schema {found})")
        self._db.execute(_SCHEMA)
        self._db.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")

    def table(self, name: str) -> "Table":
        """`name` begins with the service's: `iam.role`."""
        return Table(self._db, name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is kept, or nothing of it. No `await` may stand inside. May be nested."""
        if self._depth:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        else:
            self._db.execute("COMMIT")
        finally:
            self._depth = 0

    def close(self) -> None:
        self._db.close()
        if self._temporary:
            shutil.rmtree(self._folder, ignore_errors=True)


class Table:
    """Values by key, in the order of the keys. A value is what JSON can hold."""

    def __init__(self, db: sqlite3.Connection, name: str) -> None:
        self._db = db
        self._name = name

    def get(self, key: str) -> Any:
        """None when there is none."""
        row = self._db.execute('SELECT value FROM item WHERE "table"=? AND key=?', (self._name, key)).fetchone()
        return None if row is None else orjson.loads(row[0])

    def put(self, key: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO item VALUES (?, ?, ?)", (self._name, key, orjson.dumps(value)))

    def delete(self, key: str) -> bool:
        """Whether there was one."""
        return self._db.execute('DELETE FROM item WHERE "table"=? AND key=?', (self._name, key)).rowcount > 0

    def items(self, prefix: str = "") -> list[tuple[str, Any]]:
        """Those whose key begins with `prefix`."""
        sql = 'SELECT key, value FROM item WHERE "table"=? AND key>=? AND key<? ORDER BY key'
        rows = self._db.execute(sql, (self._name, prefix, _beyond(prefix)))
        return [(key, orjson.loads(value)) for key, value in rows]

    def page(self, prefix: str, after: str, limit: int) -> list[tuple[str, Any]]:
        """At most `limit` of them, from the first key beyond `after` on; the others are not read."""
        sql = 'SELECT key, value FROM item WHERE "table"=? AND key>=? AND key<>? ORDER BY key LIMIT ?'
        rows = self._db.execute(sql, (self._name, max(prefix, after), after, limit))
        return [(key, orjson.loads(value)) for key, value in takewhile(lambda row: row[0].startswith(prefix), rows)]

    def keys(self, prefix: str = "") -> list[str]:
        sql = 'SELECT key FROM item WHERE "table"=? AND key>=? AND key<? ORDER BY key'
        return [key for (key,) in self._db.execute(sql, (self._name, prefix, _beyond(prefix)))]

    def values(self, prefix: str = "") -> list[Any]:
        return [value for _, value in self.items(prefix)]

    def __contains__(self, key: object) -> bool:
        sql = 'SELECT 1 FROM item WHERE "table"=? AND key=?'
        return self._db.execute(sql, (self._name, key)).fetchone() is not None


def _told(error: OSError | sqlite3.Error) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "is in use by another process" if "locked" in str(error) else str(error)


def _beyond(prefix: str) -> str | bytes:
    """The first key after all that begin with `prefix`: SQLite compares text by its code points, and bytes are greater
    than every text. https://www.sqlite.org/datatype3.html#sort_order
    """
    return prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else b""
