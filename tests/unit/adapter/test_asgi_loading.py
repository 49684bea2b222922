"""From `Handler: main.app` to an ASGI 3 app, and AWS's error types where there is no way."""

import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from penstock_adapter.app_interface import as_asgi
from penstock_adapter.asgi_types import App, Receive, Send
from penstock_adapter.handler import HandlerError, load_handler
from support.asgi_calls import Desk
from support.events import url_event

TEXT = {"statusCode": 200, "headers": {"content-type": "text/plain"}, "cookies": []}
ANSWERED = [("begin", TEXT), ("chunk", b"ok"), ("end", None)]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Writes a module of its own for each test; returns its name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(source: str, folder: str = "") -> str:
        name = f"m{uuid4().hex}"
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{name}.py").write_text(source)
        return f"{folder}/{name}" if folder else name

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("folder", ["", "folder"])
def test_the_named_object(module: Any, folder: str) -> None:
    found = load_handler(f"{module('def app(): return 7', folder)}.app")
    assert callable(found)
    assert found() == 7


@pytest.mark.parametrize("name", ["", "app", "main.", ".app", "/.app", "."])
def test_a_malformed_name(name: str) -> None:
    with pytest.raises(HandlerError) as caught:
        load_handler(name)
    assert caught.value.error_type == "Runtime.MalformedHandlerName"
    assert str(caught.value) == f"Bad handler '{name}': expected module.app, as in main.app"


@pytest.mark.parametrize(
    ("source", "error_type", "message", "stack"),
    [
        (
            "import no_such_thing",
            "Runtime.ImportModuleError",
            "Unable to import module 'M': No module named",
            "import no_s",
        ),
        ("from sys import nothing", "Runtime.ImportModuleError", "cannot import name 'nothing'", "from sys"),
        (
            "def app(:\n",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'M': invalid syntax",
            "Line 1\n    def app(:",
        ),
        ("1 / 0", "ZeroDivisionError", "division by zero", "1 / 0"),
        ("raise SystemExit(4)", "Runtime.ExitError", "module 'M' ended the process while it was imported", "raise"),
        ("other = 1", "Runtime.HandlerNotFound", "Handler 'app' missing on module 'M'", ""),
        ("app = 5", "Runtime.HandlerNotFound", "Handler 'M.app' is no app: it is a int and not callable", ""),
    ],
)
def test_a_module_that_cannot_be_used(module: Any, source: str, error_type: str, message: str, stack: str) -> None:
    name = module(source)
    with pytest.raises(HandlerError) as caught:
        load_handler(f"{name}.app")
    assert caught.value.error_type == error_type
    assert message.replace("M", name, 1) in str(caught.value) or message in str(caught.value)
    told = "".join(caught.value.stack)
    assert stack in told
    assert "penstock_adapter" not in told
    assert "importlib" not in told


def test_no_such_module() -> None:
    with pytest.raises(HandlerError) as caught:
        load_handler("no_such_module.app")
    assert caught.value.error_type == "Runtime.ImportModuleError"
    assert str(caught.value) == "Unable to import module 'no_such_module': No module named 'no_such_module'"


def test_a_built_in_module() -> None:
    with pytest.raises(HandlerError) as caught:
        load_handler("sys.exit")
    assert caught.value.error_type == "Runtime.BuiltInModuleConflict"


async def asgi3(scope: Any, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"ok"})


class Asgi3:
    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        await asgi3(scope, receive, send)


class Awaiting:
    """A plain `__call__` that hands on an awaitable, as wrappers of apps have it."""

    def __call__(self, scope: Any, receive: Receive, send: Send) -> Any:
        return asgi3(scope, receive, send)


class Asgi2:
    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def __call__(self, receive: Receive, send: Send) -> None:
        await asgi3(self.scope, receive, send)


def asgi2(scope: Any) -> Any:
    return Asgi2(scope)


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"ok"]


class Wsgi:
    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        return wsgi(environ, start_response)


def anything(*args: Any, **options: Any) -> Any:
    return asgi3(*args, **options)


def factory() -> App:
    return asgi3


def wsgi_factory() -> Wsgi:
    return Wsgi()


@pytest.mark.parametrize(
    "app",
    [
        asgi3,
        Asgi3(),
        Asgi3().__call__,
        functools.partial(asgi3),
        Awaiting(),
        anything,
        Asgi2,
        asgi2,
        wsgi,
        Wsgi(),
        factory,
        wsgi_factory,
    ],
)
async def test_every_kind_of_app_answers(app: object) -> None:
    desk = Desk(as_asgi(app, 1))
    assert await desk.told(url_event()) == ANSWERED
    assert desk.lines == []


def test_a_wsgi_app_without_a2wsgi_is_told_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "a2wsgi", None)
    with pytest.raises(HandlerError, match="a WSGI app, which needs the package a2wsgi") as caught:
        as_asgi(wsgi, 1)
    assert caught.value.error_type == "Runtime.ImportModuleError"


def test_a_factory_that_makes_no_app() -> None:
    with pytest.raises(HandlerError, match="a int is not callable"):
        as_asgi(lambda: 5, 1)
