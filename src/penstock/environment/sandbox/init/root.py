"""The root file system of an environment: the host's, read-only, with Lambda's own directories put over it.

What stands where is a table from path to mount (`table`, pure); `assemble` builds it in a mount namespace of its own:
a tmpfs becomes the root, the host's tree is moved to `_HOST` below it, everything is bound from there, and the host's
tree is taken away. A directory in which something is mounted that has no mount point there (`/var` on a host without
`/var/task`) becomes a directory of the tmpfs with each of the host's entries bound into it.
"""

import errno
import os
import stat
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from . import linux
from .wire import Setup

TASK_ROOT = "/var/task"
RUNTIME_ROOT = "/var/runtime"
LANG_ROOT = "/var/lang"
OPT_ROOT = "/opt"
TMP_ROOT = "/tmp"
# Where AWS has it is not published (assumed).
WORKER_SOCKET = "/var/worker-streams.sock"

_HOST = "/.penstock-host"  # a name no host has at its top
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = {"fd": "fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
# Lambda's size is not published; this is the usual one of containers (assumed).
_SHARED_MEMORY_MIB = 64
# Settings of the whole machine that root may write even without any capability.
_PROC_READ_ONLY = ("sys", "sysrq-trigger", "irq", "bus", "fs")
# Extensions listen for telemetry on this name, or any.
# https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html#telemetry-api-destination
_OWN_NAME = b"127.0.0.1 sandbox.localdomain sandbox\n"
# As on AWS, where /tmp alone keeps files: https://docs.aws.amazon.com/lambda/latest/dg/configuration-ephemeral-storage.html
_WRITABLE = (TMP_ROOT, "/dev/shm", "/proc")


class Bind(NamedTuple):
    source: str
    """A host path."""


class Tmpfs(NamedTuple):
    options: str


class Proc(NamedTuple):
    pass


Mount = Bind | Tmpfs | Proc


def table(setup: Setup, *, pids: bool) -> dict[str, Mount]:
    """What stands at which path instead of what the host has there."""
    mounts: dict[str, Mount] = {
        # Without a PID namespace the host's own is the only process table there is.
        "/proc": Proc() if pids else Bind("/proc"),
        "/dev": Tmpfs("mode=0755,size=64k"),
        "/dev/shm": Tmpfs(f"mode=1777,size={_SHARED_MEMORY_MIB}m"),
        TMP_ROOT: Tmpfs(f"mode=1777,size={setup.tmp_mib}m"),
        OPT_ROOT: Bind(setup.opt_root),
        TASK_ROOT: Bind(setup.task_root),
    }
    if setup.runtime_root is not None:
        mounts[RUNTIME_ROOT] = Bind(setup.runtime_root)
    if setup.lang_root is not None:
        mounts[LANG_ROOT] = Bind(setup.lang_root)
    if setup.worker_socket is not None:
        mounts[WORKER_SOCKET] = Bind(setup.worker_socket)
    kept = {path: Bind(path) for path in hidden(setup.keep_visible, mounts)}
    for name in _DEVICES:
        mounts[f"/dev/{name}"] = Bind(f"/dev/{name}")
    return mounts | kept


def hidden(keep_visible: Iterable[str], mounts: Mapping[str, Mount]) -> list[str]:
    """The paths to keep that lie under a replaced directory, each once and none inside another."""
    covered = [path for path in sorted(set(keep_visible)) if any(is_inside(path, top) for top in mounts)]
    return [path for path in covered if not any(is_inside(path, other) for other in covered)]


def is_inside(path: str, top: str) -> bool:
    return path != top and path.startswith(top.rstrip("/") + "/")


def assemble(setup: Setup, *, pids: bool) -> list[str]:
    """Make the new root this process's own. Notes on what had to be left out; raises OSError when it cannot be had."""
    mounts = _resolve(table(setup, pids=pids))
    masked = sorted({os.path.realpath(path) for path in setup.masked})
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_SLAVE)
    _enter_empty_root(setup.work_dir)
    builder = _Builder(mounts)
    builder.build("/", "/")
    _finish_devices()
    for path in masked:
        _mask(path)
    builder.notes += _name_environment()
    if pids:
        for name in _PROC_READ_ONLY:
            if os.path.exists(f"/proc/{name}"):
                linux.bind(f"/proc/{name}", f"/proc/{name}")
    linux.detach(_HOST)
    os.rmdir(_HOST)
    return builder.notes + make_read_only([path for path in _WRITABLE if not isinstance(mounts[path], Bind)])


def _resolve(mounts: Mapping[str, Mount]) -> dict[str, Mount]:
    """Sources without symbolic links, which would lead astray once the host's tree has moved. A path to keep visible
    and a device may be missing; what the function is made of may not.
    """
    resolved: dict[str, Mount] = {}
    for path, mount in mounts.items():
        if not isinstance(mount, Bind):
            resolved[path] = mount
        elif mount.source != path or os.path.exists(path):
            resolved[path] = Bind(os.path.realpath(mount.source))
    return resolved


def _enter_empty_root(base: str) -> None:
    linux.mount("tmpfs", base, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=0755,size=4m")
    os.mkdir(base + _HOST)
    linux.pivot_root(base, base + _HOST)
    os.chdir("/")


class _Builder:
    def __init__(self, mounts: Mapping[str, Mount]) -> None:
        self._mounts = mounts
        self.notes: list[str] = []

    def build(self, path: str, source: str | None) -> None:
        """Make `path` show the host's `source`, with the table's mounts at it and inside it."""
        mount = self._mounts.get(path)
        inside = {_first_part(target, path) for target in self._mounts if is_inside(target, path)}
        if isinstance(mount, Bind):
            source = mount.source
        elif mount is not None:
            _mount_new(mount, path)
            source = None
        if not inside and source is not None:
            self._bind(source, path, required=mount is not None)
            return
        os.makedirs(path, exist_ok=True)
        listed = _list(source)
        for name in sorted(inside | listed.keys()):
            self.build(os.path.join(path, name), listed.get(name))

    def _bind(self, source: str, path: str, *, required: bool) -> None:
        host = _HOST + source
        try:
            mode = os.lstat(host).st_mode
            if stat.S_ISLNK(mode):
                os.symlink(os.readlink(host), path)
            else:
                _make_mount_point(path, is_directory=stat.S_ISDIR(mode))
                linux.bind(host, path)
        except OSError as error:
            if required:
                raise OSError(error.errno, error.strerror, f"bind {source} on {path}") from None
            # One dead network mount of the host must not keep every function from starting.
            self.notes.append(f"{source} of the host is left out: {error.strerror}")


def _first_part(target: str, top: str) -> str:
    return target[len(top.rstrip("/")) + 1 :].partition("/")[0]


def _list(source: str | None) -> dict[str, str]:
    if source is None or not os.path.isdir(_HOST + source):
        return {}
    return {name: os.path.join(source, name) for name in os.listdir(_HOST + source)}


def _make_mount_point(path: str, *, is_directory: bool) -> None:
    if is_directory:
        os.makedirs(path, exist_ok=True)
    else:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def _mount_new(mount: Tmpfs | Proc, path: str) -> None:
    os.makedirs(path, exist_ok=True)
    if isinstance(mount, Tmpfs):
        linux.mount("tmpfs", path, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, mount.options)
    else:
        linux.mount("proc", path, "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)


def _finish_devices() -> None:
    for name, target in _DEVICE_LINKS.items():
        os.symlink(f"/proc/self/{target}", f"/dev/{name}")


def _name_environment() -> list[str]:
    """Add the environment's own name to the host's. Notes on what went wrong."""
    own = "/.penstock-hosts"
    try:
        with open("/etc/hosts", "rb") as file:
            known = file.read()
        with open(own, "wb") as file:
            file.write(_OWN_NAME + known)
        os.chmod(own, 0o644)
        linux.bind(own, "/etc/hosts")
        os.unlink(own)  # the mount keeps it
    except OSError as error:
        return [f"the name sandbox.localdomain is not known inside: {error.strerror}"]
    return []


def _mask(path: str) -> None:
    """Show nothing where the host keeps credentials."""
    if os.path.isdir(path):
        linux.mount("tmpfs", path, "tmpfs", linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV, "mode=0555,size=4k")
    elif os.path.exists(path):
        linux.bind("/dev/null", path)


def make_read_only(writable: Iterable[str]) -> list[str]:
    try:
        linux.set_read_only("/", True, recursive=True)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM):  # an older kernel, or a filter that does not know the call
            raise
        return [f"the file system stays writable where the host's is: {error.strerror} (this needs Linux 5.12)"]
    for path in writable:
        linux.set_read_only(path, False)
    return []
