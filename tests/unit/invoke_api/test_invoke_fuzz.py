"""Invocations spoilt and cut, and function and client acting in any order: every request gets one sound end."""

from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.model.errors import FunctionError, InvocationError, PlatformError
from support.answers import read_answer
from support.clock import DeferringClock
from support.fuzzing import TRIED, examples
from support.invoke_story import INVOKE, STREAM, Events, Story, read_events
from support.runtime_rig import request

SOUND: Final = [
    request("POST", INVOKE + "?Qualifier=live", {"x-amz-log-type": "Tail"}, b'{"a":1}'),
    request("POST", INVOKE, {"x-amz-invocation-type": "Event", "x-amz-client-context": "eyJhIjoxfQ=="}, b"[1,2]"),
    request("POST", INVOKE.replace("app", "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aapp"), {}, b""),
    request("POST", STREAM, {"x-amz-invocation-type": "DryRun"}, b"{}"),
    request("POST", STREAM, {"transfer-encoding": "chunked"}) + b"2\r\n{}\r\n0\r\n\r\n",
]


def spoil(base: bytes, at: int, insert: bytes, drop: int) -> bytes:
    at %= len(base)
    return base[:at] + insert + base[at + drop :]


SPOILT = st.builds(
    spoil,
    st.sampled_from(SOUND),
    st.integers(0, 400),
    st.binary(max_size=6)
    | st.sampled_from([b"\r\n", b"%3A", b":", b"Tail", b"0\r\n\r\n", b"%00", b"x-amz-log-type: "]),
    st.integers(0, 8),
)


@settings(max_examples=examples(300), deadline=None)
@given(
    data=st.lists(st.sampled_from(SOUND) | SPOILT, min_size=1, max_size=4).map(b"".join),
    sizes=st.lists(st.integers(1, 200), max_size=20),
)
def test_spoilt_requests(data: bytes, sizes: list[int]) -> None:
    TRIED["streams of spoilt invocations"] += 1
    story = Story(events=Events())
    story.peer.trickle(data, sizes)
    for invocation in story.target.taken:
        invocation.sink.begin("x", streaming=True, source=story.source)
        invocation.sink.write(b"answer")
        invocation.sink.finish()
    story.peer.hang_up()
    rest = story.peer.received
    while rest:
        answer, rest = read_answer(rest, closed=True)
        assert answer.complete
        assert answer.status in (200, 202, 204, 400, 403, 404, 408, 413, 429, 431, 500, 501, 505)
    assert story.api.open_requests == 0
    assert not story.api.log_tails
    assert story.peer.transport.late == b""


FUNCTION: Final = st.sampled_from(["begin", "write", "write", "write", "finish", "fault", "error"])
CLIENT: Final = st.sampled_from(["stuck", "flush", "hang up", "reset", "soon"])
ERRORS: Final[dict[str, InvocationError]] = {
    "fault": PlatformError("Runtime.Unknown"),
    "error": FunctionError("Runtime.Unknown", body=b"{}"),
}


class Drama:
    """Lets the function keep to what a sink may expect, and the client do as it likes."""

    def __init__(self, path: str, log_type: str) -> None:
        self.clock = DeferringClock()
        self.story = Story(self.clock).call(path, headers={"x-amz-log-type": log_type})
        self.sink = self.story.invocation.sink
        self.begun = self.ended = self.failed = False

    def act(self, deed: str) -> None:
        transport = self.story.peer.transport
        match deed:
            case "begin" if not (self.begun or self.ended):
                self.begun = True
                self.sink.begin("x", streaming=True, source=self.story.source)
            case "write" if self.begun and not self.ended:
                self.sink.write(b"x" * 40_000)
            case "finish" if self.begun and not self.ended:
                self.ended = True
                self.sink.finish()
            case "fault" | "error" if not self.ended:
                self.ended = self.failed = True
                self.sink.fail(ERRORS[deed])
            case "stuck":
                transport.stuck = True
            case "flush":
                transport.flush()
            case "hang up" if not transport.lost:
                self.story.peer.hang_up()
            case "reset" if not transport.lost:
                self.story.peer.reset()
            case "soon":
                self.clock.run_soon()


@settings(max_examples=examples(300), deadline=None)
@given(
    path=st.sampled_from([INVOKE, STREAM]),
    log_type=st.sampled_from(["None", "Tail"]),
    deeds=st.lists(FUNCTION | CLIENT, max_size=20),
)
def test_any_order_of_deeds(path: str, log_type: str, deeds: list[str]) -> None:
    TRIED["orders of deeds around an invocation"] += 1
    drama = Drama(path, log_type)
    for deed in [*deeds, "error", "soon", "flush"]:
        drama.act(deed)
    story = drama.story
    [record] = story.records
    assert not story.source.paused
    assert story.api.open_requests == 0
    assert not story.api.log_tails
    if not story.peer.transport.lost:
        answer = story.answer()
        assert record.status == answer.status
        if path == STREAM and answer.status == 200:
            kind, payload = read_events(answer.body)[-1]
            assert kind == "InvokeComplete"
            assert (b"ErrorCode" in payload) == drama.failed
