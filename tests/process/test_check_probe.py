"""The probe inside real Python processes, asked as `penstock check` asks it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from penstock.check.measured import LoopDelays
from penstock.check.probes import Probes, probe_variables
from penstock.check.tokens import Tokens

TOKENS = Tokens("0badcafe")
TOKEN = TOKENS.make(5)
PATIENCE_S = 30.0

ASYNCIO = f"""
import asyncio, time
user = "nobody"
async def block():
    time.sleep(0.08)
async def main():
    global user
    user = "{TOKEN}"
    print("up", flush=True)
    while True:
        await block()
        await asyncio.sleep(0.03)
"""


@asynccontextmanager
async def checked(
    folder: Path, source: str, *, socket: Path | None = None
) -> AsyncIterator[tuple[Probes, asyncio.subprocess.Process]]:
    """A Python process of the source, once it has said its first line, in the task root `folder`."""
    (folder / "main.py").write_text(source)
    path = socket or folder / "probes.sock"
    environment = {"PATH": os.environ["PATH"], "LAMBDA_TASK_ROOT": str(folder)}
    environment |= probe_variables(path, TOKENS.pattern, environment)
    async with Probes(path) as probes:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", str(folder / "main.py")),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout
        try:
            async with asyncio.timeout(PATIENCE_S):
                assert (await process.stdout.readline()).strip() == b"up"
            yield probes, process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and what it forked
            await process.communicate()


async def looked(probes: Probes, processes: int = 1) -> dict[int, dict[str, object]]:
    """What so many processes hold, once that many are there."""
    async with asyncio.timeout(PATIENCE_S):
        while len(found := await probes.look()) < processes:  # noqa: ASYNC110  # nothing tells of one that connects
            await asyncio.sleep(0.02)
    return {
        number: {name: slot.tokens or slot.digest for name, slot in slots.items()} for number, slots in found.items()
    }


@pytest.mark.parametrize(
    "end",
    [
        "asyncio.run(main())",
        "asyncio.new_event_loop().run_until_complete(main())",
        "import uvloop; uvloop.run(main())",
        "import uvloop; loop = uvloop.new_event_loop(); loop.create_task(main()); loop.run_forever()",
        "import threading; t = threading.Thread(target=asyncio.run, args=(main(),)); t.start(); t.join()",
    ],
)
async def test_a_loop_is_found_and_who_holds_it_up(tmp_path: Path, end: str) -> None:
    async with checked(tmp_path, f"{ASYNCIO}\n{end}\n") as (probes, _):
        (slots,) = (await looked(probes)).values()
        assert slots["__main__.user"] == (TOKEN,)
        assert await probes.watch()
        while len(blocks := (seen := await watched(probes)).blocks) < 1:
            assert await probes.watch()
    assert list(blocks) == ["main.py:5 in block"]
    assert max(seen.delays) == pytest.approx(0.08, abs=0.06)


async def watched(probes: Probes) -> LoopDelays:
    await asyncio.sleep(0.5)  # the time that is measured
    return await probes.stop_watching()


async def test_a_loop_that_is_free_comes_round_at_once(tmp_path: Path) -> None:
    source = (
        "import asyncio\nasync def main():\n  print('up', flush=True)\n  await asyncio.sleep(60)\nasyncio.run(main())\n"
    )
    async with checked(tmp_path, source) as (probes, _):
        await looked(probes)
        assert await probes.watch()
        seen = await watched(probes)
    assert len(seen.delays) > 10
    assert sorted(seen.delays)[len(seen.delays) // 2] < 0.01


async def test_a_process_without_a_loop(tmp_path: Path) -> None:
    async with checked(tmp_path, "hits = 1\nprint('up', flush=True)\nimport sys; sys.stdin.read()\n") as (probes, _):
        (slots,) = (await looked(probes)).values()
        assert "__main__.hits" in slots
        assert not await probes.watch()
        assert (await probes.stop_watching()).delays == ()


async def test_each_fork_is_a_process_of_its_own(tmp_path: Path) -> None:
    """As AWS's client forks its workers, while the probe is in the middle of watching or not."""
    source = """
import os, sys, threading
role = "parent"
print("up", flush=True)
sys.stdin.readline()
if os.fork() == 0:
    role = "child"
    if os.fork() == 0:
        role = "grandchild"
names = [thread.name for thread in threading.enumerate()]
threading.Event().wait()
"""
    async with checked(tmp_path, source) as (probes, process):
        (alone,) = (await looked(probes)).values()
        assert process.stdin
        process.stdin.write(b"go on\n")
        roles = [slots["__main__.role"] for slots in (await looked(probes, 3)).values()]
        assert len(set(roles)) == 3
        assert alone["__main__.role"] in roles


async def test_no_thread_of_ours_runs_while_a_process_forks(tmp_path: Path) -> None:
    """One may hold a lock that the child would then wait for. Our hook is the first one, so that it is called last."""
    source = """
import gc, os, sys
print("up", flush=True)
sys.stdin.readline()
link = next(one for one in gc.get_objects() if type(one).__name__ == "Link")
thread = link._thread
ended = []
join = thread.join
thread.join = lambda seconds: (join(seconds), ended.append(not thread.is_alive()))
pid = os.fork()
if pid == 0:
    os._exit(0 if ended == [True] else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), link._thread is not thread, flush=True)
sys.stdin.read()
"""
    async with checked(tmp_path, source) as (probes, process):
        await looked(probes)
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"go on\n")
        async with asyncio.timeout(PATIENCE_S):
            assert await process.stdout.readline() == b"0 True\n"
        assert len(await looked(probes)) == 1


async def test_a_long_name_for_the_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    source = "print('up', flush=True)\nimport sys; sys.stdin.read()\n"
    async with checked(tmp_path, source, socket=folder / "probes.sock") as (probes, _):
        assert len(await looked(probes)) == 1


async def test_a_process_that_ends_is_no_more_asked(tmp_path: Path) -> None:
    async with checked(tmp_path, "print('up', flush=True)\nimport sys; sys.stdin.read()\n") as (probes, process):
        await looked(probes)
        process.kill()
        await process.wait()
        assert await probes.look() == {}


def python(
    *arguments: str, cwd: Path, executable: str = sys.executable, **variables: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [executable, *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )


def test_nobody_listens(tmp_path: Path) -> None:
    variables = probe_variables(tmp_path / "nobody.sock", TOKENS.pattern, {})
    done = python("-c", "print('fine')", cwd=tmp_path, **variables)
    assert (done.stdout, done.stderr) == ("fine\n", "")


def test_the_next_sitecustomize_is_imported_and_we_are_not_on_the_path(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.mine = __name__\n")
    variables = probe_variables(tmp_path / "nobody.sock", TOKENS.pattern, {"PYTHONPATH": str(tmp_path)})
    asked = "import sys, sitecustomize; print(sys.mine, sitecustomize.__file__, [p for p in sys.path if 'inside' in p])"
    done = python("-c", asked, cwd=tmp_path, **variables)
    assert done.stdout == f"sitecustomize {tmp_path}/sitecustomize.py []\n"


@pytest.mark.parametrize(("given", "left"), [({}, None), ({"PYTHONPATH": "/a:/b"}, "/a:/b")])
def test_a_handlers_processes_get_the_path_they_get_on_aws(
    tmp_path: Path, given: dict[str, str], left: str | None
) -> None:
    (tmp_path / "bootstrap.py").write_text("import os; print(os.environ.get('PYTHONPATH'))")
    variables = probe_variables(tmp_path / "nobody.sock", TOKENS.pattern, given)
    assert python("bootstrap.py", cwd=tmp_path, **variables).stdout == f"{left}\n"


def test_a_script_that_sets_the_path_anew(tmp_path: Path) -> None:
    """The probe is found as the user's own packages, and no more on the path than by the other way."""
    variables = probe_variables(tmp_path / "nobody.sock", TOKENS.pattern, {})
    asked = "import sys; print('penstock_probe' in sys.modules, [path for path in sys.path if '/user/lib' in path])"

    def answer(*flags: str, **paths: str) -> str:
        # A virtual environment has no packages of the user's; functions run outside of one.
        executable = str(getattr(sys, "_base_executable", sys.executable))
        return python(*flags, "-c", asked, cwd=tmp_path, executable=executable, **{**variables, **paths}).stdout

    assert answer() == answer(PYTHONPATH="/var/task") == "True []\n"
    assert answer("-s", PYTHONPATH="/var/task") == "False []\n"


def test_paths_that_would_be_rewritten_are_not(tmp_path: Path) -> None:
    """Without a mount namespace /opt and /tmp are elsewhere for a function, but not where Penstock itself is."""
    from penstock.environment.variables import rewrite_paths

    socket = tmp_path / "probes.sock"
    variables = probe_variables(socket, TOKENS.pattern, {"PYTHONPATH": "/opt/python"})
    places = {"/opt": "/elsewhere/opt", f"/{tmp_path.parts[1]}": "/elsewhere/tmp"}
    for name in ("PENSTOCK_CHECK_SOCKET", "PYTHONUSERBASE"):
        assert rewrite_paths(variables[name], places) == variables[name]
    assert rewrite_paths(variables["PYTHONPATH"], places).endswith(":/elsewhere/opt/python")
