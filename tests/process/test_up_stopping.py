"""The end of `penstock up`: Ctrl-C, SIGTERM and SIGKILL, whatever it is doing, leave nothing behind."""

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.gate import Gate
from support.ports import port_of_nobody
from support.projects import Project, Shape, make_project
from support.up import Up, eventually, running, shared_cache

MODES = ("--namespaces", "--no-namespaces")
# The kernel ends what SIGKILL left; a busy machine may need a moment.
SOON_S = 5.0


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate


@pytest.fixture
def project(tmp_path: Path, gate: Gate) -> Project:
    return make_project(tmp_path / "site", Shape({"GATE": gate.port}))


def is_refused(up: Up) -> bool:
    place = urlsplit(up.url)
    try:
        with socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=SOON_S):
            return False
    except ConnectionRefusedError:
        return True


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_open_streams_end_before_it_does(
    project: Project, cache: Path, gate: Gate, signum: signal.Signals, mode: str
) -> None:
    with running(project, cache, mode, "--drain", "30", environments=2) as up:
        streams = [up.occupy(gate, "/stream") for _ in range(2)]
        up.send(signum)
        assert up.wait_for("stopping")["openRequests"] == 2
        assert is_refused(up)
        replies = [stream.release() for stream in streams]
        assert [(reply.status, reply.text) for reply in replies] == [(200, "begin\nend\n")] * 2
        assert up.ended() == 0
        up.assert_nothing_left(0)
        assert up.stderr == ""
    assert project.work_folders() == []


def test_a_stream_that_does_not_end_is_cut(project: Project, cache: Path, gate: Gate) -> None:
    with running(project, cache, "--drain", "0.2") as up:
        stream = up.occupy(gate, "/stream")
        up.interrupt()
        assert stream.call.is_cut()
        assert up.ended() == 0
        up.assert_nothing_left(0)


def test_the_second_ctrl_c_cuts_at_once(project: Project, cache: Path, gate: Gate) -> None:
    with running(project, cache, "--drain", "1000") as up:
        stream = up.occupy(gate, "/stream")
        up.interrupt()
        up.wait_for("stopping")
        up.interrupt()
        assert stream.call.is_cut()
        assert up.ended() == 0
        up.assert_nothing_left(0)


def test_a_function_that_will_not_stop(project: Project, cache: Path, gate: Gate) -> None:
    """It ignores SIGTERM, and has a process in a session of its own."""
    trap = (project.code / "run.sh").read_text().replace("exec python3", "trap '' TERM\npython3")
    (project.code / "run.sh").write_text(trap)
    with running(project, cache) as up:
        up.get("/daemon")
        daemon, life = gate.next("daemon"), gate.next("life")
        began = time.monotonic()
        assert up.stop() == 0
        assert time.monotonic() - began < 10
        assert daemon.is_over()
        assert life.is_over()
        up.assert_nothing_left(0)
    assert project.work_folders() == []


@pytest.mark.parametrize("mode", MODES)
def test_sigkill_takes_every_process_with_it(project: Project, cache: Path, gate: Gate, mode: str) -> None:
    with running(project, cache, mode, environments=2) as up:
        up.get("/daemon")
        visits = [gate.next("daemon"), gate.next("life"), gate.next("life")]
        stream = up.occupy(gate, "/stream")
        up.send(signal.SIGKILL)
        assert stream.call.is_cut()
        for visit in visits:
            eventually(visit.is_over, f"the end of {visit.name}", SOON_S)
        up.assert_nothing_left(SOON_S)
        assert up.ended() == -signal.SIGKILL
    assert [list(folder.iterdir()) for folder in project.work_folders()] == [[]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_while_environments_start(tmp_path: Path, cache: Path, gate: Gate, signum: signal.Signals, mode: str) -> None:
    project = make_project(tmp_path / "site", Shape({"GATE": gate.port, "SLOW_START": 1}))
    with running(project, cache, mode, environments=2) as up:
        visits = [gate.next("start"), gate.next("start"), gate.next("life"), gate.next("life")]
        up.send(signum)
        assert up.ended() == (-signal.SIGKILL if signum == signal.SIGKILL else 0)
        up.assert_nothing_left(SOON_S)
        for visit in visits:
            eventually(visit.is_over, f"the end of {visit.name}", SOON_S)
        assert not up.said("ready")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_while_dependencies_are_installed(tmp_path: Path, project: Project, signum: signal.Signals) -> None:
    """uv waits for a package index that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as index:
        index.settimeout(20)
        address = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        (project.code / "requirements.txt").write_text(f"--index-url {address}\nsome-package\n")
        with running(project, tmp_path / "cache") as up:
            connection, _ = index.accept()
            with connection:
                assert any("Resolving" in event["text"] for event in up.said("progress"))
                up.send(signum)
                assert up.ended() == (-signal.SIGKILL if signum == signal.SIGKILL else 0)
                up.assert_nothing_left(SOON_S)
    made = [path.name for path in (tmp_path / "cache" / "penstock" / "dependencies").iterdir() if path.is_dir()]
    # Nothing that would be taken for complete. What SIGKILL left half made is removed by a later run.
    assert [name for name in made if name != ".locks" and not (signum == signal.SIGKILL and name.startswith("."))] == []


def test_it_can_be_started_again_on_its_port(project: Project, cache: Path) -> None:
    port = port_of_nobody()
    for _ in range(2):
        with running(project, cache, port=port) as up:
            assert up.url == f"http://127.0.0.1:{port}/"
            assert up.get().text == "ok"
            assert up.stop() == 0
