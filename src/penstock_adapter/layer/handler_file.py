"""What the exec wrappers run where PENSTOCK_UVICORN_HOOK is 1: the handler file, with what makes uvicorn take our loop.

With the first python3 on PATH, which is most likely the one that the file calls. Where the loop would be refused the
file runs without it, and one line says why: the extension then finds the app on its port.
"""

import os
import sys
from collections.abc import Iterable, Mapping

# This file is /opt/python/penstock_adapter/layer/handler_file.py; without a mount namespace /opt is elsewhere.
_LAYER = os.path.dirname(os.path.abspath(__file__))
_PYTHON_FOLDER = os.path.dirname(os.path.dirname(_LAYER))
_LOOP = "penstock_uvicorn:new_event_loop"
# The first that takes a loop by the name of a function: https://www.uvicorn.org/release-notes/ (0.36.0)
_FIRST = (0, 36)


def run() -> int:
    """Becomes the handler file, started by the shell as without the variable; 1, and one line, where it is none."""
    file = os.path.join(os.environ.get("LAMBDA_TASK_ROOT", "/var/task"), os.environ.get("_HANDLER", ""))
    if not os.path.isfile(file):
        sys.stdout.write(f"ERROR PENSTOCK_UVICORN_HOOK=1 is for a Handler that is a file, such as run.sh: no {file}\n")
        return 1
    version = "python{}.{}".format(*sys.version_info[:2])
    variables, problem = hooked(os.environ, _PYTHON_FOLDER, version)
    if problem:
        sys.stdout.write(f"WARN PENSTOCK_UVICORN_HOOK=1 has no effect: {problem}\n")
        sys.stdout.flush()
    os.execve("/bin/sh", ["sh", "-c", 'exec "$0"', file], variables)


def hooked(variables: Mapping[str, str], python_folder: str, version: str) -> tuple[dict[str, str], str]:
    """The variables to start the file with, and why they are those of before; `version` is `python3.13`."""
    if "UVICORN_LOOP" in variables:
        return dict(variables), f"UVICORN_LOOP is set already, to {variables['UVICORN_LOOP']!r}"
    base = os.path.join(python_folder, "penstock_adapter", "layer", "found")
    found = os.path.join(base, "lib", version, "site-packages")
    if not os.path.isdir(found):
        built = f"build it with `penstock layer build --python {version.removeprefix('python')}`"
        return dict(variables), f"the layer that holds /opt/bootstrap is not for {version}: {built}"
    if problem := _problem(_folders(variables, python_folder, version)):
        return dict(variables), problem
    paths = [path for path in (variables.get("PYTHONPATH"), found) if path]
    # By both, because the file may set PYTHONPATH anew: as the user's own site-packages the folder is found as well.
    # https://docs.python.org/3/using/cmdline.html#envvar-PYTHONUSERBASE
    return {"PYTHONUSERBASE": base, **variables, "PYTHONPATH": os.pathsep.join(paths), "UVICORN_LOOP": _LOOP}, ""


def _folders(variables: Mapping[str, str], python_folder: str, version: str) -> list[str]:
    """Where the function's packages may be; what is installed in Python itself counts where there is no uvicorn."""
    own = [path for path in variables.get("PYTHONPATH", "").split(os.pathsep) if path]
    layers = [os.path.join(python_folder, "lib", version, "site-packages"), python_folder]
    return list(dict.fromkeys([variables.get("LAMBDA_TASK_ROOT", "/var/task"), *own, *layers]))


def _problem(folders: Iterable[str]) -> str:
    """Which of several runs is for the file to say, so all of them must be new enough."""
    from site import getsitepackages

    found = _uvicorns(folders) or _uvicorns(getsitepackages())
    if not found:
        return f"there is no uvicorn in {', '.join(folders)}"
    for folder, version in found.items():
        if _numbers(version) < _FIRST:
            return f"uvicorn {version or 'of an unknown version'} in {folder} cannot use it: 0.36 or later can"
    return ""


def _uvicorns(folders: Iterable[str]) -> dict[str, str]:
    """Versions by folder, as the packages themselves say them; empty where one does not."""
    versions = {}
    for folder in folders:
        try:
            with open(os.path.join(folder, "uvicorn", "__init__.py"), encoding="utf-8", errors="replace") as module:
                lines = [line for line in module if line.startswith("__version__")]
        except OSError:
            continue
        versions[folder] = lines[0].partition("=")[2].strip().strip("\"'") if lines else ""
    return versions


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:2]
    return tuple(map(int, parts)) if all(part.isascii() and part.isdigit() for part in parts) else (0,)


if __name__ == "__main__":
    sys.exit(run())
