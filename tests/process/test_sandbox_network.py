"""`--network isolated`: a loopback of its own, AWS's own address for the Runtime API, and no way out."""

import asyncio
import errno
import socket
from pathlib import Path

import pytest

from penstock.environment.sandbox import Sandbox, SandboxSpec
from support.sandbox_rig import Rig, make_spec, need_namespaces, rigged
from support.streams import within


@pytest.fixture(params=["namespaces", "network only"])
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> SandboxSpec:
    need_namespaces()
    return make_spec(tmp_path, isolated_network=True, namespaces=request.param == "namespaces")


_CALL = """
import socket
with socket.create_connection(("127.0.0.1", 9001), timeout=10) as connection:
    connection.sendall(b"ping")
    print(connection.recv(10).decode())
"""


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"pong" if await reader.read(4) == b"ping" else b"")
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def test_the_platform_answers_at_the_address_of_aws(spec: SandboxSpec, tmp_path: Path) -> None:
    async with rigged(spec, tmp_path / "one") as one, rigged(spec, tmp_path / "two") as two:
        for rig in (one, two):
            assert rig.sandbox.features.isolated_network
            assert rig.sandbox.listener is not None
            assert rig.sandbox.listener.getsockname() == ("127.0.0.1", 9001)
            server = await asyncio.start_server(_echo, sock=rig.sandbox.listener)
            async with server:
                assert await rig.python(_CALL) == "pong"


async def test_nobody_outside_reaches_it(spec: SandboxSpec, tmp_path: Path) -> None:
    async with rigged(spec, tmp_path / "work") as rig:
        listener = rig.sandbox.listener
        assert listener is not None
        try:
            with socket.create_connection(("127.0.0.1", 9001), timeout=5):
                pass  # something else on this machine listens there
        except OSError:
            pass
        with pytest.raises(BlockingIOError):
            listener.accept()


async def test_the_same_port_is_free_in_each(spec: SandboxSpec, tmp_path: Path) -> None:
    program = "import socket\ns = socket.create_server(('0.0.0.0', 8000))\nprint('bound', flush=True)\ns.accept()"
    async with rigged(spec, tmp_path / "one") as one, rigged(spec, tmp_path / "two") as two:
        for rig in (one, two):
            output = await rig.start("app", "python3", "-I", "-S", "-c", program)
            assert await within(output.readline()) == b"bound\n"


async def test_there_is_no_way_out(spec: SandboxSpec, tmp_path: Path) -> None:
    program = """
import errno, socket
for address in {addresses}:
    try: socket.create_connection(address, timeout=5)
    except OSError as error: print(errno.errorcode[error.errno])
    else: print("connected to", address)
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        # 192.0.2.1 is reserved for documentation (RFC 5737).
        addresses = [("192.0.2.1", 80), ("127.0.0.1", server.getsockname()[1])]
        async with rigged(spec, tmp_path / "work") as rig:
            seen = await rig.python(program.format(addresses=addresses))
    assert seen.split() == [errno.errorcode[errno.ENETUNREACH], errno.errorcode[errno.ECONNREFUSED]]


async def test_with_the_network_of_the_host_there_is_no_listener(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        async with rigged(make_spec(tmp_path), tmp_path / "work") as rig:
            assert (rig.sandbox.listener, rig.sandbox.features.isolated_network) == (None, False)
            connect = f"import socket; socket.create_connection(('127.0.0.1', {port}), timeout=10); print('connected')"
            assert await rig.python(connect) == "connected"


async def test_kill_closes_the_listener(spec: SandboxSpec, tmp_path: Path) -> None:
    rig = Rig()
    sandbox = await within(Sandbox.start(spec, tmp_path / "work", rig.on_exit, rig.on_lost))
    await within(sandbox.kill())
    assert sandbox.listener is not None
    assert sandbox.listener.fileno() == -1
