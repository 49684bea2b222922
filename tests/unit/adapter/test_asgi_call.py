"""`receive` and `send` in process: their order, what is refused, and what becomes of an app that fails."""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any

import pytest

from penstock_adapter.app_errors import ClientGoneError, exit_code
from penstock_adapter.asgi_types import Message, Receive, Send
from penstock_adapter.request_context import request_id
from support.asgi_calls import Desk, invocation
from support.events import url_event

START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
BEGUN = {"statusCode": 200, "headers": {"content-type": "text/plain"}, "cookies": []}
INTERNAL = {"statusCode": 500, "headers": {"content-type": "text/plain; charset=utf-8"}, "cookies": []}
ANSWERED_500 = [("begin", INTERNAL), ("chunk", b"Internal Server Error"), ("end", None)]


def body(data: object = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def sends(*messages: Message) -> Callable[[Any, Receive, Send], Any]:
    async def app(scope: Any, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


class TestReceive:
    async def test_the_whole_body_then_disconnect_once_the_response_is_complete(self) -> None:
        heard: list[Message] = []

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            heard.append(await receive())
            later = asyncio.ensure_future(receive())
            await send(START)
            await send(body(b"ok", more=True))
            assert not later.done()
            await send(body())
            heard.append(await later)
            heard.append(await receive())

        await Desk(app).told(url_event(method="POST", body=b"\0\xff"))
        gone = {"type": "http.disconnect"}
        assert heard == [{"type": "http.request", "body": b"\0\xff", "more_body": False}, gone, gone]

    async def test_a_cancelled_receive_does_not_spoil_the_next(self) -> None:
        """As Starlette's `is_disconnected` does it, time and again."""
        states: list[bool] = []

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await receive()
            for _ in range(3):
                asking = asyncio.ensure_future(receive())
                await asyncio.sleep(0)
                states.append(asking.done())
                asking.cancel()
                await asyncio.wait({asking})
            await send(START)
            await send(body())

        told = await Desk(app).told(url_event())
        assert states == [False] * 3
        assert told == [("begin", BEGUN), ("end", None)]

    async def test_abandoned_disconnects_who_waits_and_refuses_what_is_sent(self) -> None:
        waiting = asyncio.Event()
        refused: list[BaseException] = []

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(START)
            await receive()
            waiting.set()
            assert await receive() == {"type": "http.disconnect"}
            try:
                await send(body(b"late"))
            except OSError as error:
                refused.append(error)
                raise

        desk = Desk(app)
        slot, exchange = desk.slot()
        exchange.invoke(invocation(url_event()))
        await waiting.wait()
        exchange.abandon()
        await slot.released.wait()
        assert isinstance(refused[0], ClientGoneError)
        assert ("chunk", b"late") not in slot.told
        assert desk.lines == []  # nobody's fault

    async def test_an_error_of_the_apps_own_after_a_disconnect_is_logged(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await receive()
            await receive()
            raise LookupError("clean-up failed")

        desk = Desk(app)
        slot, exchange = desk.slot()
        exchange.invoke(invocation(url_event()))
        await asyncio.sleep(0)
        exchange.abandon()
        await slot.released.wait()
        assert "LookupError: clean-up failed" in "".join(desk.lines)
        assert [name for name, _ in slot.told] == ["hold", "release"]

    async def test_a_wrapped_disconnect_is_not_logged(self) -> None:
        class ClientDisconnect(Exception):
            pass

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await receive()
            await receive()
            try:
                await send(START)
            except OSError:
                raise ExceptionGroup("group", [ClientDisconnect()])  # noqa: B904 - as anyio's groups come

        desk = Desk(app)
        slot, exchange = desk.slot()
        exchange.invoke(invocation(url_event()))
        await asyncio.sleep(0)
        exchange.abandon()
        await slot.released.wait()
        assert desk.lines == []


class TestOrder:
    @pytest.mark.parametrize(
        ("messages", "words"),
        [
            pytest.param([body(b"x")], "Expected ASGI message 'http.response.start', but got", id="body-first"),
            pytest.param([START, START], "Expected ASGI message 'http.response.body', but got", id="started-twice"),
            pytest.param([START, body(), body()], "sent, after response already completed", id="after-the-end"),
            pytest.param([START, {"type": "http.response.trailers"}], "Expected ASGI message", id="trailers"),
            pytest.param([{"type": "http.response.pathsend", "path": "/"}], "Expected ASGI", id="pathsend"),
            pytest.param([{"type": "http.response.early_hint", "links": []}], "Expected ASGI", id="early-hint"),
        ],
    )
    async def test_a_message_out_of_order_is_a_runtime_error(self, messages: list[Message], words: str) -> None:
        desk = Desk(sends(*messages))
        told = await desk.told(url_event())
        assert "RuntimeError" in desk.lines[0]
        assert words in desk.lines[0]
        if messages[0] is not START:
            assert told == ANSWERED_500
        elif len(messages) == 3:
            assert told == [("begin", BEGUN), ("end", None)]
        else:
            assert [name for name, _ in told] == ["begin", "fail"]

    async def test_no_extension_is_offered(self) -> None:
        seen: dict[str, object] = {}

        async def app(scope: dict[str, object], receive: Receive, send: Send) -> None:
            seen.update(scope)

        await Desk(app).told(url_event())
        assert "extensions" not in seen


class TestMessages:
    @pytest.mark.parametrize(
        "data", [b"data", bytearray(b"data"), memoryview(b"data")], ids=["bytes", "bytearray", "memoryview"]
    )
    async def test_any_bytes_are_a_body(self, data: object) -> None:
        assert await Desk(sends(START, body(data))).told(url_event()) == [
            ("begin", BEGUN),
            ("chunk", b"data"),
            ("end", None),
        ]

    async def test_empty_pieces_are_no_chunks(self) -> None:
        told = await Desk(
            sends(
                START, body(more=True), body(b"a", more=True), {"type": "http.response.body", "more_body": True}, body()
            )
        ).told(url_event())
        assert told == [("begin", BEGUN), ("chunk", b"a"), ("end", None)]

    @pytest.mark.parametrize(
        ("start", "words"),
        [
            ({"status": "200"}, "ASGI status must be an int, not str"),
            ({}, "ASGI status must be an int, not NoneType"),
            ({"status": 101}, "ASGI status must be from 200 to 599, not 101"),
            ({"status": 1000}, "ASGI status must be from 200 to 599, not 1000"),
            ({"status": 200, "headers": [("a", b"b")]}, "ASGI header name must be bytes, not str"),
            ({"status": 200, "headers": [(b"set-cookie", "s3cret")]}, "ASGI header value must be bytes, not str"),
            ({"status": 200, "headers": [(b"a", 5)]}, "ASGI header value must be bytes, not int"),
            ({"status": 200, "headers": [b"a"]}, "not enough values to unpack"),
            ({"status": 200, "headers": 5}, "ASGI headers must be pairs of name and value"),
            ({"status": 200, "headers": [(b"a b", b"c")]}, "Invalid HTTP header name: b'a b'"),
            ({"status": 200, "headers": [(b"a", b"s3cret\r\nb: c")]}, "Invalid HTTP header value of a"),
            ({"status": 200, "headers": [(b"content-length", b"ten")]}, "content-length is not a number"),
        ],
    )
    async def test_a_start_that_cannot_be_is_one_clear_line(self, start: Message, words: str) -> None:
        desk = Desk(sends({"type": "http.response.start", **start}))
        assert await desk.told(url_event()) == ANSWERED_500
        assert words in desk.lines[0].rstrip().splitlines()[-1]
        assert "s3cret" not in desk.lines[0].replace('b"', "").splitlines()[-1]

    @pytest.mark.parametrize("data", ["text", None, 5])
    async def test_a_body_that_is_not_bytes_is_refused(self, data: object) -> None:
        desk = Desk(sends(START, body(data)))
        told = await desk.told(url_event())
        assert told[1] == (
            "fail",
            ("Function.AppError", f"TypeError: ASGI body must be bytes, not {type(data).__name__}"),
        )

    async def test_names_become_lower_case_and_a_status_may_be_an_enum(self) -> None:
        start = {"type": "http.response.start", "status": HTTPStatus.CREATED, "headers": [[b"X-A", bytearray(b"1")]]}
        [begun, _] = await Desk(sends(start, body())).told(url_event())
        assert begun[1] == {
            "statusCode": 201,
            "headers": {"x-a": "1", "content-type": "application/octet-stream"},
            "cookies": [],
        }

    @pytest.mark.parametrize(
        ("length", "data", "words"),
        [
            (b"3", b"four", "Response content longer than Content-Length"),
            (b"5", b"four", "Response content shorter than Content-Length"),
        ],
    )
    async def test_a_wrong_length_fails(self, length: bytes, data: bytes, words: str) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
        told = await Desk(sends(start, body(data))).told(url_event())
        assert told[-1] == ("fail", ("Function.AppError", f"RuntimeError: {words}"))

    @pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
    async def test_a_response_without_a_body_has_none(self, method: str, status: int) -> None:
        start = {"type": "http.response.start", "status": status, "headers": [(b"content-length", b"4")]}
        told = await Desk(sends(start, body(b"four"))).told(url_event(method=method))
        assert [name for name, _ in told] == ["begin", "end"]


class TestFailures:
    async def test_an_error_before_the_start_is_a_500_with_its_traceback_and_request_in_the_log(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            raise LookupError("no such thing")

        desk = Desk(app)
        assert await desk.told(url_event()) == ANSWERED_500
        [line] = desk.lines
        assert line.startswith("ERROR RequestId: request-1 Exception in ASGI application\nTraceback")
        assert line.endswith("LookupError: no such thing\n\n")

    async def test_an_error_after_the_start_cuts_the_stream_and_says_why(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(START)
            await send(body(b"some", more=True))
            raise LookupError("no such thing")

        told = await Desk(app).told(url_event())
        failed = ("fail", ("Function.AppError", "LookupError: no such thing"))
        assert told == [("begin", BEGUN), ("chunk", b"some"), failed]

    @pytest.mark.parametrize(
        ("messages", "last"),
        [
            ([], ("end", None)),
            ([START], ("fail", ("Function.AppError", "ASGI callable returned without completing response."))),
        ],
    )
    async def test_an_app_that_returns_early(self, messages: list[Message], last: object) -> None:
        assert (await Desk(sends(*messages)).told(url_event()))[-1] == last

    async def test_a_result_is_told(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> str:
            await send(START)
            await send(body())
            return "result"

        desk = Desk(app)
        assert await desk.told(url_event()) == [("begin", BEGUN), ("end", None)]
        assert "ASGI callable should return None, but returned str." in desk.lines[0]

    async def test_a_call_that_cancels_itself_has_failed(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)

        desk = Desk(app)
        assert await desk.told(url_event()) == ANSWERED_500
        assert "CancelledError" in desk.lines[0]

    async def test_an_error_after_the_end_is_logged_and_changes_nothing(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(START)
            await send(body())
            raise LookupError("in the background")

        desk = Desk(app)
        assert await desk.told(url_event()) == [("begin", BEGUN), ("end", None)]
        assert "LookupError: in the background" in desk.lines[0]

    @pytest.mark.parametrize(
        ("error", "code", "words"),
        [
            (SystemExit(3), 3, "the app ended the process: SystemExit(3)"),
            (SystemExit(), 0, "the app ended the process: SystemExit(None)"),
            (SystemExit("why"), 1, "the app ended the process: SystemExit(why)"),
            (KeyboardInterrupt(), 1, "the app ended the process: KeyboardInterrupt(1)"),
        ],
    )
    async def test_an_app_that_exits_ends_the_environment(self, error: BaseException, code: int, words: str) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            raise error

        desk = Desk(app)
        assert await desk.told(url_event()) == []
        assert desk.exits == [code]
        assert desk.lines == [f"ERROR RequestId: request-1 {words}\n"]
        assert exit_code(error) == code

    async def test_a_bad_event_is_an_error_and_no_call(self) -> None:
        async def app(scope: Any, receive: Receive, send: Send) -> None:
            raise AssertionError

        [(what, told)] = await Desk(app).told(b"no json")
        assert what == "error"
        assert isinstance(told, tuple)
        assert told[0] == "Runtime.UnmarshalError"


class TestApart:
    async def test_what_is_left_running_sends_nothing_into_the_next_invocation(self) -> None:
        left: list[asyncio.Task[None]] = []
        go = asyncio.Event()

        async def late(receive: Receive, send: Send) -> None:
            assert (await receive())["type"] == "http.request"
            await go.wait()
            assert await receive() == {"type": "http.disconnect"}
            await send(body(b"late"))

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(START)
            left.append(asyncio.ensure_future(late(receive, send)))
            await asyncio.sleep(0)

        desk = Desk(app)
        slot, exchange = desk.slot()
        exchange.invoke(invocation(url_event()))
        await slot.released.wait()
        exchange.invoke(invocation(url_event(), "request-2"))
        before = len(slot.told)
        go.set()
        with pytest.raises(RuntimeError, match="after response already completed"):
            await left[0]
        assert ("chunk", b"late") not in slot.told[before:]
        left[1].cancel()

    async def test_the_slot_is_released_when_background_work_is_done(self) -> None:
        done = asyncio.Event()

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(START)
            await send(body(b"ok"))
            await done.wait()

        slot, exchange = Desk(app).slot()
        exchange.invoke(invocation(url_event()))
        for _ in range(5):
            await asyncio.sleep(0)
        assert slot.told[-2:] == [("end", None), ("flush", None)]
        done.set()
        await slot.released.wait()

    async def test_a_quick_answer_is_ended_before_it_is_flushed(self) -> None:
        slot, exchange = Desk(sends(START, body(b"ok"))).slot()
        exchange.invoke(invocation(url_event()))
        await slot.released.wait()
        assert [name for name, _ in slot.told][:5] == ["hold", "begin", "chunk", "end", "release"]

    async def test_context_variables_do_not_leak(self) -> None:
        mine: ContextVar[str] = ContextVar("mine", default="")
        seen: list[tuple[str, str]] = []

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            seen.append((mine.get(), request_id.get()))
            mine.set("of one request")
            await sends(START, body())(scope, receive, send)

        slot, exchange = Desk(app).slot()
        for number in range(2):
            slot.released.clear()
            exchange.invoke(invocation(url_event(), f"request-{number}"))
            await slot.released.wait()
            mine.set("of whoever reconnects in another request's name")
        assert seen == [("", "request-0"), ("", "request-1")]

    async def test_many_calls_in_one_loop_know_their_own_request(self) -> None:
        seen: list[str] = []
        together = asyncio.Barrier(64)

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            before = request_id.get()
            await together.wait()
            seen.append(f"{before} {request_id.get()} {scope['aws.context'].aws_request_id}")

        desk = Desk(app)
        slots = [desk.slot() for _ in range(64)]
        for number, (_, exchange) in enumerate(slots):
            exchange.invoke(invocation(url_event(), f"r{number}"))
        for slot, _ in slots:
            await slot.released.wait()
        assert sorted(seen) == sorted(f"r{number} r{number} r{number}" for number in range(64))


class TestBackpressure:
    async def test_send_waits_while_the_connection_is_full(self) -> None:
        sent = 0

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            nonlocal sent
            await send(START)
            for _ in range(100):
                await send(body(b"x" * 1024, more=True))
                sent += 1
            await send(body())

        slot, exchange = Desk(app).slot()
        slot.pause_at_flush = exchange
        exchange.invoke(invocation(url_event()))
        for _ in range(10):
            await asyncio.sleep(0)
        assert sent < 70  # 64 KiB fill it
        slot.pause_at_flush = None
        exchange.resume()
        await slot.released.wait()
        assert sent == 100

    async def test_an_app_that_waits_for_nothing_else_lets_others_run(self) -> None:
        turns = 0
        stop = False

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(START)
            while not stop:
                await send(body(b"x", more=True))
            await send(body())

        slot, exchange = Desk(app).slot()
        exchange.invoke(invocation(url_event()))
        for _ in range(20):
            await asyncio.sleep(0)
            turns += 1
        stop = True
        await slot.released.wait()
        assert turns == 20
        waiting = most = 0
        for name, _ in slot.told:
            waiting = 0 if name == "flush" else waiting + (name == "chunk")
            most = max(most, waiting)
        assert 500 < most < 1100  # of one byte each, and what holds them

    async def test_abandoned_while_it_waits(self) -> None:
        errors: list[BaseException] = []

        async def app(scope: Any, receive: Receive, send: Send) -> None:
            await send(START)
            try:
                while True:
                    await send(body(b"x" * 70000, more=True))
            except OSError as error:
                errors.append(error)

        slot, exchange = Desk(app).slot()
        slot.pause_at_flush = exchange
        exchange.invoke(invocation(url_event()))
        await asyncio.sleep(0)
        exchange.abandon()
        await slot.released.wait()
        assert isinstance(errors[0], ClientGoneError)

    async def test_the_end_does_not_wait(self) -> None:
        """There is nothing more to hold back, and a connection that is lost now resumes nobody."""
        slot, exchange = Desk(sends(START, body(b"x" * 100_000))).slot()
        slot.pause_at_flush = exchange
        exchange.invoke(invocation(url_event()))
        async with asyncio.timeout(20):
            await slot.released.wait()

    async def test_a_slot_without_a_connection_holds_the_app_up(self) -> None:
        slot, exchange = Desk(sends(START, body(b"ok"))).slot()
        slot.paused = True
        exchange.invoke(invocation(url_event()))
        for _ in range(5):
            await asyncio.sleep(0)
        assert ("chunk", b"ok") not in slot.told
        exchange.resume()
        await slot.released.wait()


async def test_close_cancels_what_runs() -> None:
    ended: list[str] = []

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    desk = Desk(app)
    slot, exchange = desk.slot()
    exchange.invoke(invocation(url_event()))
    await asyncio.sleep(0)
    desk.mode.close()
    await slot.released.wait()
    assert ended == ["cancelled"]
    assert desk.lines == []
