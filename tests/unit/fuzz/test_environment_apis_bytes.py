"""Requests to the APIs inside an environment, spoilt, cut, glued together and oversized: bytes in, bytes out."""

import asyncio
from collections.abc import Callable
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.answers import read_answer
from support.apis_rig import ApisRig
from support.fuzzing import TRIED, examples
from support.runtime_rig import INVOCATION, chunks, request
from support.transport import Peer

UUID: Final = "11111111-2222-4333-8444-555555555555"
EXTENSION: Final = "/2020-01-01/extension/"
STREAMED: Final = {"transfer-encoding": "chunked", "lambda-runtime-function-response-mode": "streaming"}

SOUND: Final = [
    request("GET", f"{INVOCATION}next"),
    request("POST", f"{INVOCATION}r1/response", {"content-type": "application/json"}, b"{}"),
    request("POST", f"{INVOCATION}r1/response", STREAMED) + chunks(b"a" * 70, trailers={"x": "y"}),
    request("POST", f"{INVOCATION}r1/error", {"lambda-runtime-function-xray-error-cause": "{}"}, b"{}"),
    request("POST", "/2018-06-01/runtime/init/error", {}, b"{}"),
    request("GET", "/2018-06-01/ping"),
    request("POST", f"{EXTENSION}register", {"lambda-extension-name": "ext"}, b'{"events":[]}'),
    request("GET", f"{EXTENSION}event/next", {"lambda-extension-identifier": UUID}),
    request("POST", f"{EXTENSION}exit/error", {"lambda-extension-identifier": UUID}, b""),
    request("PUT", "/2022-07-01/telemetry", {"lambda-extension-identifier": UUID}, b"{}"),
]


def spoil(data: bytes, at: int, spoiler: bytes, swallow: int) -> bytes:
    """`data` with `swallow` bytes replaced somewhere."""
    at %= len(data)
    return data[:at] + spoiler + data[at + swallow :]


SPOILT = st.builds(
    spoil,
    st.sampled_from(SOUND),
    st.integers(0, 400),
    st.binary(max_size=6) | st.sampled_from([b"\r\n", b"\r\n\r\n", b"content-length: 1\r\n", b"0\r\n\r\n", b"%00"]),
    st.integers(0, 6),
)
STREAMS = st.lists(st.sampled_from(SOUND) | SPOILT, min_size=1, max_size=5).map(b"".join)
SIZES = st.lists(st.integers(1, 200), max_size=20)


def converse(data: bytes, sizes: list[int], goodbye: Callable[[Peer], None]) -> None:
    """One client says `data` in pieces while a sound one works next to it; the sound one notices nothing."""

    async def scenario() -> None:
        rig = ApisRig()
        sound, odd = rig.connect(), rig.connect()
        sound.send(request("GET", f"{INVOCATION}next"))
        odd.trickle(data, sizes)
        await rig.settle()
        sink = rig.invoke("r2")
        rig.clock.run_soon()
        assert sink is not None
        if (served := _request_id(sound)) is None:  # the odd one had asked as well, and waited longer
            assert b"lambda-runtime-aws-request-id: r2" in odd.received
        else:
            assert served == "r2"
            sound.send(request("POST", f"{INVOCATION}r2/response", {}, b"fine"))
            assert sink.finished
        goodbye(odd)
        sound.hang_up()
        rig.clock.advance(10)
        assert (rig.apis.runtime.idle, rig.apis.runtime.running, rig.connections) == (0, {}, set())
        assert odd.transport.late == b"", "written where nobody reads"
        assert sink.over
        await rig.apis.close()

    TRIED["streams of spoilt requests"] += 1
    asyncio.run(scenario())


def _request_id(peer: Peer) -> str | None:
    if not peer.received:
        return None
    found, _ = read_answer(peer.take())
    return found.header("lambda-runtime-aws-request-id")


@settings(max_examples=examples(250), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=STREAMS, sizes=SIZES, goodbye=st.sampled_from([Peer.hang_up, Peer.reset]))
def test_an_odd_client_next_to_a_sound_one(data: bytes, sizes: list[int], goodbye: Callable[[Peer], None]) -> None:
    converse(data, sizes, goodbye)


@settings(max_examples=examples(40), deadline=None)
@given(base=st.sampled_from(SOUND), size=st.integers(1_000_000, 1_100_000), sizes=SIZES)
def test_headers_about_as_large_as_they_may_be(base: bytes, size: int, sizes: list[int]) -> None:
    """Made here: hypothesis would keep every one of them."""
    header = b"x-large: " + b"x" * size + b"\r\n"
    converse(spoil(base, base.index(b"\r\n") + 2, header, 0), sizes, Peer.hang_up)
