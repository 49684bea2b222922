"""What UVICORN_LOOP names. It lies alone in a folder of its own, so nothing of the function's is hidden by it.

The layer's own folders are looked into last, as layers are on AWS after /var/task: a package of the function's wins.
https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-searchpath
"""

import os
import sys
from asyncio import AbstractEventLoop

# This file is /opt/python/penstock_adapter/layer/found/lib/python3.x/site-packages/penstock_uvicorn.py.
_PYTHON_FOLDER = __file__.rpartition("/penstock_adapter/layer/")[0]


def new_event_loop() -> AbstractEventLoop:
    """The loop that takes invocations; uvicorn's own choice where another Python runs it than the layer is for."""
    # It is this server's alone: whatever the app starts may be another uvicorn.
    os.environ.pop("UVICORN_LOOP", None)
    version = "python{}.{}".format(*sys.version_info[:2])
    wanted = (f"{_PYTHON_FOLDER}/lib/{version}/site-packages", _PYTHON_FOLDER)
    sys.path += [folder for folder in wanted if folder not in sys.path]
    try:
        from penstock_adapter.uvicorn_loop import new_event_loop as hooked
    except ImportError as error:
        sys.stdout.write(f"WARN PENSTOCK_UVICORN_HOOK=1 has no effect: {error}\n")
        from uvicorn.loops.auto import auto_loop_factory

        return auto_loop_factory()()
    return hooked()
