"""Clients from PyPI, each in a virtual environment of its own: they want libraries of their own versions."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .common import Client, Command, Missing, complete, pinned, run, say

UV: Final = Path(sys.executable).with_name("uv")
LIMIT_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class PythonPackage:
    """`folder` names its place in the cache, `command` what is run of it, `pins` its versions with their hashes."""

    name: str
    title: str
    folder: str
    command: str
    pins: Path

    def find(self, environ: Mapping[str, str]) -> Path:
        """The command. Raises Missing."""
        path = self._place(environ) / "bin" / self.command
        if not path.is_file():
            raise Missing(f"the {self.title} is not on this machine; run `make clients`")
        return path

    def fetch(self, environ: Mapping[str, str]) -> Path:
        """The command, installed if need be. Raises Missing."""
        try:
            return self.find(environ)
        except Missing:
            folder = self._place(environ)
        say(f"{self.title}: installing it from PyPI, once")
        with complete(folder) as new:
            self._install(new, folder.with_suffix(".log"), environ)
        return self.find(environ)

    @property
    def client(self) -> Client:
        return Client(self.name, self.title, self.find, self.fetch)

    def _place(self, environ: Mapping[str, str]) -> Path:
        return pinned(environ, self.folder, self.pins)

    def _install(self, new: Path, log: Path, environ: Mapping[str, str]) -> None:
        """Raises Missing, OSError."""
        # Relocatable: it is moved to its place when it is complete.
        make = (UV, "venv", "--quiet", "--relocatable", "--allow-existing", "--python", sys.executable, new)
        sync = (UV, "pip", "sync", "--quiet", "--require-hashes", "--python", new / "bin" / "python", self.pins)
        for words in (make, sync):
            run(Command(words, log, LIMIT_S, lambda: f"{self.title}: still installing"), new, environ)
