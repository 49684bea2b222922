"""The Telemetry API's requests and life, without sockets (`rt-<number>` of AWS's own suites)."""

import asyncio
import errno
import json
import os
import socket
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.telemetry_api import api as module
from penstock.telemetry_api.api import TelemetryApi
from penstock.telemetry_api.destinations import Destination
from penstock.wire.http_messages import response
from support.answers import Answer, read_answer
from support.clock import VirtualClock
from support.runtime_rig import request
from support.streams import within
from support.telemetry_destination import HeldDestination
from support.transport import Peer

PATH = "/2022-07-01/telemetry"
IDENTIFIER = "lambda-extension-identifier"
REFUSED = response(403, b"application/json", b'{"errorType":"Extension.UnknownExtensionIdentifier"}\n')


def subscription(*types: str, port: int | None = None, **changes: object) -> bytes:
    destination: dict[str, object] = {"protocol": "HTTP", "URI": "http://sandbox.localdomain:4243"}
    if port:
        destination = {"protocol": "TCP", "port": port}
    value = {"schemaVersion": "2025-01-29", "types": types or ("platform",), "destination": destination, **changes}
    return orjson.dumps(value)


async def no_network() -> socket.socket:
    raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))


class Rig:
    """The extensions `one`, `two` and `three` are registered, each under its name as identifier."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch | None = None) -> None:
        self.clock = VirtualClock()
        self.destinations: list[HeldDestination] = []
        if monkeypatch:
            monkeypatch.setattr(module, "make_destination", self._destination)
        self.api = TelemetryApi(self.clock, identify=self._identify, open_socket=no_network)

    def _identify(self, headers: dict[bytes, bytes]) -> str | bytes:
        name = headers.get(IDENTIFIER.encode(), b"").decode("latin-1")
        return name if name in ("one", "two", "three") else REFUSED

    def _destination(self, *_: object) -> Destination:
        self.destinations.append(HeldDestination())
        return self.destinations[-1]

    async def call(self, name: str, body: bytes, method: str = "PUT", path: str = PATH) -> Answer:
        peer = Peer(self.api.open_exchange, 1024 * 1024)
        peer.send(request(method, path, {IDENTIFIER: name}, body))
        while not peer.received:  # noqa: ASYNC110 - no socket says when; it takes a few turns of the loop
            await asyncio.sleep(0)
        found, rest = read_answer(peer.received, method)
        assert (rest, found.complete) == (b"", True)
        return found

    async def subscribe(self, name: str, *types: str) -> HeldDestination:
        answer = await within(self.call(name, subscription(*types)))
        assert (answer.status, answer.body) == (200, b'"OK"')
        assert answer.header("content-type") == "application/json"
        return self.destinations[-1]

    def line(self, text: str) -> None:
        self.api.publish("function", text, self.clock.epoch())

    async def flush(self) -> None:
        await self.api.flush(20.0)


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    one = Rig(monkeypatch)
    yield one
    await within(one.api.close())
    assert one.clock.waiting == 0
    assert all(destination.closed for destination in one.destinations)


def told(destination: HeldDestination) -> list[tuple[str, object]]:
    """Type and record of each event it got."""
    values = [orjson.loads(event) for batch in destination.batches for event in batch]
    return [(value["type"], value["record"]) for value in values]


def error_of(answer: Answer) -> tuple[int, str, str]:
    assert answer.header("content-type") == "application/json"
    value: dict[str, Any] = orjson.loads(answer.body)
    assert set(value) == {"errorType", "errorMessage"}
    return answer.status, value["errorType"], value["errorMessage"]


def subscribed(name: str, *types: str) -> tuple[str, object]:
    return "platform.telemetrySubscription", {"name": name, "state": "Subscribed", "types": list(types)}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", PATH + "/", 404),
        ("PUT", PATH + "/x", 404),
        ("PUT", PATH.upper(), 404),
        ("PUT", "/2020-08-15/logs", 404),
        ("POST", PATH, 405),
        ("GET", PATH, 405),
    ],
)
async def test_rt_115_routes(rig: Rig, method: str, path: str, status: int) -> None:
    assert (await within(rig.call("one", subscription(), method, path))).status == status


class TestSubscribe:
    async def test_rt_179_a_subscription_is_told_to_all(self, rig: Rig) -> None:
        first = await rig.subscribe("one", "platform", "function")
        second = await rig.subscribe("two", "platform", "platform")
        await rig.flush()
        news = [subscribed("one", "platform", "function"), subscribed("two", "platform", "platform")]
        assert told(first) == news
        assert told(second) == news

    async def test_rt_119_who_is_not_registered_is_refused_before_the_body_is_read(self, rig: Rig) -> None:
        peer = Peer(rig.api.open_exchange)
        head = f"PUT {PATH} HTTP/1.1\r\nhost: x\r\n{IDENTIFIER}: nobody\r\ncontent-length: 9\r\n\r\n"
        assert peer.send(head.encode()).received == REFUSED

    @pytest.mark.parametrize(
        ("body", "start"),
        [
            (b'{"a": "x', "failed to parse JSON: "),
            (b"", "failed to parse JSON: "),
            (subscription(schemaVersion='20"22'), "schema validation error: "),
            (subscription(destination={"protocol": "HTTP", "URI": 'http://"a"'}), "Invalid destination: "),
        ],
    )
    async def test_what_is_refused_is_told_in_sound_json(self, body: bytes, start: str) -> None:
        rig = Rig()
        status, error_type, message = error_of(await within(rig.call("one", body)))
        assert (status, error_type) == (400, "ValidationError")
        assert message.startswith(start)
        await rig.api.close()

    async def test_rt_180_a_tcp_destination_that_cannot_be_reached(self) -> None:
        rig = Rig()
        reason = f"Invalid destination: connecting to 127.0.0.1:4243: {os.strerror(errno.ENETDOWN)}"
        answer = await within(rig.call("one", subscription(port=4243)))
        assert error_of(answer) == (400, "ValidationError", reason)
        await rig.api.close()

    async def test_a_body_over_1_mib(self, rig: Rig) -> None:
        answer = await within(rig.call("one", b" " * (1024 * 1024 + 1)))
        assert error_of(answer) == (500, "InternalServerError", "Internal Server Error")

    async def test_rt_218_twice(self, rig: Rig) -> None:
        await rig.subscribe("one")
        answer = await within(rig.call("one", subscription()))
        assert error_of(answer) == (500, "InternalServerError", "Internal Server Error")
        assert [destination.closed for destination in rig.destinations] == [False, True]
        await rig.flush()
        assert told(rig.destinations[0]) == [subscribed("one", "platform")]

    async def test_rt_121_after_init(self, rig: Rig) -> None:
        rig.api.close_subscriptions()
        closed = (403, "Telemetry.SubscriptionClosed", "Telemetry API subscription is closed")
        assert error_of(await within(rig.call("one", subscription()))) == closed
        assert error_of(await within(rig.call("one", b"no json")))[0] == 400
        assert (await within(rig.call("nobody", subscription()))).status == 403
        assert [destination.closed for destination in rig.destinations] == [True]

    async def test_who_hangs_up_while_connecting_is_subscribed_all_the_same(self, rig: Rig) -> None:
        peer = Peer(rig.api.open_exchange)
        peer.send(request("PUT", PATH, {IDENTIFIER: "one"}, subscription()))
        peer.hang_up()
        await within(rig.api.flush(0.0))
        assert (await within(rig.call("one", subscription()))).status == 500
        assert peer.received == b""

    async def test_close_while_connecting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rig = Rig(monkeypatch)
        connecting = asyncio.Event()

        class Slow(HeldDestination):
            async def open(self) -> None:
                connecting.set()
                await asyncio.Event().wait()

        monkeypatch.setattr(module, "make_destination", lambda *_: Slow())
        peer = Peer(rig.api.open_exchange)
        peer.send(request("PUT", PATH, {IDENTIFIER: "one"}, subscription()))
        await within(connecting.wait())
        await within(rig.api.close())
        assert peer.received == b""


class TestPublish:
    async def test_rt_194_everything_since_the_beginning_is_replayed_to_each(self, rig: Rig) -> None:
        rig.api.publish("platform.initStart", {"phase": "init"}, rig.clock.epoch())
        rig.line("early")
        first = await rig.subscribe("one", "platform", "function")
        rig.api.publish("extension", "between", rig.clock.epoch())
        second = await rig.subscribe("two", "platform", "extension")
        third = await rig.subscribe("three", "function")
        rig.line("late")
        await rig.flush()
        start = ("platform.initStart", {"phase": "init"})
        news = [subscribed("two", "platform", "extension"), subscribed("three", "function")]
        early, late = ("function", "early"), ("function", "late")
        assert told(first) == [start, early, subscribed("one", "platform", "function"), *news, late]
        # Who subscribes later sees earlier subscriptions among the events of init.
        assert told(second) == [start, subscribed("one", "platform", "function"), ("extension", "between"), *news]
        assert told(third) == [early, late]

    async def test_the_time_is_the_one_it_happened_at(self, rig: Rig) -> None:
        rig.api.publish("function", "x", 1.5)
        rig.clock.advance(60.0)
        destination = await rig.subscribe("one", "function")
        await rig.flush()
        assert destination.batches == [[b'{"time":"1970-01-01T00:00:01.500Z","type":"function","record":"x"}']]

    async def test_after_init_only_what_happens_is_told(self, rig: Rig) -> None:
        destination = await rig.subscribe("one", "function")
        rig.api.close_subscriptions()
        assert rig.api.listening
        rig.line("after")
        await rig.flush()
        assert told(destination) == [("function", "after")]

    async def test_without_subscribers_nothing_is_even_formatted(self, rig: Rig) -> None:
        rig.api.close_subscriptions()
        assert not rig.api.listening
        unformattable: Any = object()
        rig.api.publish("platform.start", unformattable, 0.0)

    async def test_after_the_end_nothing_is_told(self, rig: Rig) -> None:
        destination = await rig.subscribe("one", "function")
        await within(rig.api.close())
        rig.line("too late")
        await rig.flush()
        assert (destination.batches, rig.api.listening) == ([], False)
        await within(rig.api.close())

    async def test_a_stuck_subscriber_holds_up_nobody(self, rig: Rig) -> None:
        stuck = await rig.subscribe("one", "function")
        healthy = await rig.subscribe("two", "function")
        stuck.hold.clear()
        for number in range(3):
            rig.line(str(number))
            rig.clock.advance(1.0)
            await healthy.sent(number + 1)
        assert len(stuck.batches) == 1
        await within(rig.api.flush(0.01))
        assert [record for _, record in told(healthy)] == ["0", "1", "2"]


# rt-111's sister for telemetry: whatever is sent, the answer is one of these.
_PATHS = st.one_of(st.just(PATH), st.text("/abc.-2071telemetry?%", max_size=30).map("/".__add__))
_BODIES = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=5
    ).map(lambda value: json.dumps(value).encode()),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["PUT", "POST", "GET", "DELETE"]),
    path=_PATHS,
    name=st.sampled_from(["one", "nobody", "", "\xff"]),
    body=_BODIES,
    closed=st.booleans(),
)
def test_rt_115_116_any_request_gets_one_of_the_answers(
    method: str, path: str, name: str, body: bytes, closed: bool
) -> None:
    async def scenario() -> None:
        rig = Rig()
        if closed:
            rig.api.close_subscriptions()
        answer = await within(rig.call(name, body, method, path))
        await rig.api.close()
        expected = {404} if path != PATH else {405} if method != "PUT" else {403} if name != "one" else {400}
        assert {answer.status} == expected

    asyncio.run(scenario())
