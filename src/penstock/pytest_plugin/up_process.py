"""`python -P -m penstock.pytest_plugin.up_process up ...`: the `penstock` command, ended with whoever started it.

The test run holds our stdin open for as long as it lives. When it ends, even by SIGKILL, the kernel closes it, and
everything that was brought up goes the ordinary way.
"""

import os
import runpy
import signal
import threading


def _end_with(pipe: int) -> None:
    while os.read(pipe, 4096):
        pass
    os.kill(os.getpid(), signal.SIGINT)


def main() -> None:
    """Never returns: the command exits."""
    pipe = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)  # no process below may read from it
    threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
    runpy.run_module("penstock", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
