"""Starting, signalling and reaping, alike with namespaces and without."""

import asyncio
import errno
import os
import signal
from pathlib import Path

import psutil
import pytest

from penstock.environment.sandbox import ProcessExit, Sandbox, SandboxError, SandboxSpec, SpawnError
from support.sandbox_rig import PATH, Rig, make_spec, need_namespaces, rigged
from support.streams import within


@pytest.fixture(params=["namespaces", "none"])
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> SandboxSpec:
    if request.param == "namespaces":
        need_namespaces()
    return make_spec(tmp_path, namespaces=request.param == "namespaces")


async def test_gets_exactly_the_variables_it_was_given(
    spec: SandboxSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the host")
    given = {"PATH": PATH, "EMPTY": "", "LINES": "a\nb", "UMLAUT": "ü", "RAW": os.fsdecode(b"\xff\xfe")}
    async with rigged(spec, tmp_path / "work") as rig:
        output = await rig.start("main", "env", "-0", env=given)
        seen = await within(output.read())
    assert sorted(seen.split(b"\0")[:-1]) == sorted(f"{name}=".encode() + os.fsencode(given[name]) for name in given)


async def test_passes_on_a_large_environment(spec: SandboxSpec, tmp_path: Path) -> None:
    """More than one read and one socket buffer hold: the control socket is written in pieces."""
    given = {"PATH": PATH} | {f"V{number}": "x" * 100_000 for number in range(10)}
    async with rigged(spec, tmp_path / "work") as rig:
        output = await rig.start("main", "sh", "-c", 'echo "${#V0} ${#V9}"', env=given)
        assert await within(output.read()) == b"100000 100000\n"


async def test_says_when_an_environment_is_too_large(spec: SandboxSpec, tmp_path: Path) -> None:
    async with rigged(spec, tmp_path / "work") as rig:
        with pytest.raises(SpawnError) as caught:
            await rig.start("main", "true", env={"PATH": PATH, "BIG": "x" * 4_000_000})
        assert caught.value.errno == errno.E2BIG


async def test_inherits_nothing(spec: SandboxSpec, tmp_path: Path) -> None:
    program = """
import os, signal, resource
print(sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:-1], os.read(0, 1), os.getsid(0) == os.getpid())
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), resource.getrlimit(resource.RLIMIT_NOFILE), oct(os.umask(0)))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(status["NoNewPrivs"].strip(), f"{int(status['SigIgn'], 16) & ~(3 << 31):016x}", int(status["CapEff"], 16) & ~4)
"""
    async with rigged(spec, tmp_path / "work") as rig:
        lines = (await rig.python(program)).split("\n")
    # Python ignores SIGPIPE (13) and SIGXFSZ (25) for itself; 32 and 33 are the C library's own, out of our reach.
    assert lines == ["[0, 1, 2] b'' True", "set() (4096, 4096) 0o22", f"1 {1 << 12 | 1 << 24:016x} 0"]


@pytest.mark.parametrize(
    ("script", "returncode", "signum"),
    [("exit 0", 0, None), ("exit 3", 3, None), ("kill -SEGV $$", None, signal.SIGSEGV), ("kill -9 $$", None, 9)],
)
async def test_tells_how_a_process_ended(
    spec: SandboxSpec, tmp_path: Path, script: str, returncode: int | None, signum: int | None
) -> None:
    async with rigged(spec, tmp_path / "work") as rig:
        await rig.start("main", "sh", "-c", script)
        assert await rig.ended("main") == ProcessExit("main", returncode, signum)


async def test_tells_of_an_end_at_once(spec: SandboxSpec, tmp_path: Path) -> None:
    async with rigged(spec, tmp_path / "work") as rig:
        output = await rig.start("main", "sh", "-c", "echo up; exec sleep 1000")
        assert await within(output.readline()) == b"up\n"
        before = asyncio.get_running_loop().time()
        rig.sandbox.signal("main", signal.SIGKILL)
        await rig.ended("main")
        # Generous, for a busy machine; it takes about a millisecond.
        assert asyncio.get_running_loop().time() - before < 0.5


async def test_an_end_right_after_the_start_comes_after_it_and_is_not_lost(spec: SandboxSpec, tmp_path: Path) -> None:
    async with rigged(spec, tmp_path / "work") as rig:
        names = [f"p{number}" for number in range(20)]

        async def run(name: str) -> None:
            await rig.start(name, "true")
            rig.calls.append(f"started {name}")

        await asyncio.gather(*(run(name) for name in names))
        for name in names:
            assert await rig.ended(name) == ProcessExit(name, 0, None)
            assert rig.calls.index(f"started {name}") < rig.calls.index(f"exit {name}")


async def test_pid_is_the_one_the_platform_sees(spec: SandboxSpec, tmp_path: Path) -> None:
    async with rigged(spec, tmp_path / "work") as rig:
        _, write_end = await rig.pipe()
        pid = await within(
            rig.sandbox.spawn("main", ["sleep", "777"], {"PATH": PATH}, rig.sandbox.paths.task_root, write_end)
        )
        assert psutil.Process(pid).cmdline() == ["sleep", "777"]
        assert pid in [process.pid for process in psutil.Process(rig.sandbox.pid).children(recursive=True)]


async def test_signals_the_whole_group(spec: SandboxSpec, tmp_path: Path) -> None:
    async with rigged(spec, tmp_path / "work") as rig:
        output = await rig.start("main", "sh", "-c", "sleep 1000 & echo up; wait")
        other = await rig.start("other", "sh", "-c", "echo up; exec sleep 1000")
        assert (await within(output.readline()), await within(other.readline())) == (b"up\n", b"up\n")
        rig.sandbox.signal("main", signal.SIGTERM)
        assert await rig.ended("main") == ProcessExit("main", None, signal.SIGTERM)
        assert await within(output.read()) == b""  # the sleeping one held it as well
        rig.sandbox.signal("main", signal.SIGTERM)  # too late, and no harm
        assert rig.calls == ["exit main"]


async def test_a_name_is_free_again_after_the_end(spec: SandboxSpec, tmp_path: Path) -> None:
    async with rigged(spec, tmp_path / "work") as rig:
        output = await rig.start("main", "sh", "-c", "echo up; exec sleep 1000")
        await within(output.readline())
        with pytest.raises(ValueError, match="main"):
            await rig.start("main", "true")
        rig.sandbox.signal("main", signal.SIGKILL)
        await rig.ended("main")
        again = await rig.start("main", "echo", "again")
        assert await within(again.read()) == b"again\n"


async def test_says_what_cannot_be_executed(spec: SandboxSpec, tmp_path: Path) -> None:
    task = tmp_path / "task"
    for name, text, mode in [("plain", "x", 0o644), ("crlf", "#!/bin/sh\r\n", 0o755), ("empty", "", 0o755)]:
        (task / name).write_text(text)
        (task / name).chmod(mode)
    async with rigged(spec, tmp_path / "work") as rig:
        root = rig.sandbox.paths.task_root
        assert await _failure(rig, f"{root}/none") == (errno.ENOENT, f"{root}/none: No such file or directory")
        assert await _failure(rig, f"{root}/plain") == (errno.EACCES, f"{root}/plain: Permission denied")
        assert await _failure(rig, f"{root}/empty") == (errno.ENOEXEC, f"{root}/empty: Exec format error")
        assert await _failure(rig, "nowhere") == (errno.ENOENT, "nowhere: No such file or directory")
        code, message = await _failure(rig, f"{root}/crlf")
        assert code == errno.ENOENT
        assert message.endswith("its first line names an interpreter that does not exist: b'#!/bin/sh\\r\\n'")
        assert (await _failure(rig, "a\0b"))[0] == errno.EINVAL
        assert await _failure(rig, "true", cwd="/missing") == (
            errno.ENOENT,
            "working directory /missing: No such file or directory",
        )
        assert (await rig.sh("echo still works"), rig.calls) == ("still works", ["exit sh"])


async def _failure(rig: Rig, program: str, cwd: str = "/") -> tuple[int, str]:
    output, write_end = await rig.pipe()
    with pytest.raises(SpawnError) as caught:
        await within(rig.sandbox.spawn("main", [program], {"PATH": PATH}, cwd, write_end))
    assert await within(output.read()) == b""  # every copy of the descriptor is closed
    return caught.value.errno, caught.value.message


async def test_many_start_at_the_same_time(spec: SandboxSpec, tmp_path: Path) -> None:
    async with rigged(spec, tmp_path / "work") as rig:
        outputs = await asyncio.gather(*(rig.start(f"p{n}", "sh", "-c", f"echo {n}") for n in range(10)))
        assert [int(await within(output.read())) for output in outputs] == list(range(10))


async def test_nothing_can_be_started_after_the_end(spec: SandboxSpec, tmp_path: Path) -> None:
    async with rigged(spec, tmp_path / "work") as rig:
        await rig.sandbox.kill()
        with pytest.raises(SpawnError) as caught:
            await rig.start("main", "true")
        assert caught.value.errno == errno.ESRCH
        rig.sandbox.signal("main", signal.SIGKILL)


async def test_refuses_a_work_directory_that_is_there(spec: SandboxSpec, tmp_path: Path) -> None:
    rig = Rig()
    (tmp_path / "work").mkdir()
    with pytest.raises(SandboxError, match="work: File exists"):
        await Sandbox.start(spec, tmp_path / "work", rig.on_exit, rig.on_lost)
    assert "work" in os.listdir(tmp_path)


async def test_says_why_it_cannot_be_built(spec: SandboxSpec, tmp_path: Path) -> None:
    rig = Rig()
    (tmp_path / "task").rmdir()
    with pytest.raises(SandboxError, match="task"):
        await within(Sandbox.start(spec, tmp_path / "work", rig.on_exit, rig.on_lost))
    assert (os.listdir(tmp_path), rig.calls) == (["opt"], [])


async def test_without_mounts_each_has_its_own_task_root_and_tmp(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, namespaces=False)
    source = tmp_path / "task" / "package"
    source.mkdir()
    (source / "module.py").write_text("code")
    (source / "link.py").symlink_to("module.py")
    (tmp_path / "opt" / "layer").write_text("layer")
    async with rigged(spec, tmp_path / "one") as one, rigged(spec, tmp_path / "two") as two:
        paths = one.sandbox.paths
        assert one.sandbox.features.notes == ("without a mount namespace and a PID namespace: switched off",)
        assert paths.task_root.startswith(str(tmp_path / "one"))
        script = (
            f"cat package/link.py {paths.opt}/layer; rm -r package; touch mine {paths.tmp}/file; ls -A . {paths.tmp}"
        )
        assert await one.sh(script) == f"codelayer.:\nmine\n\n{paths.tmp}:\nfile"
        script = f"cat package/module.py; readlink package/link.py; ls -A . {two.sandbox.paths.tmp}"
        assert await two.sh(script) == f"codemodule.py\n.:\npackage\n\n{two.sandbox.paths.tmp}:"
    assert sorted(os.listdir(tmp_path)) == ["opt", "task"]
    assert (source / "module.py").read_text() == "code"
