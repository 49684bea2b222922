"""Directories that are made once, named by what they hold, and shared by everything that needs the same content.

An entry appears under its name only when complete (rename of a finished directory), so a crash or two `penstock up`
at once never show half of one. Whoever uses an entry holds a shared `flock` on it; pruning takes only what is not held.
"""

import asyncio
import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TEMPORARY: Final = ".new-"
_ABANDONED_S: Final = 3600
"""A temporary directory nobody holds may still be seconds away from being held; after this it is a dead one."""
_LOCK_POLL_S: Final = 0.05


class Lease:
    """Keeps one entry from being pruned for as long as this value, or its process, lives."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __del__(self, close: Callable[[int], None] = os.close) -> None:  # `os` may be gone when the process ends
        close(self._fd)


@dataclass(frozen=True, slots=True)
class Entry:
    path: Path
    lease: Lease


class Store:
    """The entries in one folder; the newest `keep` of them survive `prune`, and every one in use does."""

    def __init__(self, root: Path, *, keep: int) -> None:
        self.root = Path(os.path.abspath(root))
        self.keep = keep

    async def entry(self, name: str, make: Callable[[Path], Awaitable[None]]) -> Entry:
        """The entry called `name`, filled by `make` when it is not there yet.

        `make` gets an empty directory; when it raises or is cancelled, nothing is left behind. Of two that want
        the same entry at once, in one process or two, one makes it and the other waits.
        """
        found = await asyncio.to_thread(self._find, name)
        if found is not None:
            return found
        async with self._making(name):
            return await asyncio.to_thread(self._find, name) or await self._make(name, make)

    async def prune(self) -> None:
        """Remove what no one uses: all but the newest `keep` entries, and what a killed process left half made."""
        await asyncio.to_thread(self._prune)

    def _find(self, name: str) -> Entry | None:
        path = self.root / name
        try:
            lease = _lease(path)
            os.utime(path)
        except FileNotFoundError:
            return None
        return Entry(path, lease)

    @asynccontextmanager
    async def _making(self, name: str) -> AsyncIterator[None]:
        """One maker at a time. Polled, since a blocking flock could not be cancelled by Ctrl-C."""
        locks = self.root / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        fd = os.open(locks / name, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while True:
                if _try_lock(fd, fcntl.LOCK_EX):
                    break
                await asyncio.sleep(_LOCK_POLL_S)
            yield
        finally:
            # A process forked meanwhile may hold a copy of the descriptor: closing ours would not let go of the lock.
            with suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)

    async def _make(self, name: str, make: Callable[[Path], Awaitable[None]]) -> Entry:
        temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=self.root))
        try:
            lease = _lease(temporary)
            os.chmod(temporary, 0o755)  # mkdtemp's 0700 would hide the code from a function that runs as another user
            await make(temporary)
            # The lease stays with the directory through the rename.
            while not _rename(temporary, self.root / name):
                if other := await asyncio.to_thread(self._find, name):
                    await asyncio.to_thread(remove_tree, temporary)
                    return other
                await asyncio.sleep(_LOCK_POLL_S)  # it is being pruned; the name is free in a moment
        except BaseException:
            await asyncio.shield(asyncio.to_thread(remove_tree, temporary))
            raise
        return Entry(self.root / name, lease)

    def _prune(self) -> None:
        now = time.time()
        entries: list[tuple[float, Path]] = []
        with suppress(FileNotFoundError):
            for item in os.scandir(self.root):
                # An entry may be pruned by someone else while we look.
                with suppress(FileNotFoundError):
                    entries.append((item.stat(follow_symlinks=False).st_mtime, Path(item.path)))
        entries.sort(reverse=True)
        finished = [path for _, path in entries if not path.name.startswith(".")]
        abandoned = [path for used, path in entries if path.name.startswith(_TEMPORARY) and now - used > _ABANDONED_S]
        for path in finished[self.keep :] + abandoned:
            self._remove_unused(path)

    def _remove_unused(self, path: Path) -> None:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            return
        try:
            if _try_lock(fd, fcntl.LOCK_EX, without_locks=False):
                # Out of sight first: from here on nobody can find it, while the lock keeps a finder from holding it.
                doomed = path.with_name(f"{_TEMPORARY}pruned-{path.name}-{os.getpid()}")
                with suppress(OSError):
                    path.rename(doomed)
                    remove_tree(doomed)
        finally:
            os.close(fd)
        (self.root / ".locks" / path.name).unlink(missing_ok=True)


def _rename(source: Path, target: Path) -> bool:
    """False when `target` is there already."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def _lease(path: Path) -> Lease:
    """Hold `path`. Raises FileNotFoundError when it is not there, or is being pruned right now."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    lease = Lease(fd)
    if not _try_lock(fd, fcntl.LOCK_SH) or not os.path.samestat(os.fstat(fd), path.stat()):
        raise FileNotFoundError(path)
    return lease


def _try_lock(fd: int, kind: int, *, without_locks: bool = True) -> bool:
    """True when the lock is ours. On a file system that has no locks the answer is `without_locks`."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return without_locks
    return True


def remove_tree(path: Path) -> None:
    """Remove a directory with all it holds, also where a package made folders read-only. Never raises."""
    for folder, _, _ in os.walk(path):
        with suppress(OSError):
            os.chmod(folder, 0o700)
    shutil.rmtree(path, ignore_errors=True)
