"""A slot on a link: when it answers in brief and when not, and what becomes of its answer when the link is lost."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from penstock_adapter.link_transport import LARGE
from penstock_adapter.runtime_wire import next_ahead_request
from support.link_rig import turns
from support.linked_slots import LinkedSlots

NULS = b"\0" * 8


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[LinkedSlots]:
    made = await LinkedSlots().start()
    yield made
    await made.stop()


def is_brief(said: bytes) -> bool:
    return said.startswith(b"\0")


async def test_a_whole_answer_and_the_next_poll_are_brief(rig: LinkedSlots) -> None:
    for number in range(3):
        sink = await rig.invoke(f"r{number}")
        rig.handler.answer()
        await turns()
        [said] = rig.said
        attempt = rig.handler.invocations[-1].invocation_id.encode()
        assert said == b"\0r%d\0%b\0{}%bfine" % (number, attempt, NULS)
        assert (sink.body, sink.finished, sink.streaming) == (b"{}" + NULS + b"fine", True, True)
        assert rig.platform.api.idle == 1
        rig.said.clear()
    assert rig.lines == []


async def test_an_answer_without_a_body_is_brief_too(rig: LinkedSlots) -> None:
    sink = await rig.invoke()
    rig.handler.answer(b"")
    await turns()
    assert is_brief(rig.said[0])
    assert (sink.body, sink.finished) == (b"{}" + NULS, True)


async def test_a_stream_is_not(rig: LinkedSlots) -> None:
    sink = await rig.invoke()
    slot = rig.handler.slot
    slot.begin_stream(b"{}")
    slot.send_chunk(b"one")
    slot.flush()
    await turns()
    assert sink.body == b"{}" + NULS + b"one"
    slot.send_chunk(b"two")
    slot.end_stream()
    slot.release()
    await turns()
    assert not any(map(is_brief, rig.said))
    assert (sink.body[-3:], sink.finished, rig.platform.api.idle) == (b"two", True, 1)
    await rig.invoke("r2")
    rig.handler.answer()
    await turns()
    assert is_brief(rig.said[-1])
    assert rig.platform.statuses == [("r1", "success"), ("r2", "success")]


@pytest.mark.parametrize("much", ["prelude", "body"])
async def test_what_would_not_come_in_one_piece_is_not(rig: LinkedSlots, much: str) -> None:
    prelude = b'{"headers":{"a":"%b"}}' % (b"x" * LARGE) if much == "prelude" else b"{}"
    body = b"y" * (LARGE - 1) if much == "body" else b"fine"
    sink = await rig.invoke()
    rig.handler.answer(body, prelude)
    await turns()
    assert (sink.body, sink.finished) == (prelude + NULS + body, True)
    assert not any(map(is_brief, rig.said))
    assert rig.platform.api.idle == 1


@pytest.mark.parametrize("size", range(LARGE - 120, LARGE, 20))
async def test_around_the_largest_that_comes_in_one_piece(rig: LinkedSlots, size: int) -> None:
    sink = await rig.invoke()
    rig.handler.answer(b"y" * size)
    await turns()
    assert (sink.body, sink.finished) == (b"{}" + NULS + b"y" * size, True)
    assert rig.platform.api.idle == 1


async def test_a_refused_answer_is_told_and_the_next_event_is_not_lost(rig: LinkedSlots) -> None:
    """The function answers after its deadline: 410, and right behind it the next event."""
    late = await rig.invoke("r1", seconds=3)
    rig.platform.clock.advance(4)
    assert late.error_type == "Sandbox.Timedout"
    rig.handler.answer()
    await rig.polling(1)
    sink = await rig.invoke("r2")
    assert [one.request_id for one in rig.handler.invocations] == ["r1", "r2"]
    assert "the invocation timed out" in "".join(rig.lines)
    rig.handler.answer()
    await turns()
    assert sink.finished


async def test_a_refusal_in_the_long_form_does_not_lose_it_either(rig: LinkedSlots) -> None:
    await rig.invoke("r1", seconds=3)
    rig.platform.clock.advance(4)
    rig.handler.slot.post_error("Function.Late", "too late")
    rig.handler.slot.release()
    await rig.polling(1)
    sink = await rig.invoke("r2")
    rig.handler.answer()
    await turns()
    assert sink.finished


async def test_an_error_is_in_the_long_form(rig: LinkedSlots) -> None:
    sink = await rig.invoke()
    rig.handler.slot.post_error("Function.Broken", "why")
    rig.handler.slot.release()
    await turns()
    assert sink.error_type == "Function.Broken"
    assert rig.said[0].startswith(b"POST ")
    assert rig.platform.api.idle == 1


# --- the link is lost ---


async def test_while_it_polls(rig: LinkedSlots) -> None:
    await rig.lose_link()
    await rig.polling(1)
    assert rig.links == 2
    sink = await rig.invoke()
    rig.handler.answer()
    await turns()
    assert sink.finished
    assert is_brief(rig.said[-1])


async def test_while_the_app_works(rig: LinkedSlots) -> None:
    """The answer goes out on the next connection, which has had no poll: in the long form. Then all is as before."""
    sink = await rig.invoke()
    await rig.lose_link()
    assert rig.handler.told == ["pause", "resume"]
    rig.said.clear()
    rig.handler.answer()
    await turns()
    assert (sink.body, sink.finished) == (b"{}" + NULS + b"fine", True)
    assert rig.said[0].startswith(b"POST ")
    assert rig.said[1:] == [next_ahead_request(rig.client.api, brief=True)]
    again = await rig.invoke("r2")
    rig.handler.answer()
    await turns()
    assert again.finished
    assert is_brief(rig.said[-1])


async def test_before_any_of_the_answer_has_left(rig: LinkedSlots) -> None:
    sink = await rig.invoke()
    slot = rig.handler.slot
    slot.begin_stream(b"{}")
    slot.send_chunk(b"fine")
    slot.end_stream()
    rig.said.clear()
    await rig.lose_link()
    assert (sink.body, sink.finished) == (b"{}" + NULS + b"fine", True)
    assert rig.said[0].startswith(b"POST ")
    slot.release()
    await turns()
    assert rig.platform.api.idle == 1


async def test_an_answer_given_while_there_is_no_connection(rig: LinkedSlots) -> None:
    sink = await rig.invoke()
    slot = rig.handler.slot
    slot.connection_lost(None)
    rig.handler.answer()
    rig.said.clear()
    await turns()
    assert (sink.body, sink.finished) == (b"{}" + NULS + b"fine", True)
    assert rig.said[0].startswith(b"POST ")
    await turns()
    assert rig.platform.statuses == [("r1", "success")]


async def test_in_the_middle_of_a_stream(rig: LinkedSlots) -> None:
    sink = await rig.invoke()
    slot = rig.handler.slot
    slot.begin_stream(b"{}")
    slot.send_chunk(b"one")
    slot.flush()
    await turns()
    await rig.lose_link()
    assert sink.error_type == "Runtime.TruncatedResponse"
    assert rig.handler.told == ["abandon"]
    assert rig.platform.api.idle == 0
    slot.release()
    await turns()
    assert rig.platform.api.idle == 1


async def test_when_the_answer_was_sent(rig: LinkedSlots) -> None:
    """Whether it has arrived cannot be known: it is not sent again."""
    sink = await rig.invoke()
    rig.handler.answer()
    await rig.lose_link()
    assert sink.over or rig.platform.api.running
    rig.said.clear()
    await turns()
    assert not any(b"/response" in said or is_brief(said) for said in rig.said)
    await rig.polling(1)


async def test_several_slots_in_every_state_at_once() -> None:
    rig = await LinkedSlots(4).start()
    sinks = [await rig.invoke(f"r{number}") for number in range(3)]
    working, streaming, posted = rig.handlers[:3]
    streaming.slot.begin_stream(b"{}")
    streaming.slot.flush()
    posted.answer()
    await rig.lose_link()
    await rig.polling(2)
    streaming.slot.release()
    working.answer()
    await turns()
    assert (sinks[0].finished, rig.links) == (True, 2)
    assert rig.platform.api.idle == 4
    for number in range(4):
        await rig.invoke(f"s{number}")
    for handler in rig.handlers:
        handler.answer()
    await turns()
    assert [status for request_id, status in rig.platform.statuses if request_id[0] == "s"] == ["success"] * 4
    await rig.stop()


async def test_the_order_of_answers_after_the_link_was_lost_does_not_matter() -> None:
    """The last to be connected anew answers first: no connection is taken for one that has ended."""
    rig = await LinkedSlots(3).start()
    sinks = [await rig.invoke(f"r{number}") for number in range(3)]
    await rig.lose_link()
    for handler in reversed(rig.handlers):
        handler.answer()
        await turns()
    assert [sink.finished for sink in sinks] == [True] * 3
    assert rig.platform.api.idle == 3
    await rig.stop()


async def test_on_a_plain_connection_nothing_is_brief(rig: LinkedSlots) -> None:
    rig.linked = False
    await rig.lose_link()
    await rig.polling(1)
    assert rig.said[-1] == next_ahead_request(rig.client.api)
    sink = await rig.invoke()
    rig.handler.answer()
    await turns()
    assert sink.finished
    assert not any(map(is_brief, rig.said))
    assert rig.platform.api.idle == 1


# --- the end ---


async def test_slots_that_wait_stop_at_once(rig: LinkedSlots) -> None:
    drained: list[bool] = []
    rig.client.drain(lambda: drained.append(True))
    assert drained == [True]
    await turns()
    assert rig.platform.api.idle == 0


async def test_an_invocation_in_hand_is_answered_first(rig: LinkedSlots) -> None:
    drained: list[bool] = []
    sink = await rig.invoke()
    rig.client.drain(lambda: drained.append(True))
    assert drained == []
    rig.said.clear()
    rig.handler.answer()
    await turns()
    assert (sink.finished, drained) == (True, [True])
    assert not any(map(is_brief, rig.said)), "which would be a poll as well"
    assert rig.platform.api.idle == 0


async def test_an_answer_in_brief_that_has_just_left_arrives(rig: LinkedSlots) -> None:
    drained: list[bool] = []
    sink = await rig.invoke()
    rig.handler.answer()
    rig.client.drain(lambda: drained.append(True))
    await turns()
    assert (sink.finished, drained) == (True, [True])
    assert rig.platform.api.idle == 0


async def test_what_is_no_event_in_brief_drops_the_connection(rig: LinkedSlots) -> None:
    rig.handler.slot.data_received(b"\0r1\0only\0three")
    await turns()
    assert rig.handler.invocations == []
    assert "what is not HTTP" in "".join(rig.lines)
    await rig.polling(1)
    assert rig.links == 1, "the others on the link are unharmed"
