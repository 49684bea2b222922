"""Which log groups and streams there are: those made through the API, and those that functions write.

A group that only a function writes is there as soon as its log file is, as on AWS with a function's first line.
"""

import secrets
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from penstock.aws_api.logs.index import LogIndex
from penstock.aws_api.logs.lines import FunctionLines, PutLines
from penstock.aws_api.logs.ports import FunctionLog, FunctionLogs
from penstock.aws_api.store import Store
from penstock.telemetry.log_writer import rotated

DEFAULT_CLASS: Final = "STANDARD"
_DAY_MS: Final = 24 * 3600 * 1000

Record: TypeAlias = dict[str, Any]
"""Of a group: `{id, created, class, retention, tags, protected, kmsKeyId}`; of a stream: `{id, created}`."""


@dataclass(frozen=True, slots=True)
class Group:
    """`record` is None for a group that only functions write."""

    region: str
    name: str
    record: Record | None
    functions: tuple[FunctionLog, ...] = ()

    @property
    def created_ms(self) -> int:
        made = [one.created_ms for one in self.functions]
        return int(self.record["created"]) if self.record else min(made)

    @property
    def retention_days(self) -> int | None:
        return self.record["retention"] if self.record else None

    @property
    def log_class(self) -> str:
        return str(self.record["class"]) if self.record else DEFAULT_CLASS


@dataclass(frozen=True, slots=True)
class Source:
    """A file of events of a group. `names` has a stream's name by its number in the index, None for one that is gone;
    events not newer than `hidden` (by stream, epoch milliseconds) are gone, too.
    """

    rank: int
    index: LogIndex
    names: dict[str, str] | None
    hidden: dict[str, int] = field(default_factory=dict)
    hidden_all: int = -1

    def name_of(self, number: int) -> str | None:
        key = self.index.streams[number].name
        return key if self.names is None else self.names.get(key)

    def hidden_until(self, name: str) -> int:
        return max(self.hidden_all, self.hidden.get(name, -1))


class Catalogue:
    def __init__(self, store: Store, functions: FunctionLogs) -> None:
        self.store = store
        self._functions = functions
        self._groups = store.table("logs.group")
        self._streams = store.table("logs.stream")
        self._marks = store.table("logs.deleted")
        self._files = store.files / "logs"
        self._indexes: dict[Path, LogIndex] = {}

    # --- groups ---

    def groups(self, region: str, prefix: str = "") -> list[Group]:
        """In the order of their names."""
        records = {key.partition("/")[2]: value for key, value in self._groups.items(f"{region}/{prefix}")}
        written: dict[str, list[FunctionLog]] = {}
        for one in self._written(region):
            if one.group.startswith(prefix):
                written.setdefault(one.group, []).append(one)
        names = sorted({*records, *written})
        return [Group(region, name, records.get(name), tuple(written.get(name, ()))) for name in names]

    def group(self, region: str, name: str) -> Group | None:
        record = self._groups.get(f"{region}/{name}")
        functions = tuple(one for one in self._written(region) if one.group == name)
        return Group(region, name, record, functions) if record or functions else None

    def _written(self, region: str) -> Iterator[FunctionLog]:
        """In every region: the functions answer in all of them, too."""
        for one in self._functions.groups():
            if (one.path.exists() or rotated(one.path).exists()) and self._is_back(region, one):
                yield one

    def _is_back(self, region: str, one: FunctionLog) -> bool:
        """Whether anything was written since the group was deleted."""
        deleted = int(self._mark(region, one.group)["all"])
        if deleted < 0:
            return True
        try:
            return one.path.stat().st_mtime_ns // 1_000_000 > deleted
        except FileNotFoundError:
            return False

    def put_group(self, region: str, name: str, record: Record) -> None:
        self._groups.put(f"{region}/{name}", record)

    def ensure_record(self, group: Group) -> Record:
        """The record of a group; one is made for a group that only functions write."""
        held: Record | None = self._groups.get(f"{group.region}/{group.name}")
        if held:
            return held
        record = new_group(group.created_ms)
        self.put_group(group.region, group.name, record)
        return record

    def delete_group(self, group: Group, now_ms: int) -> None:
        with self.store.transaction():
            self._groups.delete(f"{group.region}/{group.name}")
            if group.record:
                for name, _ in self._streams.items(f"{group.record['id']}/"):
                    self._streams.delete(name)
            if group.functions:
                self._marks.put(f"{group.region}/{group.name}", {"all": now_ms, "streams": {}})
            else:
                self._marks.delete(f"{group.region}/{group.name}")
        if group.record:
            path = self.file_of(group.record)
            self._indexes.pop(path, None)
            path.unlink(missing_ok=True)
            rotated(path).unlink(missing_ok=True)

    # --- streams made through the API ---

    def streams(self, record: Record, prefix: str = "") -> dict[str, Record]:
        start = f"{record['id']}/"
        return {key.removeprefix(start): value for key, value in self._streams.items(f"{start}{prefix}")}

    def stream(self, record: Record, name: str) -> Record | None:
        found: Record | None = self._streams.get(f"{record['id']}/{name}")
        return found

    def make_stream(self, record: Record, name: str, created_ms: int) -> Record:
        made = {"id": secrets.token_hex(8), "created": created_ms}
        self._streams.put(f"{record['id']}/{name}", made)
        return made

    def delete_stream(self, group: Group, name: str, now_ms: int) -> None:
        """What a function writes to it later brings it back."""
        with self.store.transaction():
            if group.record:
                self._streams.delete(f"{group.record['id']}/{name}")
            if group.functions:
                mark = self._mark(group.region, group.name)
                mark["streams"][name] = now_ms
                self._marks.put(f"{group.region}/{group.name}", mark)

    def _mark(self, region: str, name: str) -> Record:
        return self._marks.get(f"{region}/{name}") or {"all": -1, "streams": {}}

    # --- files ---

    def file_of(self, record: Record) -> Path:
        """Where PutLogEvents writes for the group."""
        return self._files / f"{record['id']}.jsonl"

    def sources(self, group: Group, now_ms: int) -> list[Source]:
        """As they were read last: `LogIndex.refresh` reads on."""
        expired = now_ms - group.retention_days * _DAY_MS if group.retention_days else -1
        mark = self._mark(group.region, group.name)
        found = [
            Source(_rank(one.path), self._index(one.path), None, mark["streams"], max(expired, mark["all"]))
            for one in group.functions
        ]
        if group.record:
            path = self.file_of(group.record)
            names = {value["id"]: name for name, value in self.streams(group.record).items()}
            found.append(Source(_rank(path), self._index(path), names, {}, expired))
        return found

    def _index(self, path: Path) -> LogIndex:
        index = self._indexes.get(path)
        if index is None:
            put = path.parent == self._files
            index = self._indexes[path] = LogIndex(path, PutLines() if put else FunctionLines())
        return index

    def forget_gone(self) -> None:
        """Let go of the indexes of functions that are no more."""
        there = {one.path for one in self._functions.groups()}
        for path in [one for one in self._indexes if one.parent != self._files and one not in there]:
            del self._indexes[path]


def new_group(created_ms: int) -> Record:
    return {
        "id": secrets.token_hex(8),
        "created": created_ms,
        "class": DEFAULT_CLASS,
        "retention": None,
        "tags": {},
        "protected": False,
        "kmsKeyId": None,
    }


def _rank(path: Path) -> int:
    """Orders events of the same millisecond in different files of a group: the same each time."""
    return zlib.crc32(str(path).encode())
