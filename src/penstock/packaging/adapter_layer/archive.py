"""`penstock layer build`: the layer for AWS, the same bytes for the same content."""

import os
import stat
import tempfile
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from penstock.model.errors import UserError
from penstock.model.function import Architecture
from penstock.packaging import adapter_layer, dependencies, tree
from penstock.packaging.background import in_thread

# Amazon Linux 2023 has glibc 2.34: https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html
_PLATFORMS: Final = {
    Architecture.X86_64: "x86_64-manylinux_2_34",
    Architecture.ARM64: "aarch64-manylinux_2_34",
}
# The earliest a zip archive can say.
_TIME: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3


@dataclass(frozen=True, slots=True)
class BuiltLayer:
    """`size` and `unzipped_size` in bytes; `size` and `sha256` (hexadecimal) are those of the archive, else empty."""

    output: Path
    unzipped_size: int
    size: int = 0
    sha256: str = ""


async def build(architecture: Architecture, python: str, output: Path) -> BuiltLayer:
    """Build the layer for Python version `python` (`3.13`) into `output`: a .zip, or a folder that exists.

    Raises UserError for another kind of output, and with uv's words when wheels cannot be had.
    """
    check_output(output)
    with tempfile.TemporaryDirectory(prefix="penstock-layer-") as temporary:
        wheels, content = Path(temporary, "wheels"), Path(temporary, "content")
        what = f"the adapter's wheels for Python {python} on {architecture}"
        flags = ("--python-platform", _PLATFORMS[architecture], "--python-version", python)
        await dependencies.download(wheels, adapter_layer.REQUIREMENTS, what, (*flags, *adapter_layer.INSTALL_FLAGS))
        adapter = await in_thread(adapter_layer.adapter_nodes)
        await in_thread(partial(adapter_layer.lay, content, adapter, wheels, f"python{python}"))
        try:
            return await in_thread(partial(_write, content, output))
        except OSError as error:
            raise UserError(f"--output: {output} cannot be written: {error.strerror or error}") from None


def check_output(output: Path) -> None:
    """Raises UserError unless `output` is a folder, or may become a .zip archive."""
    if output.is_dir():
        return
    if output.suffix.lower() != ".zip":
        raise UserError(f"--output: {output} is neither the name of a .zip archive nor a folder")
    if not output.parent.is_dir():
        raise UserError(f"--output: the folder {output.parent} does not exist")


def _write(content: Path, output: Path) -> BuiltLayer:
    nodes = tree.scan(content)
    unzipped_size = sum(node.size for node in nodes)
    if output.is_dir():
        tree.lay(nodes, output)
        return BuiltLayer(output, unzipped_size)
    # Complete or not at all, also for who reads it meanwhile.
    unfinished = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        write_zip(nodes, unfinished)
        size, sha256 = unfinished.stat().st_size, tree.file_digest(unfinished).hex()
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    return BuiltLayer(output, unzipped_size, size, sha256)


def write_zip(nodes: list[tree.Node], archive: Path) -> None:
    """The files among `nodes` in their order, with nothing of this machine's: no times, no owners, modes by rule."""
    with zipfile.ZipFile(archive, "w") as out:
        for node in nodes:
            if not node.is_folder:
                out.writestr(_entry(node.relative), node.source.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.create_system = _UNIX
    # Only the scripts outside of `python/` are started.
    mode = 0o644 if name.startswith("python/") else 0o755
    entry.external_attr = (stat.S_IFREG | mode) << 16
    return entry
