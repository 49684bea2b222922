"""The same small site in each framework.

GET /           "home", with the cookies a=1 and b=2
GET /stream     ten lines, one by one
POST /upload    the length of the body
GET /cookies    the value of the cookie `c`
GET /state      what the lifespan left, "ready" (WSGI: nothing has one)
GET /fail       raises LookupError("no such thing")
GET /background "ok", and then appends to DONE
GET /event      the event's rawPath, from scope["aws.event"]
GET /log        logs through `logging` and answers with the request id it saw
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from penstock_adapter.request_context import request_id

DONE: list[str] = []
LINES = [f"line {number}\n" for number in range(10)]
logger = logging.getLogger("site")


def told_id() -> str:
    logger.warning("in a request")
    return request_id.get()


async def lines() -> AsyncIterator[str]:
    for line in LINES:
        yield line
        await asyncio.sleep(0)


def fastapi_site() -> Any:
    from fastapi import BackgroundTasks, FastAPI, Request, Response
    from fastapi.responses import PlainTextResponse, StreamingResponse

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, str]]:
        yield {"word": "ready"}

    app = FastAPI(lifespan=lifespan)

    @app.get("/", response_class=PlainTextResponse)
    async def home(response: Response) -> str:
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return "home"

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(lines(), media_type="text/plain")

    @app.post("/upload", response_class=PlainTextResponse)
    async def upload(request: Request) -> str:
        return str(len(await request.body()))

    @app.get("/cookies", response_class=PlainTextResponse)
    def cookies(request: Request) -> str:  # in a thread
        return request.cookies["c"]

    @app.get("/state", response_class=PlainTextResponse)
    async def state(request: Request) -> str:
        return str(request.state.word)

    @app.get("/fail")
    async def fail() -> None:
        raise LookupError("no such thing")

    @app.get("/background", response_class=PlainTextResponse)
    async def background(tasks: BackgroundTasks) -> str:
        tasks.add_task(DONE.append, "fastapi")
        return "ok"

    @app.get("/event", response_class=PlainTextResponse)
    async def event(request: Request) -> str:
        return str(request.scope["aws.event"]["rawPath"])

    @app.get("/log", response_class=PlainTextResponse)
    def log() -> str:  # in a thread
        return told_id()

    return app


def starlette_site() -> Any:
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response, StreamingResponse
    from starlette.routing import Route

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, str]]:
        yield {"word": "ready"}

    async def home(_: Request) -> Response:
        response = PlainTextResponse("home")
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    async def stream(_: Request) -> Response:
        return StreamingResponse(lines(), media_type="text/plain")

    async def upload(request: Request) -> Response:
        return PlainTextResponse(str(sum([len(part) async for part in request.stream()])))

    async def cookies(request: Request) -> Response:
        assert not await request.is_disconnected()
        assert not await request.is_disconnected()
        return PlainTextResponse(request.cookies["c"])

    async def state(request: Request) -> Response:
        return PlainTextResponse(request.state.word)

    async def fail(_: Request) -> Response:
        raise LookupError("no such thing")

    async def background(_: Request) -> Response:
        return PlainTextResponse("ok", background=BackgroundTask(DONE.append, "starlette"))

    async def event(request: Request) -> Response:
        return PlainTextResponse(request.scope["aws.event"]["rawPath"])

    async def log(_: Request) -> Response:
        return PlainTextResponse(told_id())

    views = (stream, cookies, state, fail, background, event, log)
    routes = [Route("/", home), Route("/upload", upload, methods=["POST"])]
    return Starlette(routes=[*routes, *(Route(f"/{view.__name__}", view) for view in views)], lifespan=lifespan)


def litestar_site() -> Any:
    from litestar import Litestar, MediaType, Request, Response, get, post
    from litestar.background_tasks import BackgroundTask
    from litestar.datastructures import Cookie
    from litestar.response import Stream

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        app.state.word = "ready"
        yield

    @get("/", media_type=MediaType.TEXT, sync_to_thread=False)
    def home() -> Response[str]:
        return Response("home", cookies=[Cookie("a", value="1"), Cookie("b", value="2")])

    @get("/stream")
    async def stream() -> Stream:
        return Stream(lines(), media_type=MediaType.TEXT)

    @post("/upload", media_type=MediaType.TEXT, status_code=200)
    async def upload(request: Request[Any, Any, Any]) -> str:
        return str(len(await request.body()))

    @get("/cookies", media_type=MediaType.TEXT, sync_to_thread=True)
    def cookies(request: Request[Any, Any, Any]) -> str:
        return request.cookies["c"]

    @get("/state", media_type=MediaType.TEXT)
    async def state(request: Request[Any, Any, Any]) -> str:
        return str(request.app.state.word)

    @get("/fail")
    async def fail() -> None:
        raise LookupError("no such thing")

    @get("/background", media_type=MediaType.TEXT)
    async def background() -> Response[str]:
        return Response("ok", background=BackgroundTask(DONE.append, "litestar"))

    @get("/event", media_type=MediaType.TEXT)
    async def event(request: Request[Any, Any, Any]) -> str:
        return str(request.scope["aws.event"]["rawPath"])  # type: ignore[typeddict-item]  # ours

    @get("/log", media_type=MediaType.TEXT, sync_to_thread=True)
    def log() -> str:
        return told_id()

    views = [home, stream, upload, cookies, state, fail, background, event, log]
    return Litestar(route_handlers=views, lifespan=[lifespan], logging_config=None)


def quart_site() -> Any:
    from quart import Quart, Response, request

    app = Quart("site")
    state: dict[str, str] = {}

    @app.before_serving
    async def start() -> None:
        state["word"] = "ready"

    @app.get("/")
    async def home() -> Response:
        response = Response("home", mimetype="text/plain")
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    @app.get("/stream")
    async def stream() -> Response:
        return Response(lines(), mimetype="text/plain")

    @app.post("/upload")
    async def upload() -> str:
        return str(len(await request.get_data()))

    @app.get("/cookies")
    async def cookies() -> str:
        return str(request.cookies["c"])

    @app.get("/state")
    async def shown() -> str:
        return state["word"]

    @app.get("/fail")
    async def fail() -> str:
        raise LookupError("no such thing")

    @app.get("/background")
    async def background() -> str:
        app.add_background_task(DONE.append, "quart")
        return "ok"

    @app.get("/event")
    async def event() -> str:
        return str(request.scope["aws.event"]["rawPath"])  # type: ignore[typeddict-item]  # ours

    @app.get("/log")
    async def log() -> str:
        return told_id()

    return app


def _set_up_django() -> None:
    import django  # type: ignore[import-untyped]
    from django.conf import settings  # type: ignore[import-untyped]

    if not settings.configured:
        settings.configure(
            DEBUG=False,
            SECRET_KEY="tests",
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=__name__,
            MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
            LOGGING_CONFIG=None,
        )
        django.setup()


def _django_views() -> list[Any]:
    from django.http import HttpRequest, HttpResponse, StreamingHttpResponse  # type: ignore[import-untyped]
    from django.urls import path  # type: ignore[import-untyped]
    from django.views.decorators.csrf import csrf_exempt  # type: ignore[import-untyped]

    async def home(_: HttpRequest) -> HttpResponse:
        response = HttpResponse("home")
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    async def stream(_: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(lines(), content_type="text/plain")

    @csrf_exempt  # type: ignore[untyped-decorator]
    def upload(request: HttpRequest) -> HttpResponse:  # in a thread
        return HttpResponse(str(len(request.body)))

    async def cookies(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.COOKIES["c"])

    async def fail(_: HttpRequest) -> HttpResponse:
        raise LookupError("no such thing")

    async def event(request: Any) -> HttpResponse:
        return HttpResponse(request.scope["aws.event"]["rawPath"])

    def log(_: HttpRequest) -> HttpResponse:  # in a thread
        return HttpResponse(told_id())

    named = (stream, upload, cookies, fail, event, log)
    return [path("", home), *(path(view.__name__, view) for view in named)]


def django_site() -> Any:
    _set_up_django()
    from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]

    return get_asgi_application()


def __getattr__(name: str) -> Any:
    """`urlpatterns`, which Django asks this module for once it is set up."""
    if name == "urlpatterns":
        globals()[name] = _django_views()
        return globals()[name]
    raise AttributeError(name)


def flask_site() -> Any:
    from flask import Flask, Response, request

    app = Flask("site")

    @app.get("/")
    def home() -> Response:
        response = Response("home", mimetype="text/plain")
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    @app.get("/stream")
    def stream() -> Response:
        def each() -> Iterator[str]:
            yield from LINES

        return Response(each(), mimetype="text/plain")

    @app.post("/upload")
    def upload() -> str:
        return str(len(request.get_data()))

    @app.get("/cookies")
    def cookies() -> str:
        return request.cookies["c"]

    @app.get("/fail")
    def fail() -> str:
        raise LookupError("no such thing")

    @app.get("/event")
    def event() -> str:
        return str(request.environ["asgi.scope"]["aws.event"]["rawPath"])

    @app.get("/log")
    def log() -> str:
        return told_id()

    return app


SITES: dict[str, Callable[[], Any]] = {
    "fastapi": fastapi_site,
    "starlette": starlette_site,
    "litestar": litestar_site,
    "quart": quart_site,
    "django": django_site,
    "flask": flask_site,
}
