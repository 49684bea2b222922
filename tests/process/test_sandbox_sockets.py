"""Sockets the platform gets out of an environment's network."""

import asyncio
import errno
import socket
from pathlib import Path

import pytest

from penstock.environment.sandbox import SandboxSpec
from support.sandbox_rig import Rig, make_spec, need_namespaces, rigged
from support.streams import within

# Prints its port, then what the first who connects says.
_LISTEN = """
import socket
listener = socket.create_server(("127.0.0.1", {port}))
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
print(connection.recv(100).decode(), flush=True)
"""


async def say(rig: Rig, port: int, text: bytes) -> None:
    """Connect from outside to a listener inside."""
    with await within(rig.sandbox.open_socket()) as sock:
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await within(loop.sock_connect(sock, ("127.0.0.1", port)))
        await within(loop.sock_sendall(sock, text))


async def listen(rig: Rig, port: int) -> tuple[asyncio.StreamReader, int]:
    output = await rig.start("listener", "python3", "-I", "-S", "-c", _LISTEN.format(port=port))
    return output, int(await within(output.readline()))


@pytest.fixture(params=["namespaces", "network only"])
def isolated(request: pytest.FixtureRequest, tmp_path: Path) -> SandboxSpec:
    need_namespaces()
    return make_spec(tmp_path, isolated_network=True, namespaces=request.param == "namespaces")


async def test_each_reaches_its_own_environment(isolated: SandboxSpec, tmp_path: Path) -> None:
    """Both listen on one port, which only works in two networks."""
    async with rigged(isolated, tmp_path / "one") as one, rigged(isolated, tmp_path / "two") as two:
        outputs = [(await listen(rig, 4243))[0] for rig in (one, two)]
        await say(two, 4243, b"to two")
        await say(one, 4243, b"to one")
        assert [await within(output.readline()) for output in outputs] == [b"to one\n", b"to two\n"]


async def test_many_at_once(isolated: SandboxSpec, tmp_path: Path) -> None:
    async with rigged(isolated, tmp_path / "work") as rig:
        sockets = await within(asyncio.gather(*(rig.sandbox.open_socket() for _ in range(50))))
        assert len({sock.fileno() for sock in sockets}) == 50
        for sock in sockets:
            assert (sock.family, sock.type, sock.get_inheritable()) == (socket.AF_INET, socket.SOCK_STREAM, False)
            sock.close()


async def test_who_gave_up_waiting_leaves_no_socket_and_no_disorder(isolated: SandboxSpec, tmp_path: Path) -> None:
    async with rigged(isolated, tmp_path / "work") as rig:
        output, port = await listen(rig, 0)
        given_up = asyncio.ensure_future(rig.sandbox.open_socket())
        await asyncio.sleep(0)  # it has asked
        given_up.cancel()
        await say(rig, port, b"still in order")
        assert await within(output.readline()) == b"still in order\n"


async def test_with_the_network_of_the_host(tmp_path: Path) -> None:
    async with rigged(make_spec(tmp_path), tmp_path / "work") as rig:
        output, port = await listen(rig, 0)
        await say(rig, port, b"hello")
        assert await within(output.readline()) == b"hello\n"


@pytest.mark.parametrize("isolated_network", [False, True])
async def test_not_from_an_environment_that_is_gone(tmp_path: Path, isolated_network: bool) -> None:
    if isolated_network:
        need_namespaces()
    async with rigged(make_spec(tmp_path, isolated_network=isolated_network), tmp_path / "work") as rig:
        await within(rig.sandbox.kill())
        with pytest.raises(OSError, match="the environment is gone") as caught:
            await within(rig.sandbox.open_socket())
        assert caught.value.errno == errno.ESRCH


async def test_asked_for_as_it_dies(isolated: SandboxSpec, tmp_path: Path) -> None:
    async with rigged(isolated, tmp_path / "work") as rig:
        asked = asyncio.ensure_future(rig.sandbox.open_socket())
        await asyncio.sleep(0)  # it has asked
        await within(rig.sandbox.kill())
        with pytest.raises(OSError, match="the environment is gone"):
            await within(asked)


@pytest.mark.parametrize("isolated_network", [False, True])
async def test_an_environment_knows_its_own_name(tmp_path: Path, isolated_network: bool) -> None:
    need_namespaces()
    program = """
import socket
print(*(socket.gethostbyname(name) for name in ("sandbox.localdomain", "sandbox", "localhost")))
try: open("/etc/hosts", "a")
except OSError as error: print(error.strerror)
"""
    async with rigged(make_spec(tmp_path, isolated_network=isolated_network), tmp_path / "work") as rig:
        assert rig.sandbox.features.notes == ()
        seen = await rig.python(program)
    assert seen.splitlines() == ["127.0.0.1 127.0.0.1 127.0.0.1", "Read-only file system"]
