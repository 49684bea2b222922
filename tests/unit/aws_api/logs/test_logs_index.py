"""The index of a log against the log itself, whatever happens to the file in between."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.aws_api.logs import index as index_module
from penstock.aws_api.logs.index import LAST_POSITION, LogIndex
from penstock.aws_api.logs.lines import PutLines
from penstock.telemetry.log_writer import rotated
from support.fuzzing import examples

STREAMS = ("aa", "bb")
FOREVER = 1 << 50


class Log:
    """A log file as the API writes it, with what is in it by itself."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "log.jsonl"
        self.index = LogIndex(self.path, PutLines())
        self._written = 0

    def write(self, times: list[int], length: int) -> None:
        with self.path.open("ab") as file:
            for time in times:
                self._written += 1
                stream = STREAMS[self._written % 2]
                file.write(PutLines.written(time, self._written, stream, f"{self._written}" + "x" * length))

    def rotate(self) -> None:
        if self.path.exists():
            os.replace(self.path, rotated(self.path))

    def empty(self) -> None:
        self.path.write_bytes(b"")

    def tear(self) -> None:
        with self.path.open("ab") as file:
            file.write(b'{"t":5,"i":1,"s":"aa","m":"cut\n')

    def held(self, stream: str | None = None) -> list[str]:
        """The messages on disk, by time."""
        rows: list[tuple[int, int, str]] = []
        for path in (rotated(self.path), self.path):
            for line in path.read_bytes().splitlines() if path.exists() else ():
                head, body = PutLines().head(line), PutLines().body(line)
                if head and body and stream in (None, head[2]):
                    rows.append((head[0], len(rows), body.message))
        return [message for _, _, message in sorted(rows)]

    def found(self, stream: str | None = None, *, backward: bool = False) -> list[str]:
        self.index.refresh()
        wanted = [stream in (None, facts.name) for facts in self.index.streams]
        if backward:
            entries = list(self.index.backward((FOREVER, LAST_POSITION), 0, wanted))[::-1]
        else:
            entries = list(self.index.forward((0, -1), FOREVER, wanted))
        log = self.index.open()
        try:
            bodies = [PutLines().body(log.read(entry) or b"") for entry in entries]
        finally:
            log.close()
        return [body.message for body in bodies if body]


WRITES = st.tuples(st.just("write"), st.lists(st.integers(0, 9), max_size=6), st.integers(0, 400))
OTHERS = st.sampled_from([("rotate",), ("empty",), ("tear",), ("look",)])


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.one_of(WRITES, OTHERS), max_size=14), st.integers(16, 300))
def test_the_index_finds_what_is_on_disk(steps: list[tuple[object, ...]], chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patched, TemporaryDirectory() as folder:
        patched.setattr(index_module, "_CHUNK", chunk)
        log = Log(Path(folder))
        for name, *arguments in steps:
            if name == "look":
                assert log.found() == log.held()
            else:
                getattr(log, str(name))(*arguments)
        for stream in (None, *STREAMS):
            assert log.found(stream) == log.held(stream)
            assert log.found(stream, backward=True) == log.held(stream)
        for facts in log.index.streams:
            assert facts.events >= len(log.held(facts.name))


def test_positions_before_and_behind_leave_out_the_event_itself(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write([1, 1, 1, 2], 0)
    log.index.refresh()
    every = list(log.index.forward((0, -1), FOREVER, [True, True]))
    middle = (every[1].time, every[1].position)
    assert list(log.index.forward(middle, FOREVER, [True, True])) == every[2:]
    assert list(log.index.backward(middle, 0, [True, True])) == every[:1]


def test_what_arrived_is_cut_to_the_latest(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write([1, 2], 10)
    log.index.refresh()
    since = log.index.end
    log.write([3], 10)
    log.rotate()
    log.write([4, 5], 10)
    log.index.refresh()
    lines, cut = log.index.arrived(since, 1 << 20)
    assert ([PutLines().head(line) for line in lines], cut) == ([(3, 3, "bb"), (4, 4, "aa"), (5, 5, "bb")], False)
    lines, cut = log.index.arrived(since, 70)
    assert ([PutLines().head(line) for line in lines], cut) == ([(5, 5, "bb")], True)
    assert log.index.arrived(log.index.end, 1 << 20) == ([], False)


def test_a_file_rotated_while_it_is_looked_for_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(tmp_path)
    log.write([1, 2], 0)
    log.index.refresh()
    log.write([3], 0)
    follow, turned = log.index._follow, list[Path]()

    def rotating(path: Path) -> tuple[int, int] | None:
        found = follow(path)
        if not turned:
            turned.append(path)
            log.rotate()
            log.write([4], 0)
        return found

    monkeypatch.setattr(log.index, "_follow", rotating)
    log.index.refresh()
    monkeypatch.undo()
    assert log.found() == ["1", "2", "3", "4"]


def test_what_has_no_end_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_CHUNK", 64)
    monkeypatch.setattr(index_module, "_LONGEST_LINE", 256)
    log = Log(tmp_path)
    log.path.write_bytes(b"x" * 5000 + b"\n")
    log.write([1], 0)
    assert log.found() == ["1"]
