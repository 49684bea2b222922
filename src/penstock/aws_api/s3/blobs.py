"""The bytes of objects: one file for each, under a random name, never changed once it is whole.

A file is there before the row that names it and goes after it, so a killed process leaves at most files that nothing
names; the next run looks for those. A key never becomes part of a path.
"""

import asyncio
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from penstock.model.clock import Clock, Timer

# Up to here writing takes about as long as handing it to a thread would. `assumed`
_INLINE_BYTES: Final = 1024 * 1024
_CHUNK_BYTES: Final = 1024 * 1024
# An answer may still be reading what was just deleted or overwritten. `assumed`
_GRACE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Blob:
    """`md5` in hex digits, of the bytes."""

    name: str
    size: int
    md5: str


class Blobs:
    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._leaving: dict[str, Timer] = {}

    def path(self, name: str) -> Path:
        return self._folder / name[:2] / name

    async def keep(self, body: BinaryIO | bytes) -> Blob:
        """A file of what `body` holds from where it stands. Raises OSError."""
        source = BytesIO(body) if isinstance(body, bytes) else body
        head = source.read(_INLINE_BYTES)
        return await self._made(lambda path: _write(path, head, source), len(head) == _INLINE_BYTES)

    async def part(self, name: str, offset: int, length: int) -> Blob:
        """A file of a piece of another one."""
        return await self._made(lambda path: _copy_part(path, self.path(name), offset, length), length > _INLINE_BYTES)

    async def joined(self, names: Iterable[str], size: int) -> Blob:
        """A file of `size` bytes in all: those of several, one after the other."""
        paths = [self.path(name) for name in names]
        return await self._made(lambda path: _join(path, paths), size > _INLINE_BYTES)

    async def twin(self, blob: Blob) -> Blob:
        """The same bytes under a name of their own."""
        name, path = self._new()
        try:
            os.link(self.path(blob.name), path)
        except OSError:  # not every file system has links
            return await self.part(blob.name, 0, blob.size)
        return Blob(name, blob.size, blob.md5)

    def drop(self, names: Iterable[str]) -> None:
        """No row names these any more. They go a little later."""
        for name in names:
            if name not in self._leaving:
                self._leaving[name] = self._clock.call_later(_GRACE_S, lambda name=name: self._remove(name))  # type: ignore[misc]

    def names(self) -> set[str]:
        """Of the files that are there."""
        if not self._folder.is_dir():
            return set()
        with os.scandir(self._folder) as folders:
            return {name for folder in folders for name in os.listdir(folder.path)}

    def remove(self, names: Iterable[str]) -> None:
        """At once, but for those that were dropped, which have still their time."""
        for name in names:
            if name not in self._leaving:
                self.path(name).unlink(missing_ok=True)

    def close(self) -> None:
        for name in list(self._leaving):
            self._remove(name)

    def _remove(self, name: str) -> None:
        self._leaving.pop(name).cancel()
        self.path(name).unlink(missing_ok=True)

    def _new(self) -> tuple[str, Path]:
        name = secrets.token_hex(16)
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return name, path

    async def _made(self, make: Callable[[Path], tuple[int, str]], long: bool) -> Blob:
        name, path = self._new()
        try:
            size, md5 = await asyncio.to_thread(make, path) if long else make(path)
        except BaseException:  # also when the client left: the thread may still be writing, so the file goes later
            self.drop([name])
            raise
        return Blob(name, size, md5)


def _write(path: Path, head: bytes, rest: BinaryIO) -> tuple[int, str]:
    md5 = hashlib.md5(head, usedforsecurity=False)
    size = len(head)
    with path.open("xb") as file:
        file.write(head)
        while chunk := rest.read(_CHUNK_BYTES):
            md5.update(chunk)
            size += len(chunk)
            file.write(chunk)
    return size, md5.hexdigest()


def _copy_part(path: Path, source: Path, offset: int, length: int) -> tuple[int, str]:
    md5 = hashlib.md5(usedforsecurity=False)
    left = length
    with source.open("rb") as old, path.open("xb") as new:
        old.seek(offset)
        while left and (chunk := old.read(min(left, _CHUNK_BYTES))):
            md5.update(chunk)
            new.write(chunk)
            left -= len(chunk)
    return length - left, md5.hexdigest()


def _join(path: Path, sources: list[Path]) -> tuple[int, str]:
    """Without the MD5 of the whole: the tag of an object of several parts is made of those of the parts."""
    with path.open("xb") as new:
        for source in sources:
            with source.open("rb") as old:
                shutil.copyfileobj(old, new, _CHUNK_BYTES)
        return new.tell(), ""
