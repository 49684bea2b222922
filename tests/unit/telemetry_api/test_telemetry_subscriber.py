"""Batches of one subscriber, in virtual time (`rt-<number>` of AWS's own suites)."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from penstock.telemetry_api import subscriber as module
from penstock.telemetry_api.events import Category
from penstock.telemetry_api.subscriber import TOO_SLOW, Subscriber
from penstock.telemetry_api.subscription import Buffering
from support.clock import VirtualClock
from support.streams import within
from support.telemetry_destination import HeldDestination

BUFFERING = Buffering.model_validate({"maxItems": 1000, "maxBytes": 262_144, "timeoutMs": 100})


class Rig:
    def __init__(self, *categories: Category, buffering: Buffering = BUFFERING) -> None:
        self.clock = VirtualClock()
        self.destination = HeldDestination()
        self.subscriber = Subscriber(frozenset(categories), buffering, self.destination, self.clock)

    def offer(self, *events: bytes, category: Category = "function") -> None:
        for event in events:
            self.subscriber.offer(category, event)

    def batch(self, *events: bytes) -> None:
        """A batch that is due now."""
        self.offer(*events)
        self.clock.advance(0.1)

    async def flush(self) -> None:
        await within(self.subscriber.flush())


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    one = Rig("function", "platform")
    yield one
    await within(one.subscriber.close())
    assert one.clock.waiting == 0
    assert one.destination.closed


def drop_of(event: bytes) -> tuple[int, int, str]:
    value = orjson.loads(event)
    assert value["type"] == "platform.logsDropped"
    record = value["record"]
    return record["droppedBytes"], record["droppedRecords"], record["reason"]


async def test_sends_when_the_time_of_the_first_event_is_over(rig: Rig) -> None:
    rig.offer(b"1")
    rig.clock.advance(0.0625)
    rig.offer(b"2")
    assert rig.destination.batches == []
    rig.clock.advance(0.0375)
    assert await rig.destination.sent(1) == [[b"1", b"2"]]
    rig.clock.advance(10.0)
    rig.offer(b"3")
    rig.clock.advance(0.1)
    assert await rig.destination.sent(2) == [[b"1", b"2"], [b"3"]]


async def test_rt_196_other_categories_are_ignored(rig: Rig) -> None:
    rig.offer(b"1", category="extension")
    assert rig.clock.waiting == 0
    await rig.flush()
    assert rig.destination.batches == []


async def test_rt_197_a_batch_is_full_by_count(rig: Rig) -> None:
    lines = [b"%d" % number for number in range(1001)]
    rig.offer(*lines)
    assert await rig.destination.sent(1) == [lines[:1000]]
    rig.clock.advance(0.1)
    assert (await rig.destination.sent(2))[1] == lines[1000:]


async def test_rt_198_a_batch_is_full_by_bytes(rig: Rig) -> None:
    rig.offer(b"x" * 262_143)
    assert rig.clock.waiting == 1
    rig.offer(b"y")
    assert rig.clock.waiting == 0
    assert await rig.destination.sent(1) == [[b"x" * 262_143, b"y"]]


async def test_rt_196_flush_sends_what_there_is_and_waits_for_it(rig: Rig) -> None:
    rig.offer(b"1")
    rig.destination.hold.clear()
    flush = asyncio.ensure_future(rig.flush())
    await rig.destination.sent(1)
    rig.offer(b"2")
    await asyncio.sleep(0)
    assert not flush.done()
    rig.destination.hold.set()
    await flush
    assert rig.destination.batches == [[b"1"]]


async def test_flush_of_nothing_returns(rig: Rig) -> None:
    await rig.flush()
    assert rig.destination.batches == []


async def test_one_batch_is_under_way_and_others_wait(rig: Rig) -> None:
    rig.destination.hold.clear()
    for line in (b"1", b"2", b"3"):
        rig.batch(line)
    assert await rig.destination.sent(1) == [[b"1"]]
    rig.destination.hold.set()
    assert await rig.destination.sent(3) == [[b"1"], [b"2"], [b"3"]]


async def test_too_slow_a_subscriber_loses_its_newest_batches(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 10)
    rig.destination.hold.clear()
    rig.batch(b"under way")
    await rig.destination.sent(1)
    for line in (b"12345", b"67890", b"lost", b"lost, too"):
        rig.batch(line)
    rig.destination.hold.set()
    _, (notice, *first), second = await rig.destination.sent(3)
    assert (first, second) == ([b"12345"], [b"67890"])
    assert drop_of(notice) == (13, 2, TOO_SLOW)


async def test_a_failed_batch_is_lost_and_told_of_when_one_arrives(rig: Rig) -> None:
    rig.destination.fault = "connection refused"
    rig.batch(b"one", b"two")
    await rig.destination.sent(1)
    rig.batch(b"three")
    second = (await rig.destination.sent(2))[1]
    assert (drop_of(second[0]), second[1:]) == ((6, 2, "could not send events: connection refused"), [b"three"])
    rig.destination.fault = ""
    await rig.flush()
    third = rig.destination.batches[-1]
    assert [drop_of(event) for event in third] == [(11, 3, "could not send events: connection refused")]
    rig.batch(b"four")
    assert (await rig.destination.sent(4))[-1] == [b"four"]


async def test_who_takes_no_platform_events_is_not_told() -> None:
    rig = Rig("function")
    rig.destination.fault = "no"
    rig.batch(b"lost")
    await rig.destination.sent(1)
    rig.destination.fault = ""
    await rig.flush()
    rig.batch(b"next")
    assert (await rig.destination.sent(2))[1:] == [[b"next"]]
    await within(rig.subscriber.close())


async def test_a_dead_subscriber_is_not_tried_again_by_itself(rig: Rig) -> None:
    rig.destination.fault = "dead"
    rig.batch(b"lost")
    await rig.destination.sent(1)
    assert rig.clock.waiting == 0
    rig.clock.advance(3600.0)
    await asyncio.sleep(0)
    assert rig.destination.batches == [[b"lost"]]


async def test_close_cuts_short_what_is_under_way() -> None:
    rig = Rig("function")
    rig.destination.hold.clear()
    rig.batch(b"1")
    await rig.destination.sent(1)
    rig.offer(b"2")
    await within(rig.subscriber.close())
    assert (rig.clock.waiting, rig.destination.closed) == (0, True)
    assert rig.destination.batches == [[b"1"]]
