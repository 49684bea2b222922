"""Between fork and exec: what one process of the environment gets, and what it does not."""

import contextlib
import errno
import json
import os
import resource
import signal
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from . import linux
from .wire import Spawn

# On AWS the router runs on machines of its own; here it shares the processor with functions. They give way a little,
# so that however busy they are a request is routed, or refused, at once. The number is assumed.
NICENESS = 5

_CGROUP = "cgroup"

# What Python or a process above may have set otherwise: a shell ignores the first two for what it starts with `&`.
_DEFAULT = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGCHLD,
    signal.SIGPIPE,
    signal.SIGXFSZ,
)

ON_LINUX = os.uname().sysname == "Linux"


class Policy(NamedTuple):
    max_open_files: int
    die_with_parent: bool
    """False inside a PID namespace, where the kernel sees to it."""
    join: Sequence[int] = ()
    """`cgroup.procs` of each cgroup that every process is in, opened for writing."""


def start(spawn: Spawn, output: int, policy: Policy) -> int:
    """Fork and execute; the child's pid. Raises OSError (errno, what went wrong) when it cannot be executed."""
    read_end, write_end = os.pipe()
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError:  # no more processes
        os.close(read_end)
        os.close(write_end)
        raise
    if pid == 0:
        _become(spawn, output, policy, parent, write_end)
    os.close(write_end)
    # Closed by exec when all is well; else the child says why.
    with open(read_end, "rb") as report:
        failure = report.read()
    if failure:
        os.waitpid(pid, 0)
        code, message = json.loads(failure)
        raise OSError(code, message)
    return pid


def _become(spawn: Spawn, output: int, policy: Policy, parent: int, report: int) -> NoReturn:
    try:
        # Handlers end with exec, but what Python ignores would stay ignored; and none may run until then.
        for signum in _DEFAULT:
            signal.signal(signum, signal.SIG_DFL)
        # A session of its own: no terminal, and a process group that can be signalled as a whole.
        os.setsid()
        for procs in policy.join:
            _join_cgroup(procs)
        os.umask(0o022)
        os.nice(NICENESS)
        _limit_open_files(policy.max_open_files)
        if ON_LINUX:
            _give_up_privileges()
            if policy.die_with_parent:
                linux.die_with_parent(signal.SIGKILL)
                if os.getppid() != parent:  # it died before it could be watched
                    os._exit(1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(spawn.cwd)
        os.execvpe(spawn.argv[0], spawn.argv, spawn.env)
    except OSError as error:
        os.write(report, json.dumps([error.errno, _explain(error, spawn)]).encode())
    except (ValueError, IndexError) as error:  # a NUL byte somewhere, or no argv at all
        os.write(report, json.dumps([errno.EINVAL, str(error)]).encode())
    finally:
        os._exit(127)


def _join_cgroup(procs: int) -> None:
    try:
        os.write(procs, b"0")  # whoever writes it (cgroups(7))
    except OSError as error:
        raise OSError(error.errno, error.strerror, _CGROUP) from None


def _limit_open_files(wanted: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def _give_up_privileges() -> None:
    with contextlib.suppress(OSError):  # it has none to give up
        linux.drop_capabilities()
    linux.forbid_new_privileges()


def _explain(error: OSError, spawn: Spawn) -> str:
    program = spawn.argv[0]
    if error.filename == spawn.cwd:
        return f"working directory {spawn.cwd}: {error.strerror}"
    if error.filename == _CGROUP:
        return f"{_CGROUP}: {error.strerror}"
    if error.errno == errno.ENOENT and "/" in program and os.path.exists(program):
        with open(program, "rb") as script:
            first_line = script.readline(200)
        return f"{program}: its first line names an interpreter that does not exist: {first_line!r}"
    return f"{program}: {error.strerror}"
