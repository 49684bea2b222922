"""Which of the loaded modules are the app's own: its task root holds its code and, mixed with it, its dependencies."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

# Folders of dependencies wherever they stand.
_FOLDERS = ("site-packages", "dist-packages")
_INFO = (".dist-info", ".egg-info")


class OwnModules:
    """`root` is the task root. What its installed packages brought is known by their RECORD files.

    https://packaging.python.org/en/latest/specifications/recording-installed-packages/
    """

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        self._installed: frozenset[str] | None = None

    def loaded(self) -> list[ModuleType]:
        """In the order they were imported."""
        return [module for module in list(sys.modules.values()) if self.is_own(getattr(module, "__file__", None))]

    def is_own(self, file: object) -> bool:
        """Whether the app's author wrote `file`."""
        if not isinstance(file, str):
            return False
        path = os.path.realpath(file)
        if not path.startswith(self._root + os.sep):
            return False
        parts = path[len(self._root) + 1 :].split(os.sep)
        if any(folder in parts for folder in _FOLDERS):
            return False
        if self._installed is None:
            self._installed = _installed(self._root)
        return parts[0] not in self._installed


def _installed(root: str) -> frozenset[str]:
    """The first parts of the paths that installed packages have brought: folders, and modules such as `six.py`."""
    tops: set[str] = set()
    for name in os.listdir(root):
        if name.endswith(_INFO):
            tops.add(name)
            tops.update(_recorded(os.path.join(root, name, "RECORD")))
    return frozenset(tops)


def _path(line: str) -> str:
    """The first field, which is quoted where it has a comma."""
    return line[1:].partition('"')[0] if line.startswith('"') else line.partition(",")[0].strip()


def _recorded(path: str) -> set[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            return {_path(line).replace("\\", "/").partition("/")[0] for line in lines}
    except OSError:  # an .egg-info has none
        return set()
