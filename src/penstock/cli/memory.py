"""Which of the two ways of holding functions to their MemorySize, and to their vCPUs, this machine allows."""

from penstock.cli.reporter import Reporter
from penstock.environment.memory import INTERVAL_S, CgroupError, CgroupHome, CpuHome, find_cpu_home, find_home


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


def cpu_home(reporter: Reporter, memory: CgroupHome | None, *, enforce: bool) -> CpuHome:
    """Find out and tell it, once. `memory` is where memory cgroups are made, `enforce` whether a quota is wanted."""
    home = find_cpu_home(memory, enforce=enforce)
    if home.quota:
        reporter.info(f"The vCPU share is enforced by the kernel (cgroup v{home.quota.version})")
    elif enforce:
        reporter.info(f"The vCPU share is measured; the kernel cannot enforce it: {home.refusal}")
    else:
        reporter.info("The vCPU share is measured, not enforced, as --vcpu-share says")
    return home
