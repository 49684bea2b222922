"""What is decided before any process starts: which isolation to try, and what stands where."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.environment.sandbox import SandboxPaths, SandboxSpec, layout
from penstock.environment.sandbox.init import linux, root, sweep
from penstock.environment.sandbox.init.attempt import Attempt, ladder, missing
from penstock.environment.sandbox.init.root import Bind, Proc, Tmpfs, hidden, is_inside, table
from penstock.environment.sandbox.init.wire import Setup


def _setup(
    *,
    isolated_network: bool = False,
    namespaces: bool = True,
    keep_visible: tuple[str, ...] = (),
    runtime_root: str | None = None,
) -> Setup:
    return Setup(
        work_dir="/w",
        task_root="/t",
        opt_root="/o",
        lang_root=None,
        runtime_root=runtime_root,
        tmp_mib=512,
        max_open_files=4096,
        isolated_network=isolated_network,
        keep_visible=list(keep_visible),
        masked=[],
        namespaces=namespaces,
        cgroups=[],
    )


_PLAIN = Attempt(mounts=False, pids=False, network=False, user=False)


def test_root_tries_without_a_user_namespace_first() -> None:
    assert ladder(_setup(), on_linux=True, is_root=True) == [
        Attempt(mounts=True, pids=True, network=False, user=False),
        Attempt(mounts=True, pids=True, network=False, user=True),
        Attempt(mounts=True, pids=False, network=False, user=False),
        Attempt(mounts=True, pids=False, network=False, user=True),
        _PLAIN,
    ]


def test_an_ordinary_user_needs_a_user_namespace() -> None:
    attempts = ladder(_setup(), on_linux=True, is_root=False)
    assert [attempt.user for attempt in attempts] == [True, True, False]
    assert attempts[-1] == _PLAIN


@pytest.mark.parametrize("is_root", [True, False])
@pytest.mark.parametrize("namespaces", [True, False])
def test_an_isolated_network_is_part_of_every_try(is_root: bool, namespaces: bool) -> None:
    attempts = ladder(_setup(isolated_network=True, namespaces=namespaces), on_linux=True, is_root=is_root)
    assert attempts
    assert all(attempt.network for attempt in attempts)


def test_what_is_switched_off_is_not_tried() -> None:
    assert ladder(_setup(namespaces=False), on_linux=True, is_root=True) == [_PLAIN]


def test_elsewhere_there_is_only_the_plain_way() -> None:
    assert ladder(_setup(), on_linux=False, is_root=True) == [_PLAIN]
    assert ladder(_setup(isolated_network=True), on_linux=False, is_root=True) == []


def test_says_what_an_attempt_lacks() -> None:
    assert missing(Attempt(mounts=True, pids=True, network=False, user=False)) == ""
    assert missing(Attempt(mounts=True, pids=False, network=False, user=False)) == "a PID namespace"
    assert missing(_PLAIN) == "a mount namespace and a PID namespace"


def test_puts_the_paths_of_lambda_where_they_belong() -> None:
    mounts = table(_setup(runtime_root="/r"), pids=True)
    assert mounts["/var/task"] == Bind("/t")
    assert mounts["/opt"] == Bind("/o")
    assert mounts["/var/runtime"] == Bind("/r")
    assert mounts["/tmp"] == Tmpfs("mode=1777,size=512m")
    assert mounts["/proc"] == Proc()
    assert "/var/lang" not in mounts


def test_without_a_pid_namespace_the_process_table_is_the_host_s() -> None:
    assert table(_setup(), pids=False)["/proc"] == Bind("/proc")


def test_keeps_only_what_would_be_hidden() -> None:
    keep = ("/usr", "/tmp/a/venv", "/tmp/a/venv/bin", "/tmp/a/venvs", "/opt", "/opt/tools", "/var/taskforce", "/")
    mounts = table(_setup(keep_visible=keep), pids=True)
    assert hidden(keep, mounts) == ["/opt/tools", "/tmp/a/venv", "/tmp/a/venvs"]
    assert mounts["/tmp/a/venv"] == Bind("/tmp/a/venv")
    assert mounts["/opt"] == Bind("/o")


@pytest.mark.parametrize(
    ("path", "top", "inside"),
    [("/a/b", "/a", True), ("/a", "/a", False), ("/ab", "/a", False), ("/a", "/", True), ("/", "/", False)],
)
def test_inside(path: str, top: str, inside: bool) -> None:
    assert is_inside(path, top) is inside


def test_credentials_are_looked_for_wherever_the_tools_do() -> None:
    variables = {"AWS_SHARED_CREDENTIALS_FILE": "/secrets/keys", "AWS_CONFIG_FILE": ""}
    assert layout.credential_files(variables, {"/home/u", "/home/v"}) == [
        "/home/u/.aws",
        "/home/v/.aws",
        "/secrets/keys",
    ]


def test_tells_init_both_names_of_what_to_keep(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    spec = SandboxSpec(tmp_path, tmp_path, None, None, 512, 4096, False, (tmp_path / "link",))
    assert layout.setup(spec, tmp_path / "work").keep_visible == [str(tmp_path / "link"), str(tmp_path / "real")]


def test_paths_inside(tmp_path: Path) -> None:
    spec = SandboxSpec(tmp_path / "t", tmp_path / "o", tmp_path / "l", tmp_path / "r", 512, 4096, False)
    work = tmp_path / "w"
    assert layout.paths(spec, work, mounts=True) == SandboxPaths(
        task_root="/var/task", opt="/opt", tmp="/tmp", lang="/var/lang", runtime="/var/runtime"
    )
    assert layout.paths(spec, work, mounts=False) == SandboxPaths(
        task_root=f"{work}/task", opt=f"{work}/opt", tmp=f"{work}/tmp", lang=f"{tmp_path}/l", runtime=f"{tmp_path}/r"
    )


def test_last_words_of_init(tmp_path: Path) -> None:
    assert layout.last_words(tmp_path) == "it said nothing"
    layout.log(tmp_path).write_text("Traceback\nOSError: full\n")
    assert layout.last_words(tmp_path) == "OSError: full"


@pytest.mark.skipif(sys.platform != "linux", reason="pidfds and /proc need Linux")
def test_reads_the_process_table() -> None:
    command = "(sleep 1000; true) & echo up; wait"
    with subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE, start_new_session=True) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        assert shell.pid in sweep.descendants(os.getpid())
        assert len(sweep.descendants(shell.pid)) in (1, 2)  # the inner shell may not have started its `sleep` yet
        assert layout.outside_pid(os.pidfd_open(shell.pid)) == shell.pid
        pidfd = os.pidfd_open(shell.pid)
        os.killpg(shell.pid, 9)
        shell.wait()
        assert layout.outside_pid(pidfd) == 0


def test_removes_a_tree_but_nothing_a_link_leads_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o555)
    (top := tmp_path / "top").mkdir()
    (top / "locked").mkdir()
    (top / "locked" / "file").write_text("x")
    (top / "locked").chmod(0)
    (top / "link").symlink_to(outside)
    (top / "dangling").symlink_to("nowhere")
    sweep.remove_tree(str(top))
    assert os.listdir(tmp_path) == ["outside"]
    assert outside.stat().st_mode & 0o777 == 0o555
    sweep.remove_tree(str(top))  # gone already, and no harm


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_goes_on_where_the_kernel_cannot_make_it_read_only(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    asked: list[str] = []

    def refuse(target: str, read_only: bool, *, recursive: bool = False) -> None:
        asked.append(target)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(linux, "set_read_only", refuse)
    (note,) = root.make_read_only(["/tmp"])
    assert note.startswith("the file system stays writable where the host's is: ")
    assert asked == ["/"]
