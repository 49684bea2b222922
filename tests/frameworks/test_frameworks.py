"""FastAPI, Starlette, Litestar, Quart, Django and Flask in process, behind a Function URL, streamed and buffered."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from penstock_adapter.request_context import name_in_log_records
from support.asgi_rig import AppRig
from support.framework_sites import DONE, LINES, SITES
from support.url_rig import get, until

WITH_LIFESPAN = ("fastapi", "starlette", "litestar", "quart")


@pytest.fixture(params=SITES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def running(name: str, *, streaming: bool = True, base_path: str = "") -> AsyncIterator[AppRig]:
    """The site until each of its calls has ended: Django closes the file that holds a request's body after the answer,
    and leaves it to the garbage collector when the call is cancelled before that.
    """
    async with AppRig(SITES[name](), streaming=streaming, AWS_LWA_REMOVE_BASE_PATH=base_path) as rig:
        yield rig
        await rig.all_free()


@pytest.fixture(params=[True, False], ids=["streamed", "buffered"])
async def rig(name: str, request: pytest.FixtureRequest) -> AsyncIterator[AppRig]:
    async with running(name, streaming=request.param) as rig:
        yield rig


@pytest.fixture
def named_records() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    name_in_log_records()
    yield
    logging.setLogRecordFactory(before)


async def test_a_page_with_cookies(rig: AppRig) -> None:
    answer = await rig.http.get("/")
    assert (answer.status_code, answer.text) == (200, "home")
    assert answer.cookies == {"a": "1", "b": "2"}
    assert rig.log == ""


async def test_head(name: str, rig: AppRig) -> None:
    answer = await rig.http.head("/")
    # FastAPI and Litestar want it asked for: 405.
    assert answer.status_code == (405 if name in ("fastapi", "litestar") else 200)
    assert answer.content == b""


async def test_a_stream(rig: AppRig) -> None:
    assert (await rig.http.get("/stream")).text == "".join(LINES)


async def test_uploads(rig: AppRig) -> None:
    for size in (0, 1, 1_000_000):
        assert (await rig.http.post("/upload", content=b"x" * size)).text == str(size)


async def test_a_cookie_of_the_client(rig: AppRig) -> None:
    rig.http.cookies.update({"c": "chocolate", "d": "other"})
    assert (await rig.http.get("/cookies")).text == "chocolate"


async def test_an_error_is_a_500_and_the_next_request_is_fine(rig: AppRig) -> None:
    assert (await rig.http.get("/fail")).status_code == 500
    assert (await rig.http.get("/")).text == "home"


async def test_what_is_not_there_is_a_404(rig: AppRig) -> None:
    assert (await rig.http.get("/nowhere")).status_code == 404


async def test_the_event_is_in_the_scope(rig: AppRig) -> None:
    assert (await rig.http.get("/event?x=1")).text == "/event"


@pytest.mark.usefixtures("named_records")
async def test_records_and_code_know_the_request_in_threads_as_well(
    rig: AppRig, caplog: pytest.LogCaptureFixture
) -> None:
    answers = await asyncio.gather(*(rig.http.get("/log") for _ in range(4)))
    ids = sorted(answer.headers["x-amzn-requestid"] for answer in answers)
    assert sorted(answer.text for answer in answers) == ids
    told = [vars(record)["aws_request_id"] for record in caplog.records if record.name == "site"]
    assert sorted(told) == ids


async def test_many_at_once(rig: AppRig) -> None:
    answers = await asyncio.gather(*(rig.http.post("/upload", content=b"x" * size) for size in range(4)))
    assert [answer.text for answer in answers] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("name", WITH_LIFESPAN)
async def test_the_lifespans_state(rig: AppRig) -> None:
    assert (await rig.http.get("/state")).text == "ready"


@pytest.mark.parametrize("name", WITH_LIFESPAN)
async def test_background_work_is_done(name: str, rig: AppRig) -> None:
    DONE.clear()
    assert (await rig.http.get("/background")).text == "ok"
    await until(lambda: name in DONE)
    await rig.all_free()


@pytest.mark.parametrize("name", ["fastapi", "starlette"])
async def test_an_error_of_the_app_is_in_the_log_with_its_request(rig: AppRig) -> None:
    answer = await rig.http.get("/fail")
    assert f"RequestId: {answer.headers['x-amzn-requestid']} Exception in ASGI application" in rig.log
    assert "LookupError: no such thing" in rig.log


async def test_pieces_of_a_stream_come_one_by_one(name: str) -> None:
    async with running(name) as rig:
        line = (await rig.url.client()).send(get("/stream"))
        await line.head()
        assert (await line.body()).decode() == "".join(LINES)


@pytest.mark.parametrize("name", ["fastapi", "starlette", "litestar", "quart", "django", "flask"])
async def test_a_base_path_is_the_root_path(name: str) -> None:
    async with running(name, base_path="/prod") as rig:
        assert (await rig.http.get("/prod/stream")).text == "".join(LINES)
        assert (await rig.http.get("/stream")).text == "".join(LINES)
