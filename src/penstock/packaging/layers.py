"""Layers: where each one's content comes from, and all of them merged into what becomes /opt."""

import hashlib
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from penstock.model.errors import UserError
from penstock.model.function import Function, LayerVersion
from penstock.packaging import archive, tree
from penstock.packaging.background import in_thread
from penstock.packaging.store import Entry, Store

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html ("Function layers: five layers")
MAX_LAYERS: Final = 5

# https://github.com/awslabs/aws-lambda-web-adapter#lambda-functions-packaged-as-zip-package-for-aws-managed-runtimes
_WEB_ADAPTER: Final = re.compile(
    r"arn:[a-z0-9-]+:lambda:[a-z0-9-]+:753240598075:layer:LambdaAdapterLayer(X86|Arm64)(:\d+)?"
)

WEB_ADAPTER_WRAPPER: Final = "/opt/bootstrap"
# The layer's exec wrapper: the managed runtime hands it its own command, which it drops in favour of the handler file.
_BOOTSTRAP: Final = """\
#!/bin/sh
exec "$LAMBDA_TASK_ROOT/$_HANDLER"
"""
# -I: neither the customer's PYTHONPATH nor the working directory decides which modules the adapter gets.
_LAUNCHER: Final = """\
#!/bin/sh
exec {python} -I -m penstock_adapter
"""

Fill = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer's content: `digest` names it, `fill` puts it on top of what is in a directory already."""

    digest: str
    fill: Fill


async def merge(function: Function, given: Mapping[str, Path], store: Store) -> Entry:
    """All layers of `function`, later ones over earlier ones, as one directory.

    `given` maps layer ARNs to a directory, a zip archive, or (for the web adapter's ARN) the adapter's own binary.
    Raises UserError for a layer that has no content here, or cannot be read.
    """
    if len(function.layers) > MAX_LAYERS:
        raise UserError(
            f"{function.logical_id} has {len(function.layers)} layers; Lambda takes {MAX_LAYERS}", function.place
        )
    layers = await in_thread(lambda: [_resolve(function, layer, given) for layer in function.layers])
    name = hashlib.sha256("\0".join(layer.digest for layer in layers).encode()).hexdigest()
    return await store.entry(name, partial(_merge, layers))


async def _merge(layers: list[_Layer], target: Path) -> None:
    for layer in layers:
        await in_thread(partial(layer.fill, target))


def _resolve(function: Function, layer: LayerVersion, given: Mapping[str, Path]) -> _Layer:
    path = given.get(layer.arn, layer.content)
    if path is None and is_web_adapter(layer):
        return _web_adapter(None)
    if path is None:
        raise UserError(
            f"{function.logical_id}: the content of layer {layer.arn} is not on this machine; "
            f"give it with --layer {layer.arn}=PATH (a directory or a zip archive)",
            layer.place or function.place,
        )
    if path.is_dir():
        nodes = tree.scan(path)
        return _Layer(tree.digest(nodes), partial(tree.lay, nodes))
    if not path.is_file():
        raise UserError(f"{function.logical_id}: layer {layer.arn}: {path} does not exist", layer.place)
    if is_web_adapter(layer) and not _is_zip(path):
        return _web_adapter(path)
    return _Layer(tree.file_digest(path).hex(), partial(_unzip_over, path))


def is_web_adapter(layer: LayerVersion) -> bool:
    return _WEB_ADAPTER.fullmatch(layer.arn) is not None


def is_launcher(extension: Path) -> bool:
    """Whether a file in /opt/extensions is what stands in for the web adapter's own binary."""
    if not extension.is_file():
        return False
    with extension.open("rb") as file:
        return file.read(4096).endswith(_LAUNCHER.rpartition("}")[2].encode())


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _web_adapter(binary: Path | None) -> _Layer:
    """The Lambda Web Adapter layer: with Penstock's own adapter, or around the real one's `binary`."""
    launcher = _LAUNCHER.format(python=shlex.quote(sys.executable))
    content = tree.file_digest(binary) if binary else launcher.encode()
    digest = hashlib.sha256(b"web adapter\0" + _BOOTSTRAP.encode() + b"\0" + content).hexdigest()
    return _Layer(digest, partial(_fill_web_adapter, binary, launcher))


def _fill_web_adapter(binary: Path | None, launcher: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as temporary:
        content = Path(temporary)
        extension = content / "extensions" / "lambda-adapter"
        extension.parent.mkdir()
        if binary:
            shutil.copyfile(binary, extension)
        else:
            extension.write_text(launcher)
        bootstrap = content / "bootstrap"
        bootstrap.write_text(_BOOTSTRAP)
        for file in (extension, bootstrap):
            file.chmod(0o755)
        tree.lay(tree.scan(content), target)


def _unzip_over(path: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as temporary:
        archive.unzip(path, Path(temporary))
        tree.lay(tree.scan(Path(temporary), follow=False), target)
