"""One execution environment's processes, as the platform holds them."""

import asyncio
import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from penstock.environment.sandbox import layout
from penstock.environment.sandbox.channel import Channel
from penstock.environment.sandbox.init import sweep
from penstock.environment.sandbox.init.wire import (
    Exited,
    Message,
    OpenSocket,
    Ready,
    Refused,
    Signal,
    SocketOpened,
    Spawn,
    SpawnFailed,
    Started,
)
from penstock.environment.sandbox.spec import (
    ProcessExit,
    SandboxError,
    SandboxFeatures,
    SandboxSpec,
    SpawnError,
)

# `init` is loaded as a top-level package: `-I -S` keeps the host's variables and site-packages out, and nothing else of
# the platform is imported.
_BOOT = "import sys; sys.path.append(sys.argv[1]); from init.main import main; main(*map(int, sys.argv[2:]))"
# Building takes milliseconds, but a big task root may have to be copied.
_START_LIMIT_S = 60.0
# What `sweep` allows itself for processes stuck in the kernel, and a little for removing files.
_KILL_LIMIT_S = sweep.GIVE_UP_S + 7.0


class Sandbox:
    """Everything that runs in one execution environment. It ends with `kill`, and with the platform however that ends.

    `on_exit` is called for each spawned process that ends, after the `spawn` that started it has returned. `on_lost` is
    called once when the first process itself ended unasked; everything inside is then dead or being killed. Neither is
    called once `kill` was. Make it in the main thread: the kernel ties the first process to the thread that starts it.
    """

    def __init__(
        self, spec: SandboxSpec, work_dir: Path, on_exit: Callable[[ProcessExit], None], on_lost: Callable[[], None]
    ) -> None:
        self._spec = spec
        self._work_dir = work_dir
        self._on_exit = on_exit
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[Ready] = self._loop.create_future()
        self._spawning: dict[str, asyncio.Future[int]] = {}
        self._opening: deque[asyncio.Future[socket.socket]] = deque()
        self._running: set[str] = set()
        self._groups: set[int] = set()
        self._built = False
        self._ended = False
        self._killed = False
        self._gone = asyncio.Event()
        self.listener: socket.socket | None = None
        """With an isolated network: listens on 127.0.0.1:9001 inside. Close what serves it before `kill`."""
        self.features = SandboxFeatures(False, False, False, ())
        self.paths = layout.paths(spec, work_dir, mounts=False)

    @classmethod
    async def start(
        cls,
        spec: SandboxSpec,
        work_dir: Path,
        on_exit: Callable[[ProcessExit], None],
        on_lost: Callable[[], None],
    ) -> Self:
        """Make `work_dir`, which must not exist yet and is removed again by `kill`, and an empty environment.

        Raises SandboxError when the first process cannot start, or when no isolated network can be had.
        """
        sandbox = cls(spec, work_dir, on_exit, on_lost)
        try:
            sandbox._launch()
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise SandboxError(f"cannot start an environment: {where}{error.strerror}") from error
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                ready = await sandbox._ready
        except TimeoutError:
            await sandbox.kill()
            raise SandboxError(f"the environment's first process was not ready in {_START_LIMIT_S:.0f} s") from None
        except BaseException:
            await sandbox.kill()
            raise
        sandbox.features = SandboxFeatures(ready.mounts, ready.pids, ready.isolated_network, tuple(ready.notes))
        sandbox.paths = layout.paths(spec, work_dir, mounts=ready.mounts)
        return sandbox

    @property
    def pid(self) -> int:
        """The first process: every process of the environment is a descendant of it."""
        return self._init.pid

    async def spawn(self, name: str, argv: Sequence[str], env: Mapping[str, str], cwd: str, output: int) -> int:
        """Run `argv` with exactly `env`, stdout and stderr going to the descriptor `output`, which is closed here.

        `argv[0]` without a slash is looked for on the PATH of `env`. Returns the pid as the platform sees it, 0 when it
        cannot be known. Raises SpawnError. `name` must not be the name of a process that runs.
        """
        if name in self._spawning or name in self._running:
            os.close(output)
            raise ValueError(f"{name!r} is already running")
        if self._ended:
            os.close(output)
            raise _gone_error()
        started: asyncio.Future[int] = self._loop.create_future()
        self._spawning[name] = started
        self._channel.send(Spawn(name, list(argv), dict(env), cwd), (output,))
        return await started

    def signal(self, name: str, signum: int) -> None:
        """Signal the process group of `name`; nothing happens when the process is no longer there."""
        if not self._ended:
            self._channel.send(Signal(name, signum))

    async def open_socket(self) -> socket.socket:
        """An unconnected TCP socket in the environment's network: with it 127.0.0.1 is where its processes listen.

        The caller owns it. Raises OSError.
        """
        if self._ended:
            raise _no_socket(errno.ESRCH)
        if not self.features.isolated_network:
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        opened: asyncio.Future[socket.socket] = self._loop.create_future()
        self._opening.append(opened)
        self._channel.send(OpenSocket())
        return await opened

    async def kill(self) -> None:
        """End everything. When it returns no process of the environment is alive and its work directory is gone.

        May be called any number of times. Raises SandboxError when a process is stuck in the kernel and cannot die.
        """
        self._killed = True
        self._end()
        try:
            async with asyncio.timeout(_KILL_LIMIT_S):
                await self._gone.wait()
        except TimeoutError:
            raise SandboxError(f"a process below {self._init.pid} cannot be killed") from None
        if self.listener is not None:
            self.listener.close()
        if self._work_dir.exists():  # the first process was killed before it could
            await asyncio.to_thread(sweep.remove_tree, str(self._work_dir))

    def _launch(self) -> None:
        self._work_dir.mkdir(mode=0o700, parents=True)
        with contextlib.ExitStack() as undo:
            undo.callback(sweep.remove_tree, str(self._work_dir))
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            undo.callback(ours.close)
            with theirs, open(layout.log(self._work_dir), "wb") as log:
                self._life, life_inside = os.pipe()
                undo.callback(os.close, self._life)
                try:
                    self._init = _start_init(theirs.fileno(), life_inside, log.fileno())
                finally:
                    os.close(life_inside)
            undo.pop_all()
        self._loop.add_reader(self._life, self._all_dead)
        self._channel = Channel(ours, self._receive, self._lose)
        self._channel.send(layout.setup(self._spec, self._work_dir))

    def _receive(self, message: Message) -> None:
        match message:
            case Ready():
                if message.isolated_network:
                    self.listener = socket.socket(fileno=self._channel.take_fd())
                    self.listener.setblocking(False)
                self._built = True
                if not self._ready.done():
                    self._ready.set_result(message)
            case Refused(reason):
                self._fail_start(reason)
            case Started(name, pid, pidfd):
                self._running.add(name)
                self._groups.add(pid)
                self._answer(name, layout.outside_pid(self._channel.take_fd()) if pidfd else self._own_view(pid))
            case SpawnFailed(name, code, text):
                self._answer(name, SpawnError(code, text))
            case SocketOpened(code):
                self._hand_over(code)
            case Exited(name, returncode, signum):
                self._running.discard(name)
                # Not at once: the task that awaits this process's `spawn` is to run first.
                self._loop.call_soon(self._report_exit, ProcessExit(name, returncode, signum))
            case _:
                raise AssertionError(message)

    def _own_view(self, pid: int) -> int:
        return 0 if self._ready.result().pids else pid

    def _answer(self, name: str, result: int | SpawnError) -> None:
        started = self._spawning.pop(name)
        if started.done():  # the caller was cancelled
            return
        if isinstance(result, SpawnError):
            started.set_exception(result)
        else:
            started.set_result(result)

    def _hand_over(self, code: int) -> None:
        opened = self._opening.popleft()
        if code:
            if not opened.done():
                opened.set_exception(_no_socket(code))
            return
        sock = socket.socket(fileno=self._channel.take_fd())
        if opened.done():  # the caller was cancelled
            sock.close()
        else:
            opened.set_result(sock)

    def _report_exit(self, exit_: ProcessExit) -> None:
        if not self._killed:
            self._on_exit(exit_)

    def _report_loss(self) -> None:
        if not self._killed:
            self._on_lost()

    def _fail_start(self, reason: str) -> None:
        if not self._ready.done():
            self._ready.set_exception(SandboxError(reason))

    def _lose(self) -> None:
        """The first process, or the one below it, is gone without being asked."""
        if self._ended:
            return
        self._fail_start(f"the environment's first process ended: {layout.last_words(self._work_dir)}")
        self._end()
        if self._built:
            self._loop.call_soon(self._report_loss)

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        # Either would do; both together also reach a first process that is stopped or busy.
        self._channel.close()
        self._init.terminate()
        for name in list(self._spawning):
            self._answer(name, _gone_error())
        while self._opening:
            self._hand_over(errno.ESRCH)
        if sys.platform != "linux":
            # No kernel help there: should both of init's processes have been killed, this is what remains.
            for group in self._groups:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)

    def _all_dead(self) -> None:
        """Every guardian has ended, and each of them only after what it guards."""
        self._loop.remove_reader(self._life)
        os.close(self._life)
        self._init.wait()  # ending already: closing its descriptors is the last but one thing a process does
        self._gone.set()
        self._lose()


def _start_init(control: int, life: int, log: int) -> subprocess.Popen[bytes]:
    # What the interpreter itself may need to be loaded; nothing of it reaches the function.
    env = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}
    return subprocess.Popen(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            _BOOT,
            str(Path(__file__).parent),
            str(control),
            str(life),
            str(os.getpid()),
        ],
        pass_fds=(control, life),
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=env,
    )


def _no_socket(code: int) -> OSError:
    return OSError(code, "the environment is gone" if code == errno.ESRCH else os.strerror(code))


def _gone_error() -> SpawnError:
    return SpawnError(errno.ESRCH, "the environment is gone")
