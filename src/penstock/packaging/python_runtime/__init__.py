"""What becomes /var/runtime for a function whose handler is a Python function: AWS's own runtime interface client.

boto3 is installed with it, because AWS's runtime has it and functions leave it out of their requirements. Both are
pinned and hashed in `requirements.txt` beside this file and installed once for each interpreter.
"""

import hashlib
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from penstock.model.errors import UserError
from penstock.model.function import Function
from penstock.packaging import adapter_layer, dependencies, layers
from penstock.packaging.background import in_thread
from penstock.packaging.interpreter import Interpreter
from penstock.packaging.store import Entry, Store

_HERE: Final = Path(__file__).parent
REQUIREMENTS: Final = _HERE / "requirements.txt"
_BOOTSTRAP_PY: Final = _HERE / "bootstrap.py"
# What AWS starts a managed runtime with. An exec wrapper gets the runtime's own command as arguments.
# https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper
_BOOTSTRAP: Final = """\
#!/bin/sh
exec ${{AWS_LAMBDA_EXEC_WRAPPER:+"$AWS_LAMBDA_EXEC_WRAPPER"}} {python} "$(dirname "$0")/bootstrap.py"
"""


def is_needed(function: Function) -> bool:
    """Whether the runtime's own command may be run. The web adapter's wrapper drops it, and nothing is installed.

    In-process mode drops it as well, but an app may count on the boto3 that is beside it.
    """
    if not re.fullmatch(r"python3\.\d+", function.runtime):
        return False
    if adapter_layer.is_named(function):
        return sys.platform == "linux"
    wrapper = function.environment.get("AWS_LAMBDA_EXEC_WRAPPER")
    is_proxied = adapter_layer.is_hooked(function) or any(map(layers.is_web_adapter, function.layers))
    return not (wrapper == layers.WEB_ADAPTER_WRAPPER and is_proxied)


async def install(function: Function, python: Interpreter, store: Store, progress: Callable[[str], None]) -> Entry:
    """The directory for `python`, made when it is not there yet. Raises UserError, with uv's words when uv fails."""
    if sys.platform != "linux":
        raise UserError(
            f"{function.logical_id}: handler {function.handler} needs Linux: AWS's awslambdaric has no client for "
            f"{platform.system()}; a web server behind the Lambda Web Adapter layer works here",
            function.place,
        )
    bootstrap = _BOOTSTRAP.format(python=shlex.quote(str(python.executable)))
    parts = (REQUIREMENTS.read_bytes(), _BOOTSTRAP_PY.read_bytes(), bootstrap.encode(), platform.machine().encode())
    name = hashlib.sha256(b"\0".join((python.full_version.encode(), *parts))).hexdigest()
    return await store.entry(name, partial(_make, function, python, bootstrap, progress))


async def _make(
    function: Function, python: Interpreter, bootstrap: str, progress: Callable[[str], None], target: Path
) -> None:
    progress(f"Installing AWS's Python runtime for {function.logical_id} ({python.name})")
    what = f"AWS's Python runtime for {function.logical_id}"
    flags = ("--require-hashes", "--no-deps", "--only-binary", ":all:")
    await dependencies.fill(target, REQUIREMENTS, python, what, flags=flags)
    await in_thread(partial(shutil.copyfile, _BOOTSTRAP_PY, target / "bootstrap.py"))
    script = target / "bootstrap"
    script.write_text(bootstrap)
    script.chmod(0o755)
