"""`MemorySize` as a limit: the kernel's where a memory cgroup may be made, else a watch over the process tree. And the
vCPU share that comes with it.
"""

from penstock.environment.memory.cgroup import MemoryCgroup
from penstock.environment.memory.cpu import CpuHome, find_cpu_home
from penstock.environment.memory.guard import INTERVAL_S, MemoryGuard, Usage
from penstock.environment.memory.home import CgroupError, CgroupHome, find_home

__all__ = [
    "INTERVAL_S",
    "CgroupError",
    "CgroupHome",
    "CpuHome",
    "MemoryCgroup",
    "MemoryGuard",
    "Usage",
    "find_cpu_home",
    "find_home",
]
