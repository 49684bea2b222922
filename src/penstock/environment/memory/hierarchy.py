"""Which cgroup hierarchies may have a controller, and where this process stands in them. Pure but for two
files of /proc: https://man7.org/linux/man-pages/man7/cgroups.7.html, https://man7.org/linux/man-pages/man5/proc.5.html
"""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """`top` is where it is mounted, `own` the directory of this process's cgroup in it, `top` or below."""

    version: int
    top: Path
    own: Path


def find_hierarchies(proc: Path, controller: str = "memory") -> list[Hierarchy]:
    """The newer version first: a controller is in one of them at most. `proc` is /proc/self."""
    try:
        memberships = (proc / "cgroup").read_text()
        mounts = (proc / "mountinfo").read_text()
    except OSError:
        return []
    found = [
        _locate(version, line, mounts, controller)
        for line in memberships.splitlines()
        if (version := _version(line, controller))
    ]
    present = [hierarchy for hierarchy in found if hierarchy is not None]
    return sorted(present, key=lambda hierarchy: -hierarchy.version)


def _version(membership: str, controller: str) -> int:
    """Of a line `4:cpu,cpuacct:/path` (version 1) or `0::/path` (version 2); 0 when it is about something else."""
    number, controllers, _ = membership.split(":", 2)
    if number == "0" and not controllers:
        return 2
    return 1 if controller in controllers.split(",") else 0


def _locate(version: int, membership: str, mounts: str, controller: str) -> Hierarchy | None:
    own = membership.split(":", 2)[2]
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        fields = before.split(" ")
        root, point = _unescape(fields[3]), _unescape(fields[4])
        wanted = kind == "cgroup2" if version == 2 else kind == "cgroup" and controller in options.split(",")
        # A container may show only its own part of the hierarchy, or one that we are not in.
        inside = own == root or own.startswith(root.rstrip("/") + "/")
        if wanted and inside and ".." not in own:
            return Hierarchy(version, Path(point), Path(point) / own[len(root) :].lstrip("/"))
    return None


def _unescape(field: str) -> str:
    """Spaces and the like are written as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
