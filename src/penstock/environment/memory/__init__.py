"""`MemorySize` as a limit: the kernel's where a memory cgroup may be made, else a watch over the process tree."""

from penstock.environment.memory.cgroup import CgroupError, CgroupHome, MemoryCgroup, find_home
from penstock.environment.memory.guard import INTERVAL_S, MemoryGuard, Usage

__all__ = ["INTERVAL_S", "CgroupError", "CgroupHome", "MemoryCgroup", "MemoryGuard", "Usage", "find_home"]
