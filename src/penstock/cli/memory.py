"""Which of the two ways of holding functions to their MemorySize this machine allows."""

from penstock.cli.reporter import Reporter
from penstock.environment.memory import INTERVAL_S, CgroupError, CgroupHome, find_home


def memory_home(reporter: Reporter) -> CgroupHome | None:
    """Find out and tell it, once. None: memory is counted instead."""
    try:
        home = find_home()
    except CgroupError as error:
        times = round(1 / INTERVAL_S)
        reporter.info(f"MemorySize is checked {times} times a second; the kernel cannot enforce it: {error}")
        return None
    reporter.info(f"MemorySize is enforced by the kernel (cgroup v{home.version})")
    return home
