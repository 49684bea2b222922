"""Whatever an app sends, in whatever order, its slot gets one well-formed answer and is released once."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock_adapter.asgi_types import Message, Receive, Send
from support.asgi_calls import STREAMED, Desk, invocation
from support.events import url_event

ANYTHING = st.one_of(st.none(), st.integers(), st.text(), st.binary(), st.lists(st.binary()), st.booleans())
HEADERS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([b"a", b"Content-Length", b"set-cookie"]), st.sampled_from([b"1", b"4", b"x"])),
        st.tuples(st.binary(), st.binary()),
        ANYTHING,
    ),
    max_size=3,
)
STARTS = st.fixed_dictionaries(
    {"type": st.just("http.response.start")},
    optional={"status": st.one_of(st.sampled_from([200, 204, 500]), ANYTHING), "headers": st.one_of(HEADERS, ANYTHING)},
)
BODIES = st.fixed_dictionaries(
    {"type": st.just("http.response.body")},
    optional={"body": st.one_of(st.sampled_from([b"", b"1", b"four"]), ANYTHING), "more_body": st.booleans()},
)
OTHERS = st.fixed_dictionaries({}, optional={"type": ANYTHING, "body": ANYTHING})
STEPS = st.lists(st.one_of(STARTS, BODIES, BODIES, OTHERS, st.sampled_from(["receive", "turn", "abandon"])), max_size=8)
IN_ONE_PIECE = {"response", "error"}
ENDS = {"end", "fail"}


@given(steps=STEPS, method=st.sampled_from(["GET", "HEAD"]), streaming=st.booleans(), forgiving=st.booleans())
@settings(max_examples=300, deadline=None)
def test_one_well_formed_answer(steps: list[Any], method: str, streaming: bool, forgiving: bool) -> None:
    told, abandoned = asyncio.run(_told(steps, method, streaming, forgiving))
    names = [name for name, _ in told if name != "flush"]
    assert names[0] == "hold"
    assert names[-1] == "release"
    said = names[1:-1]
    if said and said[0] in IN_ONE_PIECE:
        assert len(said) == 1
    elif said:
        assert said[0] == "begin"
        assert set(said[1:-1]) <= {"chunk"}
        assert said[-1] in ENDS | ({"begin", "chunk"} if abandoned else set())
    else:
        assert abandoned
    assert all(data for name, data in told if name == "chunk")


async def _told(steps: list[Any], method: str, streaming: bool, forgiving: bool) -> tuple[list[Any], bool]:
    abandon: list[bool] = []

    async def step(one: Any, receive: Receive, send: Send) -> None:
        if one == "turn":
            await asyncio.sleep(0)
        elif one == "abandon":
            abandon.append(True)
            exchange.abandon()
        elif one == "receive":
            asyncio.get_running_loop().call_soon(asyncio.ensure_future(receive()).cancel)
        else:
            message: Message = one
            await send(message)

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        for one in steps:
            try:
                await step(one, receive, send)
            except (TypeError, ValueError, RuntimeError, KeyError, OSError):
                if not forgiving:
                    raise

    slot, exchange = Desk(app, STREAMED if streaming else {}).slot()
    exchange.invoke(invocation(url_event(method=method)))
    async with asyncio.timeout(20):
        await slot.released.wait()
    return slot.told, bool(abandon)
