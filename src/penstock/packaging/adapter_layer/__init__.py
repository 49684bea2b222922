"""The layer that holds `penstock_adapter`: its content, the same on AWS and here, and supplying it where none does."""

import hashlib
import os
import platform
import shutil
from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from penstock.model.errors import UserError
from penstock.model.function import Function
from penstock.packaging import child, dependencies, layers, tree
from penstock.packaging.background import in_thread
from penstock.packaging.interpreter import Interpreter
from penstock.packaging.store import Entry, Store

REQUIREMENTS: Final = Path(__file__).parent / "requirements.txt"
INSTALL_FLAGS: Final = ("--require-hashes", "--no-deps", "--only-binary", ":all:")

WRAPPER: Final = "/opt/penstock"
_HOOK: Final = "PENSTOCK_UVICORN_HOOK"
_WRAPPER_VARIABLE: Final = "AWS_LAMBDA_EXEC_WRAPPER"
_ADAPTER: Final = "penstock_adapter"
# Files of the folder `layer` in the adapter, and their places in the layer.
_SCRIPTS: Final = {
    "penstock": "penstock",
    "bootstrap": "bootstrap",
    "lambda-adapter": "extensions/lambda-adapter",
}
# What UVICORN_LOOP names, alone in a folder that can be one's own site-packages for that Python.
_LOOP: Final = "penstock_uvicorn.py"
# What wheels bring along for compiling against them and for type checkers.
_UNUSED: Final = ("__pycache__", "*.pyc", "*.pyx", "*.pxd", "*.pxi", "*.pyi", ".lock")
_BUILT: Final = "the one that `penstock layer build` makes"
_FORMAT: Final = "2"
"""Part of every name: raised when the same content would be laid out differently."""


def is_named(function: Function) -> bool:
    """Whether the function's exec wrapper is the one of this layer."""
    return function.environment.get(_WRAPPER_VARIABLE) == WRAPPER


def is_hooked(function: Function) -> bool:
    """Whether invocations are to reach the uvicorn that the function's handler file starts, in its process."""
    wrapper = function.environment.get(_WRAPPER_VARIABLE)
    return wrapper in (WRAPPER, layers.WEB_ADAPTER_WRAPPER) and function.environment.get(_HOOK) == "1"


async def supply(
    function: Function,
    python: Interpreter,
    opt: Entry,
    store: Store,
    installs: Store,
    progress: Callable[[str], None],
) -> tuple[Entry, str | None]:
    """/opt with this layer on top of the merged layers `opt`, and a warning; `opt` itself where it is not needed.

    It is needed where no layer holds the exec wrapper /opt/penstock, and where PENSTOCK_UVICORN_HOOK=1 meets no web
    adapter but the one Penstock supplies. Raises UserError for a runtime that is not Python, and with uv's words when
    the wheels cannot be installed.
    """
    is_needed, told = _need(function, opt.path)
    if not is_needed:
        return opt, told and f"{function.logical_id}: {told}"
    wheels = await _install(function, python, installs, progress)
    nodes = await in_thread(adapter_nodes)
    digest = await in_thread(partial(tree.digest, nodes))
    parts = (_FORMAT, opt.path.name, wheels.path.name, digest, str(python.executable))
    name = hashlib.sha256("\0".join(parts).encode()).hexdigest()

    async def make(target: Path) -> None:
        below = await in_thread(partial(tree.scan, opt.path, follow=False))
        await in_thread(partial(tree.lay, below, target, share=True))
        await in_thread(partial(lay, target, nodes, wheels.path, python.name, share=True))
        await _compile(target, python)

    return await store.entry(name, make), f"{function.logical_id}: {told}"


def _need(function: Function, opt: Path) -> tuple[bool, str | None]:
    """Whether the layer is to be supplied, and what the user is to know. Raises UserError."""
    is_python = function.runtime.startswith("python")
    if is_named(function):
        if (opt / Path(WRAPPER).name).is_file():
            return False, None
        if not is_python:
            told = f"{WRAPPER} runs Python apps, and the runtime is {function.runtime}"
            raise UserError(f"{function.logical_id}: {told}", function.place)
        return True, f"no layer holds {WRAPPER}: it is supplied here; on AWS add {_BUILT}"
    if not is_hooked(function) or (opt / "python" / _ADAPTER).is_dir():
        return False, None
    if not is_python:
        return False, f"{_HOOK}=1 has no effect: it is for Python apps, and the runtime is {function.runtime}"
    if layers.is_launcher(opt / _SCRIPTS["lambda-adapter"]):
        return True, f"{_HOOK}=1: Penstock's layer is supplied here; on AWS put {_BUILT} in the web adapter's place"
    if (opt / Path(layers.WEB_ADAPTER_WRAPPER).name).is_file():
        return False, f"{_HOOK}=1 has no effect: the layer that holds {layers.WEB_ADAPTER_WRAPPER} is not Penstock's"
    return True, f"no layer holds {layers.WEB_ADAPTER_WRAPPER}: it is supplied here; on AWS add {_BUILT}"


def adapter_nodes() -> list[tree.Node]:
    """The adapter's own files. Raises UserError when it is not installed."""
    spec = find_spec(_ADAPTER)
    folders = (spec and spec.submodule_search_locations) or ()
    for folder in folders:
        return tree.scan(Path(folder), _UNUSED)
    raise UserError(f"{_ADAPTER} is missing: it is installed together with penstock, reinstall penstock")


def lay(target: Path, adapter: Iterable[tree.Node], wheels: Path, python_name: str, *, share: bool = False) -> None:
    """Put the layer's content for `python_name` (`python3.13`) on top of what the folder `target` holds.

    `adapter` are the adapter's files, `wheels` is the folder its requirements are installed in. `share` makes hard
    links of the wheels.
    """
    package = target / "python" / _ADAPTER
    site_packages = target / "python" / "lib" / python_name / "site-packages"
    found = package / "layer" / "found" / "lib" / python_name / "site-packages"
    for folder in (package, site_packages, found):
        folder.mkdir(parents=True, exist_ok=True)
    tree.lay(adapter, package)
    shutil.copyfile(package / "layer" / _LOOP, found / _LOOP)
    tree.lay(tree.scan(wheels, () if share else _UNUSED, follow=False), site_packages, share=share)
    for name, place in _SCRIPTS.items():
        script = target / place
        script.parent.mkdir(exist_ok=True)
        # Never through a hard link: another layer's file may be there.
        script.unlink(missing_ok=True)
        shutil.copyfile(package / "layer" / name, script)
        script.chmod(0o755)


async def _install(function: Function, python: Interpreter, installs: Store, progress: Callable[[str], None]) -> Entry:
    parts = (REQUIREMENTS.read_bytes(), str(python.executable).encode(), platform.machine().encode())
    name = hashlib.sha256(b"\0".join((python.full_version.encode(), *parts))).hexdigest()

    async def make(target: Path) -> None:
        progress(f"Installing Penstock's adapter for {function.logical_id} ({python.name})")
        what = f"Penstock's adapter for {function.logical_id}"
        await dependencies.fill(target, REQUIREMENTS, python, what, flags=INSTALL_FLAGS)

    return await installs.entry(name, make)


async def _compile(target: Path, python: Interpreter) -> None:
    """Bytecode for the adapter, since a function cannot write any into /opt; the wheels have theirs already."""
    options = ("-q", "--invalidation-mode", "unchecked-hash")
    package = os.path.join(target, "python", _ADAPTER)
    await child.run((str(python.executable), "-I", "-m", "compileall", *options, package), cwd=target)
