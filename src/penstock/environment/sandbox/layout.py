"""What the platform tells init about paths, and reads back about processes."""

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from penstock.environment.sandbox.init import attempt, root
from penstock.environment.sandbox.init.wire import Setup
from penstock.environment.sandbox.spec import SandboxPaths, SandboxSpec


def setup(spec: SandboxSpec, work_dir: Path) -> Setup:
    # Under the name they are called by, and where they really are.
    keep_visible = {os.path.abspath(path) for path in spec.keep_visible} | {
        os.path.realpath(path) for path in spec.keep_visible
    }
    return Setup(
        work_dir=str(work_dir.resolve()),
        task_root=str(spec.task_root.resolve()),
        opt_root=str(spec.opt_root.resolve()),
        lang_root=None if spec.lang_root is None else str(spec.lang_root.resolve()),
        runtime_root=None if spec.runtime_root is None else str(spec.runtime_root.resolve()),
        tmp_mib=spec.tmp_mib,
        max_open_files=spec.max_open_files,
        isolated_network=spec.isolated_network,
        keep_visible=sorted(keep_visible),
        masked=credential_files(os.environ, _homes(os.environ)),
        namespaces=spec.namespaces,
        cgroups=[str(path) for path in spec.cgroups],
        worker_socket=None if spec.worker_socket is None else str(spec.worker_socket.resolve()),
    )


def paths(spec: SandboxSpec, work_dir: Path, *, mounts: bool) -> SandboxPaths:
    """With mounts Lambda's own paths, else where the same things are on the host."""
    if mounts:
        return SandboxPaths(
            task_root=root.TASK_ROOT,
            opt=root.OPT_ROOT,
            tmp=root.TMP_ROOT,
            lang=None if spec.lang_root is None else root.LANG_ROOT,
            runtime=None if spec.runtime_root is None else root.RUNTIME_ROOT,
            worker_socket=None if spec.worker_socket is None else root.WORKER_SOCKET,
        )
    here = work_dir.resolve()
    return SandboxPaths(
        task_root=str(here / attempt.FALLBACK_TASK),
        opt=str(here / attempt.FALLBACK_OPT),
        tmp=str(here / attempt.FALLBACK_TMP),
        lang=None if spec.lang_root is None else str(spec.lang_root),
        runtime=None if spec.runtime_root is None else str(spec.runtime_root),
        worker_socket=None if spec.worker_socket is None else str(spec.worker_socket),
    )


def credential_files(variables: Mapping[str, str], homes: set[str]) -> list[str]:
    """Where AWS's tools find the keys of whoever runs the platform.

    https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html
    """
    named = {
        os.path.abspath(os.path.expanduser(variables[name]))
        for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")
        if variables.get(name)
    }
    return sorted(named | {os.path.join(home, ".aws") for home in homes})


def _homes(variables: Mapping[str, str]) -> set[str]:
    homes = {variables["HOME"]} if variables.get("HOME", "").startswith("/") else set()
    # Under sudo also those of the user behind it.
    for uid in {str(os.getuid()), variables.get("SUDO_UID", "")}:
        try:
            homes.add(pwd.getpwuid(int(uid)).pw_dir)
        except (KeyError, ValueError):  # no such user, as in many containers
            continue
    return homes


def outside_pid(pidfd: int) -> int:
    """The pid behind a descriptor as this process sees it, 0 when it cannot be known. Closes the descriptor.

    Its `Pid:` line is translated by the kernel for the reader (pidfd_open(2), clone(2)); -1 once the process is gone.
    """
    try:
        with open(f"/proc/self/fdinfo/{pidfd}") as lines:
            for line in lines:
                if line.startswith("Pid:"):
                    return max(0, int(line[4:]))
        return 0
    except OSError:
        return 0
    finally:
        os.close(pidfd)


def log(work_dir: Path) -> Path:
    """What init itself writes, which is nothing unless it breaks."""
    return work_dir / "init.log"


def last_words(work_dir: Path) -> str:
    try:
        lines = log(work_dir).read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "it said nothing"
