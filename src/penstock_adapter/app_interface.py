"""Any Python web app as ASGI 3. Which kind it is, is seen from what it takes, as with uvicorn's `--interface auto`.

uvicorn tells ASGI 2 and 3 apart: https://www.uvicorn.org/settings/#application-interface. WSGI is told by its two
arguments (PEP 3333), and a function that takes none makes the app (`uvicorn --factory`).
"""

import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, cast

from penstock_adapter.asgi_types import App, Message, Receive, Send
from penstock_adapter.handler import HandlerError

_KINDS: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_ASGI2_ARGUMENTS: Final = 1
_WSGI_ARGUMENTS: Final = 2


def as_asgi(app: object, threads: int) -> App:
    """`app` as ASGI 3. A WSGI app runs in at most `threads` threads, so that each slot can have one.

    Raises HandlerError for what is no app, or a WSGI app where `a2wsgi` is not installed; a factory raises its own.
    """
    count = _arguments(app)
    if count == 0:
        app = cast("Callable[[], object]", app)()
        count = _arguments(app)
    if count == _ASGI2_ARGUMENTS:
        return _from_asgi2(cast("Callable[[Any], Callable[[Receive, Send], Awaitable[None]]]", app))
    if count == _WSGI_ARGUMENTS:
        return _from_wsgi(app, threads)
    return cast("App", app)


def _arguments(app: object) -> int:
    """How many positional arguments `app` must have: 3 where that cannot be seen or does not fit, as ASGI 3 takes."""
    if not callable(app):
        raise HandlerError("Runtime.HandlerNotFound", f"the handler is no app: a {type(app).__name__} is not callable")
    try:
        parameters = inspect.signature(app).parameters.values()
    except (ValueError, TypeError):
        return 3
    if any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters):
        return 3
    return sum(one.kind in _KINDS and one.default is inspect.Parameter.empty for one in parameters)


def _from_asgi2(app: Callable[[Any], Callable[[Receive, Send], Awaitable[None]]]) -> App:
    async def call(scope: Any, receive: Receive, send: Send) -> None:
        await app(scope)(receive, send)

    return call


def _from_wsgi(app: object, threads: int) -> App:
    try:
        from a2wsgi import WSGIMiddleware  # only a WSGI app needs it
    except ImportError as error:
        message = f"the handler is a WSGI app, which needs the package a2wsgi: {error}"
        raise HandlerError("Runtime.ImportModuleError", message) from error
    wrapped = cast("App", WSGIMiddleware(cast("Any", app), workers=threads))

    async def call(scope: Any, receive: Receive, send: Send) -> None:
        async def send_while_wanted(message: Message) -> None:
            # a2wsgi's thread would wait for ever on a sender that has failed: it runs to its end unheard.
            with suppress(OSError):
                await send(message)

        await wrapped(scope, receive, send_while_wanted)

    return call
