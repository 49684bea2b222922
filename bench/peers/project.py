"""The app and its packages in one folder, for every side of the comparison the same."""

import asyncio
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.packaging import interpreter

_BENCH: Final = Path(__file__).parents[1]
_APPS: Final = _BENCH / "apps"
_APP: Final = _APPS / "fastapi"
ADAPTER: Final = _BENCH.parent / "src" / "penstock_adapter"
BUILT: Final = _BENCH / ".penstock" / "compare"
RUNTIME: Final = "python3.13"


@dataclass(frozen=True, slots=True)
class Project:
    """`folder` holds the templates, and `app/` with all packages in it. `python` runs every side."""

    folder: Path
    python: Path
    python_version: str

    @property
    def app(self) -> Path:
        return self.folder / "app"

    def template(self, name: str) -> Path:
        return self.folder / f"{name}.yaml"


async def build() -> Project:
    """Packages are installed once for each set of pins; the rest is copied anew. Ends the bench if uv fails."""
    python, _ = await interpreter.find(RUNTIME)
    app = BUILT / "app"
    stamp = BUILT / "installed.txt"
    pins = f"{python.full_version}\n{(_APP / 'requirements.txt').read_text()}"
    if not stamp.is_file() or stamp.read_text() != pins:
        shutil.rmtree(BUILT, ignore_errors=True)
        if not await uv_install(python.executable, app, "-r", str(_APP / "requirements.txt")):
            raise SystemExit("the app's packages could not be installed")
        stamp.write_text(pins)
    for name in ("main.py", "on_mangum.py", "run.sh"):
        shutil.copy(_APP / name, app / name)
    for template in _APPS.glob("*.yaml"):
        shutil.copy(template, BUILT / template.name)
    return Project(BUILT, python.executable, python.full_version)


async def uv_install(python: Path, target: Path, *what: str) -> bool:
    """Packages for `python` into the folder `target`. False when uv could not, and has said why."""
    uv = f"{os.path.dirname(sys.executable)}/uv"
    words = ("pip", "install", "--quiet", "--python", str(python), "--target", str(target))
    process = await asyncio.create_subprocess_exec(uv, *words, *what)
    return await process.wait() == 0
