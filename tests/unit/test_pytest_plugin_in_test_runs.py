"""The plugin in test runs of its own: fixtures by name, what they cost where nobody uses them, and what they say."""

import subprocess
import sys

import pytest

from support.pytest_runs import PLAIN

pytest_plugins = ["pytester"]

APP = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError("no lifespan")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello"})
"""
TESTS = """
import asyncio

from main import app


def test_sync(lambda_app):
    assert lambda_app(app).get("/").text == "hello"


def test_async(lambda_app):
    async def story():
        async with lambda_app.async_client(app) as client:
            return (await client.get("/")).text

    assert asyncio.run(story()) == "hello"


def test_named(lambda_app):
    assert lambda_app("main.app", invoke_mode="BUFFERED").get("/").text == "hello"
"""


def test_the_fixture_by_name(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(main=APP, test_site=TESTS)
    result = pytester.runpytest_subprocess(*PLAIN, "-W", "error", "-p", "no:asyncio")
    result.assert_outcomes(passed=3)


def test_no_socket_is_opened(pytester: pytest.Pytester) -> None:
    """Besides the pair by which an event loop wakes itself."""
    pytester.makepyfile(main=APP, test_site=TESTS)
    pytester.makeconftest(
        "import sys\n"
        "def refuse(event, args):\n"
        "    assert event not in ('socket.connect', 'socket.bind', 'socket.getaddrinfo'), (event, args)\n"
        "sys.addaudithook(refuse)\n"
    )
    pytester.runpytest_subprocess(*PLAIN).assert_outcomes(passed=3)


def test_a_failure_shows_what_the_app_did(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        main="async def app(scope, receive, send):\n    raise LookupError('no pump')\n",
        test_site="from main import app\ndef test_it(lambda_app):\n    assert lambda_app(app).get('/').text == 'hi'\n",
    )
    result = pytester.runpytest_subprocess(*PLAIN)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Captured stdout call*", "*LookupError: no pump*"])


def test_without_httpx_it_says_so(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import sys\nsys.modules['httpx'] = None\n")
    pytester.makepyfile("def test_it(lambda_app):\n    pass\n")
    result = pytester.runpytest_subprocess(*PLAIN)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the fixture lambda_app needs httpx: pip install httpx"])


def test_loading_the_plugin_imports_nothing() -> None:
    """What pytest has not loaded itself; a time would depend on the machine."""
    code = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import penstock.pytest_plugin\n"
        "print(sorted(set(sys.modules) - before))\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "['penstock', 'penstock.pytest_plugin']\n"
