"""Who polls, where uvicorn's process may: exactly one of the two, whatever comes first and whoever dies."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from penstock_adapter import hand_over
from penstock_adapter.standby import Claim
from support.app_server import AppRequest, AppServer
from support.events import url_event
from support.runtime_server import RuntimeServer
from support.streams import within
from support.uvicorn_runs import free_port, need_hook, running, standing_by

NOT_IN_USE = "INFO PENSTOCK_UVICORN_HOOK=1 is not in use: invocations are sent to 127.0.0.1:{}\n"
# An app that is well once there is a file `well`.
MOODY = """
import os

async def app(scope, receive, send):
    assert scope["type"] == "http"
    status = 200 if os.path.exists("well") else 503
    os.write(2, f"{scope['path']} {status}\\n".encode())
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})
"""
# A process that claims, forks, tells both, and sleeps; its child too.
FORKING = """
import asyncio, os, sys, time
from penstock_adapter import hand_over
from penstock_adapter.standby import Claim

claim = Claim(hand_over.connect(sys.argv[1]))
granted = asyncio.run(claim.ask())
child = os.fork()
if child:
    print(granted, child, flush=True)
time.sleep(1000)
"""


async def ok(request: AppRequest) -> None:
    await request.respond(b"ok")


def claim(server: RuntimeServer) -> Claim:
    connection = hand_over.connect(server.address)
    assert connection is not None
    return Claim(connection)


async def granted(one: Claim) -> None:
    """Once the end of the last one has come through."""
    async with asyncio.timeout(5):
        while not await one.ask():
            pass


async def test_the_first_claim_is_granted_and_the_extension_leaves_the_polls_to_it() -> None:
    port = free_port()
    async with standing_by(port) as (server, adapter):
        first, second = claim(server), claim(server)
        assert await first.ask()
        assert not await second.ask()
        assert await first.ask()  # it has it already
        async with AppServer(ok, port) as web:
            await within(server.event_next_asked.wait())
            # Whatever the extension did by now of its own, it was not to look for the app, nor to poll.
            assert not await second.ask()
            assert (web.connections, server.parked.empty(), adapter.lines) == (0, True, [])
            first.close()
            assert (await server.invoke(url_event())).kind == "response"
            assert adapter.lines == [NOT_IN_USE.format(port)]
            assert not await second.ask()
        second.close()


async def test_a_right_that_is_given_back_can_be_had_again() -> None:
    async with standing_by(free_port()) as (server, adapter):
        for _ in range(3):
            one = claim(server)
            await granted(one)
            one.close()
        assert server.parked.empty()
        assert adapter.lines == []


async def test_an_app_that_listens_is_served_by_the_extension() -> None:
    async with AppServer(ok) as web, standing_by(web.port) as (server, adapter):
        late = claim(server)
        assert (await server.invoke(url_event())).kind == "response"
        assert not await late.ask()
        assert adapter.lines == [NOT_IN_USE.format(web.port)]
        late.close()


@pytest.mark.parametrize("turns", range(0, 30, 2))
async def test_of_two_at_the_same_time_one_has_the_polls(turns: int) -> None:
    """The app listens just when the right to poll is claimed, some turns of the loop earlier or later."""
    port = free_port()
    async with standing_by(port) as (server, adapter):
        one = claim(server)
        app = asyncio.ensure_future(AppServer(ok, port).__aenter__())
        for _ in range(turns):
            await asyncio.sleep(0.001)
        had = await one.ask()
        web = await app
        if had:
            assert (server.parked.empty(), adapter.lines) == (True, [])
            one.close()
        polls = [await server.poll() for _ in range(2)]
        assert all(poll.alive for poll in polls)
        assert server.polls_open == 2
        assert adapter.lines == [NOT_IN_USE.format(port)]
        one.close()
        await web.__aexit__(None, None, None)


async def test_async_init_takes_the_polls_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock_adapter.adapter.ASYNC_INIT_S", 0.05)
    port = free_port()
    async with standing_by(port, AWS_LWA_ASYNC_INIT="true") as (server, _):
        late = claim(server)
        (await server.poll()).answer(url_event(), "request")
        assert not await late.ask()
        async with AppServer(ok, port):
            assert (await (await server.post("request")).complete()).endswith(b"ok")
        late.close()


async def test_async_init_is_over_with_the_first_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock_adapter.adapter.ASYNC_INIT_S", 0.3)
    async with standing_by(free_port(), AWS_LWA_ASYNC_INIT="true") as (server, adapter):
        one = claim(server)
        assert await one.ask()
        await asyncio.sleep(0.35)
        assert server.parked.empty()
        one.close()
        another = claim(server)
        await granted(another)
        assert (server.parked.empty(), adapter.lines) == (True, [])
        another.close()


async def test_a_wait_without_end_for_the_app_is_the_extensions_to_end() -> None:
    async with standing_by(free_port(), AWS_LWA_READINESS_CHECK_TIMEOUT_SECONDS="0.05") as (_, adapter):
        assert await within(asyncio.shield(adapter.exit)) == 1
        assert "ERROR the app was not ready within 0.05 seconds\n" in adapter.lines


async def test_a_child_does_not_keep_the_right_of_a_dead_process() -> None:
    port = free_port()
    async with standing_by(port) as (server, _), AppServer(ok) as web:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", FORKING, server.address),
            env={"PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            had, child = (await within(process.stdout.readline())).split()
            assert had == b"True"
            other = claim(server)
            assert not await other.ask()
            process.kill()
            await within(process.wait())
            os.kill(int(child), 0)  # it lives
            await granted(other)
            other.close()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()
        assert web.connections == 0


async def test_nobody_stands_by() -> None:
    assert hand_over.connect("127.0.0.1:1") is None
    listener = hand_over.listen("127.0.0.1:1")
    connection = hand_over.connect("127.0.0.1:1")
    assert connection is not None
    one = Claim(connection)
    listener.close()
    assert not await one.ask()
    one.close()


async def test_two_extensions_cannot_stand_by_for_one_environment() -> None:
    async with RuntimeServer() as server:
        with hand_over.listen(server.address):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "penstock_adapter"),
                env={"AWS_LAMBDA_RUNTIME_API": server.address, "PENSTOCK_UVICORN_HOOK": "1"},
                stdout=asyncio.subprocess.PIPE,
            )
            out, _ = await within(process.communicate())
        assert process.returncode == 1
        told = f"ERROR PENSTOCK_UVICORN_HOOK=1: cannot stand by for {server.address}: "
        assert out.decode().startswith(told)
        assert out.count(b"\n") == 1
        assert server.registrations == []


# --- with a real uvicorn ---


@need_hook
async def test_an_app_that_is_not_well_yet_gets_nothing(tmp_path: Path) -> None:
    port = free_port()
    check = {"AWS_LWA_READINESS_CHECK_PROTOCOL": "http", "AWS_LWA_READINESS_CHECK_PATH": "/mood"}
    async with (
        standing_by(port, **check) as (server, adapter),
        running(tmp_path, port, api=server.address, app=MOODY, **check) as web,
    ):
        await web.wait_for("/mood 503")
        assert server.parked.empty()
        (tmp_path / "well").touch()
        assert (await (await server.invoke(url_event(path="/now"))).complete()).endswith(b"/now")
        assert (web.listens(), adapter.lines) == ([], [])


@need_hook
async def test_it_ends_while_it_is_not_well(tmp_path: Path) -> None:
    port = free_port()
    async with standing_by(port) as (server, _), running(tmp_path, port, api=server.address, app=MOODY) as web:
        await web.wait_for("/ 503")
        web.process.send_signal(signal.SIGTERM)
        assert await web.ended() == -signal.SIGTERM
        assert server.parked.empty()


@need_hook
async def test_what_async_init_polled_reaches_uvicorn_on_its_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock_adapter.adapter.ASYNC_INIT_S", 0.05)
    port = free_port()
    check = {"AWS_LWA_READINESS_CHECK_PROTOCOL": "http", "AWS_LWA_ASYNC_INIT": "true"}
    async with (
        standing_by(port, **check) as (server, _),
        running(tmp_path, port, api=server.address, app=MOODY, **check) as web,
    ):
        (await server.poll()).answer(url_event(path="/early"), "early")
        await web.wait_for("/ 503")
        (tmp_path / "well").touch()
        assert (await (await server.post("early")).complete()).endswith(b"/early")
        assert web.listens() == [port]
        for _ in range(2):
            await server.poll()
        assert server.polls_open == 2
        web.process.send_signal(signal.SIGTERM)
        assert await web.ended() == -signal.SIGTERM


@need_hook
async def test_uvicorn_that_is_killed_and_started_anew(tmp_path: Path) -> None:
    port = free_port()
    async with standing_by(port) as (server, adapter):
        async with running(tmp_path, port, api=server.address) as web:
            post = await server.invoke(url_event(path="/stream"), "cut")
            assert [await post.chunk() for _ in range(3)][2] == b"one"
            web.process.kill()
            await web.ended()
        assert adapter.lines == []
        async with running(tmp_path, port, api=server.address) as web:
            post = await server.invoke(url_event(path="/x"), "whole")
            assert (await post.complete()).endswith(b"GET http 127.0.0.1 0")
            assert (web.listens(), adapter.lines) == ([], [])


@need_hook
@pytest.mark.parametrize("more", [["--workers", "2"], ["--loop", "asyncio"], ["--host", "0.0.0.0", "--reload"]])
async def test_the_extension_serves_a_uvicorn_that_listens(tmp_path: Path, more: list[str]) -> None:
    port = free_port()
    async with (
        standing_by(port) as (server, adapter),
        running(tmp_path, port, more, api=server.address) as web,
    ):
        post = await server.invoke(url_event(path="/x"))
        assert (await post.complete()).endswith(b"GET http 127.0.0.1 0")
        assert set(web.listens()) == {port}
        assert adapter.lines == [NOT_IN_USE.format(port)]


@need_hook
async def test_a_port_that_is_taken_ends_uvicorn(tmp_path: Path) -> None:
    async with (
        AppServer(ok) as other,
        standing_by(other.port) as (server, _),
    ):
        await server.poll()  # the extension's, for the other one
        async with running(tmp_path, other.port, api=server.address) as web:
            assert await web.ended() == -signal.SIGTERM


@need_hook
async def test_a_check_on_another_port_is_not_uvicorns(tmp_path: Path) -> None:
    port = free_port()
    async with AppServer(ok) as health:
        check = {"AWS_LWA_READINESS_CHECK_PORT": str(health.port)}
        async with (
            standing_by(port, **check) as (server, _),
            running(tmp_path, port, api=server.address, **check) as web,
        ):
            await web.wait_for("Uvicorn running on")
            assert web.listens() == [port]
            post = await server.invoke(url_event(path="/x"))
            assert (await post.complete()).endswith(b"GET http 127.0.0.1 0")
