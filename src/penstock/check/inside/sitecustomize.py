"""Every Python imports a module of this name when it starts: the state probe begins here.

https://docs.python.org/3/library/site.html#module-sitecustomize
The one that would have been imported without us is imported next, in our place.
"""

import os
import sys
from importlib.machinery import PathFinder


def _is_here(entry: str) -> bool:
    """Whether a folder of a search path is this one, by whatever name."""
    return bool(entry) and os.path.realpath(entry) == os.path.dirname(os.path.realpath(__file__))


def _begin_probe() -> None:
    try:
        # Top-level, because this folder is on the path. The platform sees the same package under its own name.
        from penstock_probe import begin  # type: ignore[import-not-found]

        begin(os.environ)
    except Exception as error:  # an app must run as it does without us
        sys.stderr.write(f"penstock check: no look at this process: {type(error).__name__}: {error}\n")


def _hide_from_handler() -> None:
    """AWS's client forks its workers, which keep the probe; what those start is to have the PYTHONPATH it has on AWS.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    if os.path.basename(sys.orig_argv[-1]) == "bootstrap.py":
        others = [entry for entry in os.environ.pop("PYTHONPATH", "").split(os.pathsep) if not _is_here(entry)]
        if any(others):
            os.environ["PYTHONPATH"] = os.pathsep.join(others)


def _import_next() -> None:
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        return
    from importlib.util import module_from_spec

    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


# Loaded under the platform's name it is only looked at.
if __name__ == "sitecustomize":
    _begin_probe()
    _hide_from_handler()
    sys.path[:] = [entry for entry in sys.path if not _is_here(entry)]
    _import_next()
