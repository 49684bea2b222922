"""Several processes of one app in one environment, for functions with more than one vCPU: they share its slots.

PENSTOCK_WORKERS says how many, `auto` one for each processor; one by default. Each is the whole in-process mode with
its part of the slots: nobody stands between them and the Runtime API.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

from penstock_adapter.endpoint import OptionError

VARIABLE = "PENSTOCK_WORKERS"
_INDEX = "PENSTOCK_WORKER"
_SLOTS = "AWS_LAMBDA_MAX_CONCURRENCY"
# prctl(2): the signal this process gets when its parent dies.
_PR_SET_PDEATHSIG = 1


def read_workers(environ: Mapping[str, str], processors: int) -> int:
    """How many processes there are to be; 1 inside one of them, and where there is one to be restored from a snapshot,
    as an environment has one slot there. Raises OptionError.
    """
    text = environ.get(VARIABLE, "1")
    if _INDEX in environ or environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        return 1
    if text == "auto":
        return processors
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 64):
        raise OptionError(f"{VARIABLE}={text!r} is not a number of processes: expected 1 to 64, or auto")
    return int(text)


def is_first(environ: Mapping[str, str]) -> bool:
    """Whether this process speaks for all: one extension of a name may register in an environment."""
    return environ.get(_INDEX, "0") == "0"


def share(slots: int, workers: int) -> list[int]:
    """The slots of each process, as even as can be; no process without one."""
    workers = min(workers, slots)
    return [slots // workers + (index < slots % workers) for index in range(workers)]


def run_workers(command: Sequence[str], environ: Mapping[str, str], workers: int) -> int:
    """Runs them until the first one ends, and then ends the others: an environment is whole or gone. Returns the exit
    code. SIGTERM and SIGINT go to each of them.
    """
    slots = environ.get(_SLOTS, "1")
    parts = share(int(slots) if slots.isascii() and slots.isdigit() and int(slots) else 1, workers)
    processes: list[subprocess.Popen[bytes]] = []

    def forward(signum: int, _: object) -> None:
        for process in processes:
            process.send_signal(signum)

    stopped = {signal.SIGTERM, signal.SIGINT}
    # None may arrive between the start of a process and our note of it.
    signal.pthread_sigmask(signal.SIG_BLOCK, stopped)
    for index, part in enumerate(parts):
        variables = {**environ, _INDEX: str(index), _SLOTS: str(part)}
        processes.append(subprocess.Popen(command, env=variables, preexec_fn=_become_a_worker))
    for signum in stopped:
        signal.signal(signum, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, stopped)
    return _wait(processes)


def _become_a_worker() -> None:
    import ctypes

    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(processes: "list[subprocess.Popen[bytes]]") -> int:
    pids = {process.pid: process for process in processes}
    pid, status = os.wait()
    first = pids.pop(pid)
    first.returncode = os.waitstatus_to_exitcode(status)
    for process in pids.values():
        process.terminate()
    for process in pids.values():
        process.wait()
    return first.returncode if first.returncode >= 0 else 128 - first.returncode
