"""Subscribers over HTTP and TCP see a whole life: number 6 of the checklist of AWS's own suites, and its kin."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from penstock.wire.http_messages import response
from support.runtime_rig import request
from support.scripted_environment import EXTENSION, RUNTIME, ScriptedEnvironment, scripted_environment
from support.streams import StreamServer, parse_head, within
from support.url_rig import until

TELEMETRY = "/2022-07-01/telemetry"
Event = tuple[str, Any]


class Subscriber(StreamServer):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def take(self, data: bytes) -> None:
        value = orjson.loads(data)
        self.events += [(one["type"], one["record"]) for one in (value if isinstance(value, list) else [value])]


class HttpSubscriber(Subscriber):
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, fields = parse_head(await reader.readuntil(b"\r\n\r\n"))
        self.take(await reader.readexactly(int(dict(fields)["content-length"])))
        writer.write(response(200, b"text/plain", b"thanks"))
        await writer.drain()


class TcpSubscriber(Subscriber):
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            self.take(line)


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptedEnvironment]:
    async with scripted_environment(tmp_path, monkeypatch, "one", "two") as rig:
        await rig.begin().spawned("two")
        yield rig


async def subscribe(rig: ScriptedEnvironment, identifier: str, destination: dict[str, object]) -> int:
    value = {
        "schemaVersion": "2025-01-29",
        "types": ["platform", "function", "extension"],
        "destination": destination,
        "buffering": {"timeoutMs": 25},
    }
    headers = {"lambda-extension-identifier": identifier}
    return (await rig.call("PUT", TELEMETRY, headers, orjson.dumps(value))).status


def http(subscriber: Subscriber) -> dict[str, object]:
    return {"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{subscriber.port}/"}


async def test_rt_6_subscribers_see_a_whole_life(rig: ScriptedEnvironment) -> None:
    async with HttpSubscriber() as first, TcpSubscriber() as second:
        one, two = await rig.register("one"), await rig.register("two")
        assert await subscribe(rig, one, http(first)) == 200
        assert await subscribe(rig, two, {"protocol": "TCP", "port": second.port}) == 200
        await rig.event_next(one)
        await rig.event_next(two)
        await rig.ready()
        sink = rig.invoke()
        assert await rig.first.next() == "r1"
        for name in (RUNTIME, "one", "two"):
            rig.say(name, f"{name} says a")
            rig.say(name, f"{name} says b")
        assert await rig.first.respond("r1", b"fine") == 202
        assert sink is not None
        assert sink.finished

        for subscriber in (first, second):
            await all_told(subscriber)
            check(subscriber)


def lines(subscriber: Subscriber) -> list[Event]:
    return [event for event in subscriber.events if event[0] in ("function", "extension")]


def records(subscriber: Subscriber, kind: str) -> list[Any]:
    return [record for found, record in subscriber.events if found == kind]


async def all_told(subscriber: Subscriber) -> None:
    await until(lambda: len(lines(subscriber)) == 6 and bool(report(subscriber)))


def report(subscriber: Subscriber) -> list[Any]:
    return records(subscriber, "platform.report")


def check(subscriber: Subscriber) -> None:
    assert sorted(lines(subscriber)) == [
        ("extension", "one says a"),
        ("extension", "one says b"),
        ("extension", "two says a"),
        ("extension", "two says b"),
        ("function", "runtime says a"),
        ("function", "runtime says b"),
    ]
    [start] = records(subscriber, "platform.initStart")
    assert start["initializationType"] == "lambda-managed-instances"
    assert [one["status"] for one in records(subscriber, "platform.initRuntimeDone")] == ["success"]
    assert [one["status"] for one in records(subscriber, "platform.initReport")] == ["success"]
    extensions = records(subscriber, "platform.extension")
    assert sorted((one["name"], one["state"]) for one in extensions) == [("one", "Ready"), ("two", "Ready")]
    assert sorted(one["name"] for one in records(subscriber, "platform.telemetrySubscription")) == ["one", "two"]
    assert [one["requestId"] for one in records(subscriber, "platform.start")] == ["r1"]
    [end] = report(subscriber)
    assert (end["requestId"], end["status"]) == ("r1", "success")
    assert [span["name"] for span in end["spans"]] == ["responseLatency", "responseDuration"]
    kinds = [kind for kind, _ in subscriber.events if kind.startswith("platform.") and "Subscription" not in kind]
    assert kinds == [
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.extension",
        "platform.extension",
        "platform.initReport",
        "platform.start",
        "platform.report",
    ]


async def test_rt_121_subscriptions_close_with_init(rig: ScriptedEnvironment) -> None:
    one, two = await rig.register("one"), await rig.register("two")
    async with HttpSubscriber() as subscriber:
        await rig.event_next(one)
        assert await subscribe(rig, two, http(subscriber)) == 200
        await rig.event_next(two)
        await rig.ready()
        assert await subscribe(rig, one, http(subscriber)) == 403
        # A refusal of the identifier comes first.
        assert await subscribe(rig, "no uuid", http(subscriber)) == 403


async def test_last_words_reach_a_subscriber_before_it_is_told_to_end(rig: ScriptedEnvironment) -> None:
    one, two = await rig.register("one", "SHUTDOWN"), await rig.register("two")
    async with HttpSubscriber() as subscriber:
        assert await subscribe(rig, one, http(subscriber)) == 200
        waiting = await rig.event_next(one)
        await rig.event_next(two)
        await rig.ready()
        rig.say(RUNTIME, "last words")
        await until(lambda: bool(rig.records("function")))
        stopping = asyncio.ensure_future(rig.environment.stop(0.0))
        assert b"200 OK" in await waiting.head()
        assert ("function", "last words") in subscriber.events
        rig.sandbox.exit("one", 0)
        await within(stopping)


async def test_rt_193_a_body_that_cannot_be_read(rig: ScriptedEnvironment) -> None:
    identifier = await rig.register("one")
    line = await rig.line()
    head = {"lambda-extension-identifier": identifier, "transfer-encoding": "chunked"}
    line.send(request("PUT", TELEMETRY, head) + b"5\r\nab\r\nzz\r\n")
    assert (await line.answer()).status == 400
    assert await line.rest() == b""


@pytest.mark.parametrize("path", ["/2020-08-15/logs", "/2020-01-01/extensions", "/", "/2022-07-01/telemetry/"])
async def test_rt_115_other_places(rig: ScriptedEnvironment, path: str) -> None:
    await rig.register("one")
    answer = await rig.call("PUT", path, {}, b"{}")
    assert (answer.status, answer.body) == (404, b"404 page not found\n")
    assert (await rig.call("GET", f"{EXTENSION}register")).status == 405
