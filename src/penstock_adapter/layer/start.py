"""What /opt/penstock runs, with the function's own Python: in-process mode, modules looked for as on AWS."""

import os
import site
import sys
from collections.abc import Collection, Iterable, Mapping

# This file is /opt/python/penstock_adapter/layer/start.py; without a mount namespace /opt is elsewhere.
_PYTHON_FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Where AWS's own Python lives, with boto3 in its site-packages: those count, another Python's are not on AWS.
# https://docs.aws.amazon.com/lambda/latest/dg/python-image.html#python-image-searchpath
_LANG_ROOT = "/var/lang/"


def site_packages(python_folder: str, version: tuple[int, ...]) -> str:
    """Where the layer's wheels for this Python are."""
    return os.path.join(python_folder, "lib", f"python{version[0]}.{version[1]}", "site-packages")


def search_path(
    variables: Mapping[str, str], python_folder: str, wheels: str, found: Iterable[str], host: Collection[str]
) -> list[str]:
    """Where modules are looked for: /var/task, layers, /var/runtime, then Python's own, so the function's packages win.

    https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-searchpath
    `found` is what Python made of its start; of `host`, its site-packages, only AWS's own are kept. The function's
    PYTHONPATH comes right after /var/task (assumed).
    """
    own = [entry for entry in variables.get("PYTHONPATH", "").split(os.pathsep) if entry]
    # Another version than the runtime's name says runs where this machine does not have that one.
    runtime = variables.get("AWS_EXECUTION_ENV", "").removeprefix("AWS_Lambda_")
    layers = [os.path.join(python_folder, "lib", runtime, "site-packages")] if runtime else []
    first = [variables.get("LAMBDA_TASK_ROOT", "/var/task"), *own, *layers, wheels, python_folder]
    last = [entry for entry in found if entry not in host or entry.startswith(_LANG_ROOT)]
    return list(dict.fromkeys([*first, variables.get("LAMBDA_RUNTIME_DIR", "/var/runtime"), *last]))


def main() -> int:
    """The exit code. A layer that was built for another Python is one line and 1."""
    wheels = site_packages(_PYTHON_FOLDER, sys.version_info[:2])
    if not os.path.isdir(os.path.join(wheels, "httptools")):
        version = "{}.{}".format(*sys.version_info[:2])
        sys.stdout.write(
            f"ERROR the layer that holds /opt/penstock has no wheels for Python {version}: "
            f"build it with `penstock layer build --python {version}`\n"
        )
        return 1
    host = [*site.getsitepackages(), site.getusersitepackages()]
    sys.path[:] = search_path(os.environ, _PYTHON_FOLDER, wheels, sys.path, host)
    from penstock_adapter.in_process import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
