"""What is started inside: the extensions found in /opt, and the runtime's command."""

import os
from collections.abc import Mapping
from pathlib import Path

from penstock.model.errors import StartError
from penstock.model.function import Function

_BOOTSTRAP_FOLDERS = ("/var/task", "/opt")


def find_extensions(opt_root: Path) -> tuple[str, ...]:
    """Names of external extensions: every file directly in /opt/extensions.

    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
    """
    folder = opt_root / "extensions"
    if not folder.is_dir():
        return ()
    return tuple(sorted(entry.name for entry in folder.iterdir() if not entry.is_dir()))


def runtime_command(
    function: Function, variables: Mapping[str, str], task_root: Path, opt_root: Path
) -> tuple[str, ...]:
    """The command line, in the paths of AWS's layout. Raises StartError when there is nothing to start.

    A managed runtime hands its own command to the exec wrapper, as arguments:
    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper
    """
    if function.runtime.startswith("provided"):
        return (_find_bootstrap(task_root, opt_root),)
    command = (f"/var/lang/bin/{function.runtime}", "/var/runtime/bootstrap.py")
    wrapper = variables.get("AWS_LAMBDA_EXEC_WRAPPER")
    if wrapper:
        return (wrapper, *command)
    if not function.runtime.startswith("python"):
        raise StartError(
            "Runtime.InvalidEntrypoint",
            f"runtime {function.runtime} needs AWS_LAMBDA_EXEC_WRAPPER: handlers without one are run for Python only",
        )
    return command


def _find_bootstrap(task_root: Path, opt_root: Path) -> str:
    """https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html: the first of the folders that has one."""
    for folder, root in zip(_BOOTSTRAP_FOLDERS, (task_root, opt_root), strict=True):
        path = root / "bootstrap"
        if path.is_file() and os.access(path, os.X_OK):
            return f"{folder}/bootstrap"
    raise StartError("Runtime.InvalidEntrypoint", f"no executable bootstrap in any of {', '.join(_BOOTSTRAP_FOLDERS)}")
