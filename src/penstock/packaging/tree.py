"""Directory trees: what is in one, its digest, and putting one on top of another."""

import fnmatch
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.model.errors import Place, UserError

# What `sam build` leaves out of a Python function, in every folder of it.
# https://github.com/aws/aws-lambda-builders/blob/develop/aws_lambda_builders/workflows/python_pip/workflow.py
# "*.so" is on that list as well, but a folder that is deployed without `sam build` may hold vendored extension modules.
PYTHON_EXCLUDES: Final = (
    *(".git", ".gitignore", ".aws-sam", ".chalice", "*.pyc", "__pycache__", ".Python", "*.egg-info", "*.egg"),
    *("pip-log.txt", "pip-delete-this-directory.txt", "htmlcov", ".tox", ".nox", ".coverage", ".cache"),
    *(".pytest_cache", ".python-version", ".mypy_cache", ".dmypy.json", ".pyre", ".vscode", ".idea"),
    *(".env", ".venv", "venv", "venv.bak", "env.bak", "ENV", "env", ".penstock"),
)
OTHER_EXCLUDES: Final = (".git", ".aws-sam", ".penstock")


@dataclass(frozen=True, slots=True)
class Node:
    """One thing in a tree. `relative` uses `/`; `link` is a symbolic link's text, else None."""

    relative: str
    source: Path
    mode: int
    size: int
    link: str | None = None

    @property
    def is_folder(self) -> bool:
        return self.link is None and stat.S_ISDIR(self.mode)


def scan(root: Path, excludes: Iterable[str] = (), *, follow: bool = True) -> list[Node]:
    """Everything under `root`, folders before what they hold, in a stable order.

    A relative link that stays inside is kept as a link; with `follow`, any other is replaced by what it names, as
    `sam build` does, because its target would be elsewhere once mounted. Links to nothing are kept; sockets, pipes
    and devices are left out. Raises UserError for a link to a folder that holds it.
    """
    pattern = "|".join(fnmatch.translate(name) for name in excludes)
    real_root = Path(os.path.realpath(root))
    return list(_Scan(real_root, re.compile(pattern) if pattern else None, follow).walk(real_root, "", ()))


@dataclass(frozen=True, slots=True)
class _Scan:
    root: Path
    excluded: re.Pattern[str] | None
    follow: bool

    def walk(self, folder: Path, prefix: str, above: tuple[Path, ...]) -> Iterator[Node]:
        """`above` are the real folders that lead to this one."""
        entered = (*above, folder)
        for name in sorted(os.listdir(folder)):
            if not (self.excluded and self.excluded.match(name)):
                yield from self.visit(folder / name, f"{prefix}{name}", entered)

    def visit(self, path: Path, relative: str, entered: tuple[Path, ...]) -> Iterator[Node]:
        status, source = path.lstat(), path
        if stat.S_ISLNK(status.st_mode):
            link, source = os.readlink(path), Path(os.path.realpath(path))
            inside = not link.startswith("/") and source.is_relative_to(self.root)
            if inside or not self.follow or not source.exists():
                yield Node(relative, path, status.st_mode, 0, link)
                return
            status = source.stat()
            if any(folder.is_relative_to(source) for folder in entered):
                raise UserError("this symbolic link leads to a folder that holds it", Place(path))
        if stat.S_ISDIR(status.st_mode):
            yield Node(relative, source, status.st_mode, 0)
            yield from self.walk(source, f"{relative}/", entered)
        elif stat.S_ISREG(status.st_mode):
            yield Node(relative, source, status.st_mode, status.st_size)


def digest(nodes: Iterable[Node]) -> str:
    """A hash over names, permission bits, links and every byte. Reads all files: times can lie, bytes cannot."""
    total = hashlib.sha256()
    for node in nodes:
        total.update(f"{node.relative}\0{stat.S_IMODE(node.mode):o}\0{node.link}\0".encode(errors="surrogateescape"))
        if node.link is None and not node.is_folder:
            total.update(file_digest(node.source))
    return total.hexdigest()


def file_digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def lay(nodes: Iterable[Node], target: Path, *, share: bool = False) -> None:
    """Put a tree on top of what `target` holds already; where both have a name, this tree's wins.

    `share` makes hard links, which is quick and takes no room, for files that nobody will write to.
    """
    for node in nodes:
        place = target / node.relative
        if node.is_folder:
            _clear(place, unless_folder=True)
            place.mkdir(exist_ok=True)
            # Folders stay ours to clean up, whatever their mode says.
            place.chmod(stat.S_IMODE(node.mode) | stat.S_IRWXU)
            continue
        _clear(place)
        if node.link is not None:
            place.symlink_to(node.link)
        elif not (share and _hard_link(node.source, place)):
            shutil.copy2(node.source, place)


def _clear(place: Path, *, unless_folder: bool = False) -> None:
    """Make room at `place`. Files are unlinked, never overwritten: they may be shared with another tree."""
    if place.is_dir() and not place.is_symlink():
        if not unless_folder:
            shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _hard_link(source: Path, place: Path) -> bool:
    try:
        os.link(source, place)
    except OSError:
        return False  # another file system, or one without hard links
    return True
