"""Whatever function code sends on a link of its own: nothing raises, nobody else notices, and nothing is left of it."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.wire.link import _ServerLink
from penstock_adapter.endpoint import Endpoint
from penstock_adapter.link_transport import CREDIT, DATA, LARGE, OPEN, WINDOW
from penstock_adapter.runtime_wire import next_ahead_request, read_brief_event
from support.apis_rig import ApisRig
from support.fuzzing import TRIED, examples
from support.link_rig import Wire, frame, read_frames
from support.runtime_rig import INVOCATION, chunks, request
from support.streams import within

POLL: Final = next_ahead_request(Endpoint("127.0.0.1", 9001), brief=True)
STREAMED: Final = {"transfer-encoding": "chunked", "lambda-runtime-function-response-mode": "streaming"}
PAYLOADS: Final = [
    POLL,
    POLL,
    request("GET", f"{INVOCATION}next"),
    request("GET", f"{INVOCATION}next", {"penstock-ahead": "1"}),
    request("GET", "/penstock/link", {"connection": "upgrade", "upgrade": "penstock-link"}),
    request("POST", f"{INVOCATION}r1/response", {}, b"{}"),
    request("POST", f"{INVOCATION}r1/response", STREAMED) + chunks(b"\0a" * 70, trailers={"x": "y"}) + POLL,
    request("POST", f"{INVOCATION}r1/response", STREAMED) + chunks(b"open", end=False),
    chunks(b"\0more") + POLL,
    request("POST", f"{INVOCATION}r1/error", {}, b"{}") + POLL,
    b"\0r1\0\0{}\0\0\0\0\0\0\0\0whole",
    b"\0r1\0\0",
    b"\0r1\0another attempt\0{}",
    b"\0nobody\0\0{}",
    b"\0\0\0\0\0\0\0",
    b"\0",
    b"\0r1/error\0\0{}",
    b"\0r1\0\0" + b"x" * LARGE,
    b"x" * LARGE,
    request("GET", "/2018-06-01/ping") * 50,
]
NUMBERS = st.sampled_from([1, 1, 1, 2, 2, 3, 0, 4, 2**32 - 1])
FRAMES = st.one_of(
    st.builds(frame, NUMBERS, st.just(OPEN)),
    st.builds(frame, NUMBERS, st.just(DATA), st.sampled_from(PAYLOADS)),
    st.builds(frame, NUMBERS, st.just(DATA), st.sampled_from(PAYLOADS)),
    st.builds(frame, NUMBERS, st.integers(2, 6)),
    st.builds(frame, NUMBERS, st.just(CREDIT), st.binary(min_size=4, max_size=4)),
    st.builds(frame, NUMBERS, st.integers(0, 255), st.binary(max_size=9), st.none() | st.integers(0, 2**32 - 1)),
)
OPENED = b"".join(frame(number, OPEN) for number in (1, 2))


def spoil(data: bytes, at: int, spoiler: bytes, swallow: int) -> bytes:
    at %= len(data) or 1
    return data[:at] + spoiler + data[at + swallow :]


STREAMS = st.lists(FRAMES, max_size=12).map(b"".join)
SPOILT = st.builds(spoil, STREAMS, st.integers(0, 1 << 16), st.binary(max_size=9), st.integers(0, 9))
SIZES = st.lists(st.integers(1, 300) | st.integers(1, 40_000), max_size=20)


class Side:
    """One link to the APIs of an environment, whose real connection is played here."""

    def __init__(self, rig: ApisRig) -> None:
        self.wire = Wire()
        self.link = _ServerLink(rig.apis._accept_linked, lambda _: None)
        self.link.connection_made(self.wire)

    def send(self, data: bytes) -> None:
        if not self.wire.is_closing():
            self.link.data_received(data)

    def lose(self, error: Exception | None) -> None:
        self.wire.close()
        self.link.connection_lost(error)


async def story(data: bytes, sizes: list[int], lose: Callable[[Side], None]) -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    rig = ApisRig()
    sound, odd = Side(rig), Side(rig)
    sound.send(frame(1, OPEN) + frame(1, DATA, POLL))
    await rig.settle()
    sink = rig.invoke("r1")
    assert sink is not None
    rig.clock.run_soon()
    await rig.settle()
    [(_, _, event)] = read_frames(sound.wire.take())
    taken = read_brief_event(event)
    assert taken is not None
    for size in sizes:
        odd.send(data[:size])
        data = data[size:]
        rig.clock.run_soon()
        await rig.settle()
    if data:
        odd.send(data)
    await rig.settle()
    for connection in odd.link._connections.values():
        assert sum(map(len, connection._held)) <= WINDOW
    assert len(odd.link._part) < 2 * LARGE
    # The sound one answers as well as it can: the odd one may have answered before it, as anybody inside may.
    answered = sink.over
    sound.send(frame(1, DATA, b"\0r1\0%b\0sound" % taken.invocation_id.encode()))
    rig.clock.run_soon()
    if not answered:
        assert sink.over or sink.source is not None
    lose(odd)
    sound.lose(None)
    await rig.settle()
    rig.clock.advance(10)
    assert sink.over
    assert (rig.apis.runtime.idle, rig.apis.runtime.running, rig.connections) == (0, {}, set())
    assert faults == []
    await within(rig.apis.close())


@settings(max_examples=examples(400), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    data=st.one_of(STREAMS.map(lambda frames: OPENED + frames), STREAMS, SPOILT, SPOILT.map(lambda raw: OPENED + raw)),
    sizes=SIZES,
    orderly=st.booleans(),
)
def test_an_odd_link_next_to_a_sound_one(data: bytes, sizes: list[int], orderly: bool) -> None:
    TRIED["bytes on a link"] += 1
    asyncio.run(story(data, sizes, lambda side: side.lose(None if orderly else ConnectionResetError())))
