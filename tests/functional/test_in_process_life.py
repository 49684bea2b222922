"""In-process mode as a process of its own: init and its errors, signals, the end, and what the log says of it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from support.events import url_event
from support.runtime_server import RuntimeServer
from support.streams import within

APP = """
import asyncio, logging, os, sys, time
logger = logging.getLogger("shop")

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("lifespan is over")
        await send({"type": "lifespan.shutdown.complete"})
        return
    path = scope["path"]
    if path == "/log":
        logger.warning("hello %s", "there")
    elif path == "/fail":
        raise LookupError("no such thing")
    elif path == "/exit":
        sys.exit(7)
    elif path == "/exit-elsewhere":
        asyncio.ensure_future(leave())
        await asyncio.sleep(60)
    elif path == "/block":
        block()
    elif path == "/wait":
        print("waiting")
        await asyncio.sleep(60)
    elif path == "/thread":
        print("threading")
        await asyncio.to_thread(time.sleep, 60)
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"ok"})

async def leave():
    sys.exit(8)

def block():
    time.sleep(0.5)
"""


class Process:
    """The process; `line` reads what it prints."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> str:
        assert self.process.stdout is not None
        return (await within(self.process.stdout.readline())).decode().rstrip("\n")

    async def ended(self) -> tuple[int | None, str]:
        out, _ = await within(self.process.communicate())
        return self.process.returncode, out.decode()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


@asynccontextmanager
async def running(
    server: RuntimeServer, folder: Path, source: str | None = APP, variables: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    if source is not None:
        (folder / "main.py").write_text(source)
    environ = {
        "AWS_LAMBDA_RUNTIME_API": server.address,
        "AWS_LWA_INVOKE_MODE": "response_stream",
        "AWS_LAMBDA_MAX_CONCURRENCY": "4",
        "LAMBDA_TASK_ROOT": str(folder),
        "_HANDLER": "main.app",
        "PATH": os.environ["PATH"],
        **(variables or {}),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "penstock_adapter.in_process",
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_serves_and_drains_and_ends_its_lifespan_at_sigterm(tmp_path: Path) -> None:
    async with RuntimeServer() as server, running(server, tmp_path) as process:
        for number in range(10):
            post = await server.invoke(url_event(), f"request-{number}")
            assert (await post.complete()).endswith(b"ok")
        process.terminate()
        assert await process.ended() == (0, "lifespan is over\n")


async def test_registers_as_an_internal_extension_before_the_first_poll(tmp_path: Path) -> None:
    async with RuntimeServer() as server, running(server, tmp_path):
        await server.poll()
        assert server.registered.is_set()
        await within(server.event_next_asked.wait())
        ((headers, body),) = server.registrations
        assert headers["lambda-extension-name"] == "penstock-in-process"
        assert orjson.loads(body) == {"events": []}


async def test_a_refused_registration_is_a_warning(tmp_path: Path) -> None:
    async with RuntimeServer() as server:
        server.register_reply = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
        async with running(server, tmp_path) as process:
            assert (await (await server.invoke(url_event())).complete()).endswith(b"ok")
            line = await process.line()
            assert line.startswith("WARN the Extensions API refused to register us: HTTP/1.1 403 Forbidden; ")
            assert line.endswith("at its end the app gets no SIGTERM")


@pytest.mark.parametrize(
    ("source", "variables", "error_type", "message", "frame"),
    [
        (
            "import no_such",
            {},
            "Runtime.ImportModuleError",
            "Unable to import module 'main': No module named",
            "no_such",
        ),
        ("def app(:", {}, "Runtime.UserCodeSyntaxError", "Syntax error in module 'main'", "Line 1"),
        ("x = 1", {}, "Runtime.HandlerNotFound", "Handler 'app' missing on module 'main'", ""),
        (None, {"_HANDLER": "main"}, "Runtime.MalformedHandlerName", "Bad handler 'main': expected module.app", ""),
        (None, {"_HANDLER": ""}, "Runtime.MalformedHandlerName", "Bad handler ''", ""),
        ("1 / 0", {}, "ZeroDivisionError", "division by zero", "1 / 0"),
        ("def app(): raise LookupError('f')", {}, "LookupError", "f", "in app"),
        (
            "async def app(scope, receive, send):\n"
            "    await send({'type': 'lifespan.startup.failed', 'message': 'Traceback:\\n  x\\nOSError: no database'})",
            {},
            "Function.StartupFailed",
            "OSError: no database",
            "Traceback:",
        ),
        (APP, {"AWS_LWA_PORT": "x"}, "Runtime.ConfigInvalid", "AWS_LWA_PORT='x' is not a port", ""),
    ],
    ids=["import", "syntax", "missing", "malformed", "empty", "raises", "factory", "lifespan", "option"],
)
async def test_an_init_that_fails_is_reported_and_exit_1(
    tmp_path: Path, source: str | None, variables: dict[str, str], error_type: str, message: str, frame: str
) -> None:
    async with RuntimeServer() as server, running(server, tmp_path, source, variables) as process:
        headers, body = await within(server.runtime_errors.get())
        told = orjson.loads(body)
        assert headers["lambda-runtime-function-error-type"] == error_type
        assert told["errorType"] == error_type
        assert told["errorMessage"].startswith(message)
        assert frame in "".join(told["stackTrace"])
        code, out = await process.ended()
        assert code == 1
        assert out.startswith(f"ERROR {error_type}: {message}")
        assert frame in out
        assert "asgi_process" not in out


async def test_no_runtime_api_is_one_line(tmp_path: Path) -> None:
    async with RuntimeServer() as server, running(server, tmp_path, APP, {"AWS_LAMBDA_RUNTIME_API": ""}) as process:
        code, out = await process.ended()
        assert (code, out) == (1, "ERROR AWS_LAMBDA_RUNTIME_API='' is not an address: expected host:port\n")


async def test_a_failed_request_is_logged_with_its_traceback_and_id(tmp_path: Path) -> None:
    async with RuntimeServer() as server, running(server, tmp_path, APP, {"AWS_LAMBDA_LOG_FORMAT": "JSON"}) as process:
        post = await server.invoke(url_event(path="/fail"), "request-7")
        assert (await post.complete()).endswith(b"Internal Server Error")
        line = orjson.loads(await process.line())
        assert (line["level"], line["requestId"]) == ("ERROR", "request-7")
        assert line["message"].startswith("Exception in ASGI application\nTraceback")
        assert line["message"].rstrip().endswith("LookupError: no such thing")


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
async def test_the_apps_own_records_name_the_request(tmp_path: Path, log_format: str) -> None:
    variables = {"AWS_LAMBDA_LOG_FORMAT": log_format}
    async with RuntimeServer() as server, running(server, tmp_path, APP, variables) as process:
        await (await server.invoke(url_event(path="/log"), "request-7")).complete()
        line = await process.line()
        if log_format == "JSON":
            told = orjson.loads(line)
            told.pop("timestamp")
            expected = {"level": "WARNING", "message": "hello there", "logger": "shop", "requestId": "request-7"}
            assert told == expected
        else:
            assert line.startswith("[WARNING]\t")
            assert line.endswith("\trequest-7\thello there")


@pytest.mark.parametrize(("path", "code"), [("/exit", 7), ("/exit-elsewhere", 8)])
async def test_an_app_that_exits_ends_the_environment_in_one_line(tmp_path: Path, path: str, code: int) -> None:
    async with RuntimeServer() as server, running(server, tmp_path) as process:
        (await server.poll()).answer(url_event(path=path), "request-1")
        ended, out = await process.ended()
        assert ended == code
        [line] = [line for line in out.splitlines() if "the app ended the process" in line]
        assert line.endswith(f"SystemExit({code})")


async def test_a_blocked_loop_is_logged_once_with_its_stack(tmp_path: Path) -> None:
    async with RuntimeServer() as server, running(server, tmp_path, APP, {"PENSTOCK_STALL_SECONDS": "0.1"}) as process:
        await (await server.invoke(url_event(path="/block"))).complete()
        await (await server.invoke(url_event(), "request-2")).complete()
        process.terminate()
        _, out = await process.ended()
        assert out.count("the event loop has stood still") == 1
        assert "time.sleep(0.5)" in out


async def test_a_bad_stall_threshold_is_a_warning(tmp_path: Path) -> None:
    async with RuntimeServer() as server, running(server, tmp_path, APP, {"PENSTOCK_STALL_SECONDS": "-1"}) as process:
        expected = "WARN PENSTOCK_STALL_SECONDS='-1' counts as 1.0: expected seconds, or 0 for no watch"
        assert await process.line() == expected


@pytest.mark.parametrize("path", ["/wait", "/thread"])
async def test_invocations_that_do_not_end_hold_the_end_up_only_so_long(tmp_path: Path, path: str) -> None:
    async with RuntimeServer() as server, running(server, tmp_path) as process:
        (await server.poll()).answer(url_event(path=path), "request-1")
        assert await process.line() in ("waiting", "threading")
        process.terminate()
        code, out = await process.ended()
        assert code == 0
        assert "lifespan is over" in out


async def test_a_startup_that_hangs_can_be_stopped(tmp_path: Path) -> None:
    source = "import asyncio\nasync def app(scope, receive, send):\n    print('stuck')\n    await asyncio.sleep(60)\n"
    async with RuntimeServer() as server, running(server, tmp_path, source) as process:
        assert await process.line() == "stuck"
        process.terminate()
        assert (await process.ended())[0] == 0


async def test_a_shutdown_that_fails_is_told(tmp_path: Path) -> None:
    source = (
        "async def app(scope, receive, send):\n"
        "    await receive()\n    await send({'type': 'lifespan.startup.complete'})\n"
        "    await receive()\n    await send({'type': 'lifespan.shutdown.failed', 'message': 'disk full'})\n"
    )
    async with RuntimeServer() as server, running(server, tmp_path, source) as process:
        await server.poll()
        process.terminate()
        assert await process.ended() == (0, "ERROR the app's lifespan shutdown failed: disk full\n")


async def test_one_slot_on_ordinary_lambda(tmp_path: Path) -> None:
    """No AWS_LAMBDA_MAX_CONCURRENCY, and a platform that knows nothing of polling ahead."""
    async with (
        RuntimeServer() as server,
        running(server, tmp_path, APP, {"AWS_LAMBDA_MAX_CONCURRENCY": "1"}) as process,
    ):
        for number in range(5):
            post = await server.invoke(url_event(), f"request-{number}")
            assert (await post.complete()).endswith(b"ok")
            assert server.polls_open <= 1
        process.terminate()
        assert (await process.ended())[0] == 0
