"""From a function to the directories its execution environments see."""

import hashlib
import os
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from penstock.model.errors import Place, UserError
from penstock.model.function import Function
from penstock.packaging import adapter_layer, archive, interpreter, python_runtime, task_root, tree
from penstock.packaging.background import in_thread
from penstock.packaging.interpreter import Interpreter
from penstock.packaging.layers import merge
from penstock.packaging.store import Entry, Lease, Store

# How many of each stay on disk besides those in use. Task roots change with every edit, the rest seldom.
_KEEP_TASK_ROOTS: Final = 10
_KEEP_OTHERS: Final = 20


@dataclass(frozen=True, slots=True)
class Package:
    """Directories to mount, complete, never to be written to. They stay on disk while this value lives."""

    task_root: Path
    """Code and dependencies: /var/task."""
    opt_root: Path
    """Layers: /opt."""
    lang_root: Path
    """`bin/python`, `bin/python3`, `bin/python3.x`, links to `python`: /var/lang. Empty for other runtimes."""
    python: Path
    """The interpreter's real file; for a runtime that is not Python, the one Penstock runs on."""
    python_version: str
    """`3.13.0`"""
    keep_visible: tuple[Path, ...]
    """What must stay readable inside besides: the interpreter, and what Penstock's own adapter needs."""
    runtime_root: Path | None = None
    """AWS's Python runtime: /var/runtime. None where it is not needed."""
    code_sha256: str = ""
    """What the API calls so, base64 of 32 bytes: of the task root's content, because there is no zip file."""
    code_size: int = 0
    """Bytes of the task root."""
    warnings: tuple[str, ...] = ()
    leases: tuple[Lease, ...] = field(default=(), repr=False, compare=False)


async def build_package(
    function: Function, *, cache: Path, layers: Mapping[str, Path], built: bool, progress: Callable[[str], None]
) -> Package:
    """Build what `function` runs from, below the directory `cache`; what was built before is found again.

    `layers` are those given by hand, ARN to path. `built` says that `sam build` made the code directory, so that it
    is taken as it is. `progress` is told what takes time. Raises UserError for code, requirements and layers that
    cannot be used; when cancelled, no process and nothing half made stays behind.
    """
    try:
        return await _build(function, cache, layers, built, progress)
    except OSError as error:
        # A file of the user's, or of the cache, that cannot be read or written.
        place = Place(Path(error.filename)) if isinstance(error.filename, str) else function.place
        raise UserError(f"{function.logical_id}: {error.strerror or error}", place) from None


async def _build(
    function: Function, cache: Path, layers: Mapping[str, Path], built: bool, progress: Callable[[str], None]
) -> Package:
    installs = Store(cache / "dependencies", keep=_KEEP_OTHERS)
    opts = Store(cache / "opt", keep=_KEEP_OTHERS)
    tasks = Store(cache / "task", keep=_KEEP_TASK_ROOTS)
    langs = Store(cache / "lang", keep=_KEEP_OTHERS)
    runtimes = Store(cache / "runtime", keep=_KEEP_OTHERS)

    python, mismatch = await interpreter.find(function.runtime)
    merged = await merge(function, layers, opts)
    opt, supplied = await adapter_layer.supply(function, python, merged, opts, installs, progress)
    task = await task_root.build(function, python, built=built, store=tasks, installs=installs, progress=progress)
    lang = await _lang(function, python, langs)
    needed = python_runtime.is_needed(function)
    runtime = await python_runtime.install(function, python, runtimes, progress) if needed else None
    code_size, opt_size = await in_thread(lambda: (_size(task.path), _size(opt.path)))
    too_large = _size_warning(function, code_size + opt_size)
    for store in (installs, opts, tasks, langs, runtimes):
        await store.prune()
    return Package(
        task_root=task.path,
        opt_root=opt.path,
        lang_root=lang.path,
        python=python.executable,
        python_version=python.full_version,
        keep_visible=_keep_visible(python),
        runtime_root=runtime.path if runtime else None,
        code_sha256=b64encode(bytes.fromhex(task.path.name)).decode(),
        code_size=code_size,
        warnings=tuple(warning for warning in (mismatch, supplied, too_large) if warning),
        leases=tuple(entry.lease for entry in (task, opt, lang, runtime) if entry),
    )


async def _lang(function: Function, python: Interpreter, store: Store) -> Entry:
    # Under the runtime's name also where the version is another one, which was warned of.
    is_python = task_root.is_python(function)
    names = sorted({"python", "python3", python.name, function.runtime}) if is_python else []

    async def make(target: Path) -> None:
        if names:
            (target / "bin").mkdir()
        for name in names:
            (target / "bin" / name).symlink_to(python.executable)

    name = hashlib.sha256(f"{names} {python.executable}".encode()).hexdigest() if names else "none"
    return await store.entry(name, make)


def _size(root: Path) -> int:
    """Bytecode does not count: it is made here."""
    return sum(node.size for node in tree.scan(root, ("__pycache__",), follow=False))


def _size_warning(function: Function, size: int) -> str | None:
    """Lambda would refuse the deployment; here it runs."""
    if size <= archive.MAX_UNZIPPED_BYTES:
        return None
    return (
        f"{function.logical_id}: code and layers are {size:,} bytes unzipped;"
        f" Lambda takes {archive.MAX_UNZIPPED_BYTES:,}"
    )


def _keep_visible(python: Interpreter) -> tuple[Path, ...]:
    """Every path as it is named, and with links resolved."""
    sources = [
        Path(location)
        for package in ("penstock", "penstock_adapter")
        if (spec := find_spec(package))
        for location in spec.submodule_search_locations or ()
    ]
    ours = (Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).parent, *sources)
    named = (*ours, interpreter.own().executable.parent, python.prefix, python.executable.parent)
    return tuple(dict.fromkeys(path for name in named for path in (name, Path(os.path.realpath(name)))))
