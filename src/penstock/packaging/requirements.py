"""What a requirements file depends on besides its own text, so that an installation can be named by its content."""

import hashlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from penstock.packaging import tree

# Options that name another requirements file.
# https://pip.pypa.io/en/stable/reference/requirements-file-format/#supported-options
_INCLUDES: Final = ("-r", "--requirement", "-c", "--constraint")
_ARCHIVES: Final = (".whl", ".zip", ".tar.gz")


def digest(requirements: Path, *also: str) -> str:
    """A hash over the file, those it includes, and every local project or wheel they name; `also` is mixed in."""
    total = hashlib.sha256("\0".join(also).encode())
    for part in _parts(requirements, requirements.parent, set()):
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()


def _parts(requirements: Path, base: Path, seen: set[Path]) -> Iterator[bytes]:
    real = requirements.resolve()
    if real in seen or not real.is_file():
        return  # a missing include is uv's to report
    seen.add(real)
    content = real.read_bytes()
    yield content
    for line in content.decode(errors="replace").splitlines():
        words = _words(line)
        for option, word in zip(["", *words], words, strict=False):
            if option in _INCLUDES:
                yield from _parts(requirements.parent / word, base, seen)
            elif _may_be_local(word):
                # uv takes a local path from the working directory, an include from the file that names it.
                yield from _local(base / word.removeprefix("file:").removeprefix("//"))


def _words(line: str) -> list[str]:
    """The words of one line, `--option=value` taken apart, without comment and environment marker."""
    try:
        words = shlex.split(line.split(" ;")[0], comments=True)
    except ValueError:
        return []  # not a requirement that can be read; uv says so
    return [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]


def _may_be_local(word: str) -> bool:
    return word.startswith((".", "/", "file:")) or word.endswith(_ARCHIVES) or "/" in word


def _local(path: Path) -> Iterator[bytes]:
    if path.is_dir():
        yield tree.digest(tree.scan(path, tree.PYTHON_EXCLUDES)).encode()
    elif path.is_file():
        yield tree.file_digest(path)
