"""Streams at the rate of the service (`rt-208` of AWS's own suites), in virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.model.limits import MIB
from penstock.runtime_api.api import RuntimeApi
from penstock.runtime_api.bandwidth import AWS, Bandwidth, Pacer, TokenBucket
from support.clock import VirtualClock
from support.runtime_rig import INVOCATION, RuntimeRig, Worker, chunks, request
from support.sink import RecordingSink


class Rig(RuntimeRig):
    def __init__(self, bandwidth: Bandwidth | None) -> None:
        super().__init__()
        self.api = RuntimeApi(
            self.clock, self, on_first_poll=lambda: None, on_init_error=lambda *_: None, bandwidth=bandwidth
        )

    def stream(self) -> tuple[Worker, RecordingSink]:
        worker, sink = self.run("r1", timeout=900)
        return worker.open_response("r1"), sink


class Source:
    def __init__(self) -> None:
        self.reading = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def test_what_aws_says() -> None:
    assert (AWS.burst, AWS.rate) == (6 * MIB, 2 * MIB)


def test_a_bucket_is_full_at_first_and_never_more_than_full() -> None:
    bucket = TokenBucket(Bandwidth(100, 10), 0.0)
    assert bucket.take(100, 0.0) == 0
    assert bucket.take(10, 0.0) == 1.0
    assert bucket.take(10, 1.0) == 1.0
    assert bucket.take(100, 1000.0) == 0
    assert bucket.take(1, 1000.0) == pytest.approx(0.1)


@given(st.lists(st.tuples(st.integers(1, 300), st.floats(0, 50)), max_size=30))
def test_never_faster_than_burst_and_rate(takes: list[tuple[int, float]]) -> None:
    bucket, now, taken = TokenBucket(Bandwidth(100, 10), 0.0), 0.0, 0
    for size, pause in takes:
        now += pause
        taken += size
        now += bucket.take(size, now)
        assert taken <= 100 + 10 * now + 1e-6 * len(takes)


def test_a_stream_is_held_back_once_it_was_too_fast() -> None:
    rig = Rig(AWS)
    worker, sink = rig.stream()
    worker.send(chunks(b"x" * (6 * MIB), end=False))
    seen = [worker.peer.transport.is_reading()]
    for _ in range(4):
        worker.send(chunks(b"x" * MIB, end=False))
        seen.append(worker.peer.transport.is_reading())
        rig.clock.advance(0.499)
        seen.append(worker.peer.transport.is_reading())
        rig.clock.advance(0.001)
        seen.append(worker.peer.transport.is_reading())
    assert seen == [True, *[False, False, True] * 4]
    assert len(sink.body) == 10 * MIB
    worker.send(chunks())
    assert (worker.answer().status, sink.finished) == (202, True)
    assert rig.at_rest


def test_a_connection_is_read_again_when_the_stream_ends_while_it_is_held_back() -> None:
    rig = Rig(Bandwidth(10, 1))
    worker, sink = rig.stream()
    worker.send(chunks(b"x" * 100))
    assert (worker.answer().status, sink.finished, worker.peer.transport.reading) == (202, True, True)
    worker.send(request("GET", f"{INVOCATION}next"))
    assert rig.api.idle == 1
    assert rig.at_rest


@pytest.mark.parametrize("how", ["deadline", "error", "hang up"])
def test_a_stream_that_ends_otherwise_while_it_is_held_back(how: str) -> None:
    rig = Rig(Bandwidth(10, 1))
    worker, sink = rig.stream()
    worker.send(chunks(b"x" * 100_000, end=False))
    assert not worker.peer.transport.reading
    if how == "deadline":
        rig.clock.advance(900)
    elif how == "error":
        rig.worker().error("r1")
    else:
        worker.peer.reset()
    assert sink.over
    if how != "hang up":
        assert worker.peer.transport.reading
    assert rig.at_rest


def test_a_full_sink_and_the_rate_both_hold_it_back() -> None:
    clock, source = VirtualClock(), Source()
    pacer = Pacer(source, Bandwidth(10, 10), clock)
    pacer.relayed(20)
    pacer.pause_reading()
    clock.advance(1)
    seen = [source.reading]  # not yet: the sink is still full
    pacer.resume_reading()
    seen.append(source.reading)
    pacer.relayed(10)
    pacer.pause_reading()
    pacer.resume_reading()
    seen.append(source.reading)  # not yet: it was too fast
    clock.advance(1)
    seen.append(source.reading)
    assert seen == [False, True, False, True]


def test_buffered_responses_and_unlimited_streams_are_not_held_back() -> None:
    rig = Rig(Bandwidth(10, 1))
    worker, sink = rig.run("r1")
    worker.send(request("POST", f"{INVOCATION}r1/response", {"content-length": "200"}), b"x" * 100)
    assert worker.peer.transport.reading
    rig = Rig(None)
    worker, sink = rig.stream()
    worker.send(chunks(b"x" * 8 * MIB, end=False))
    assert (worker.peer.transport.reading, len(sink.body)) == (True, 8 * MIB)
