"""What becomes /var/task: the user's code on top of its dependencies, with bytecode."""

import hashlib
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Final

from penstock.model.errors import Place, UserError
from penstock.model.function import Function
from penstock.packaging import archive, child, dependencies, tree
from penstock.packaging.background import in_thread
from penstock.packaging.interpreter import Interpreter
from penstock.packaging.store import Entry, Store

_ATTEMPTS: Final = 3
"""A code directory that has changed after so many copies is being written to all the time."""
_FORMAT: Final = "1"
"""Part of every name: raised when the same code would be laid out differently."""

Progress = Callable[[str], None]


async def build(
    function: Function, python: Interpreter, *, built: bool, store: Store, installs: Store, progress: Progress
) -> Entry:
    """Raises UserError for code or requirements that cannot be used."""
    code = function.code
    if code.is_file():
        return await _from_archive(function, python, store)
    if not code.is_dir():
        raise UserError(f"{function.logical_id}: the code {code} does not exist", function.place)
    if built:
        return await _from_directory(function, python, (), None, store)
    if not is_python(function):
        return await _from_directory(function, python, tree.OTHER_EXCLUDES, None, store)
    installed: Entry | None = None
    requirements = code / dependencies.FILE
    if requirements.is_file():
        installed = await dependencies.install(requirements, python, installs, function.logical_id, progress)
    return await _from_directory(function, python, tree.PYTHON_EXCLUDES, installed, store)


def is_python(function: Function) -> bool:
    return function.runtime.startswith("python")


async def _from_archive(function: Function, python: Interpreter, store: Store) -> Entry:
    """An archive is taken as it is: `sam build` leaves such a function alone, no requirements are installed.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-cli-command-reference-sam-build.html
    """

    async def make(target: Path) -> None:
        await in_thread(partial(archive.unzip, function.code, target))
        await _compile(function, python, tree.scan(target, follow=False), target)

    digest = await in_thread(partial(tree.file_digest, function.code))
    return await store.entry(_name(function, python, digest.hex()), make)


class _CodeChangedError(Exception):
    """The code directory was written to while it was copied."""


async def _from_directory(
    function: Function, python: Interpreter, excludes: Iterable[str], installed: Entry | None, store: Store
) -> Entry:
    def look() -> tuple[list[tree.Node], str]:
        found = tree.scan(function.code, excludes)
        return found, tree.digest(found)

    async def make(target: Path) -> None:
        if installed:
            dependency_nodes = await in_thread(partial(tree.scan, installed.path, follow=False))
            await in_thread(partial(tree.lay, dependency_nodes, target, share=True))
        await in_thread(partial(tree.lay, nodes, target))
        if await in_thread(look) != (nodes, digest):
            raise _CodeChangedError
        await _compile(function, python, nodes, target)

    for _ in range(_ATTEMPTS):
        try:
            nodes, digest = await in_thread(look)
            name = _name(function, python, digest, installed.path.name if installed else "")
            return await store.entry(name, make)
        except (_CodeChangedError, FileNotFoundError):
            continue
    raise UserError(f"{function.logical_id}: the code keeps changing while it is copied", Place(function.code))


def _name(function: Function, python: Interpreter, *parts: str) -> str:
    # The interpreter counts because of the bytecode.
    compiler = (str(python.executable), python.full_version) if is_python(function) else ()
    return hashlib.sha256("\0".join((_FORMAT, *compiler, *parts)).encode()).hexdigest()


async def _compile(function: Function, python: Interpreter, nodes: Iterable[tree.Node], target: Path) -> None:
    """Bytecode for the user's own modules, since a function cannot write any into /var/task.

    Unchecked: the files never change again, and their times may not survive a copy. What does not compile is left
    for the function itself to report.
    """
    if not is_python(function):
        return
    modules = [node.relative for node in nodes if node.relative.endswith(".py") and not node.is_folder]
    if not modules:
        return
    options = ("-qq", "-f", "--invalidation-mode", "unchecked-hash", "-i", "-")
    names = os.fsencode("".join(f"{target / module}\n" for module in modules))
    await child.run((str(python.executable), "-I", "-m", "compileall", *options), cwd=target, stdin=names)
