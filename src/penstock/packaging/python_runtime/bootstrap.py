"""/var/runtime/bootstrap.py: runs a function's handler through AWS's own runtime interface client.

Run by the function's Python, so it imports nothing of Penstock. The client forks AWS_LAMBDA_MAX_CONCURRENCY workers,
each of which imports the handler and asks for one invocation at a time:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-python-runtime.html
"""

import os
import runpy
import site
import sys
from collections.abc import Collection, Iterable, Mapping


def search_path(variables: Mapping[str, str], found: Iterable[str], host: Collection[str]) -> list[str]:
    """Where modules are looked for: /var/task, layers, /var/runtime, then the standard library, as on AWS.

    https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-searchpath
    `found` is what Python made of its start; `host` are the site-packages of this machine's Python: what is installed
    there is not on AWS. A function's own PYTHONPATH comes right after /var/task (assumed).
    """
    # Without a mount namespace /opt is elsewhere, and Penstock says where.
    layers = os.path.join(variables.get("PENSTOCK_OPT_ROOT", "/opt"), "python")
    runtime = variables["AWS_EXECUTION_ENV"].removeprefix("AWS_Lambda_")
    own = [entry for entry in variables.get("PYTHONPATH", "").split(os.pathsep) if entry]
    first = [variables["LAMBDA_TASK_ROOT"], *own, os.path.join(layers, "lib", runtime, "site-packages"), layers]
    last = [entry for entry in found if entry not in host]
    return list(dict.fromkeys([*first, variables["LAMBDA_RUNTIME_DIR"], *last]))


def main() -> None:
    sys.path[:] = search_path(os.environ, sys.path, [*site.getsitepackages(), site.getusersitepackages()])
    # For what the handler starts: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    os.environ.setdefault("PYTHONPATH", os.environ["LAMBDA_RUNTIME_DIR"])
    sys.argv[1:] = [os.environ["_HANDLER"]]
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
