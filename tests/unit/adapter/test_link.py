"""Connections on a link behave as those of sockets do, and none of them holds up, or ends, another."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock_adapter.link import Link
from penstock_adapter.link_transport import CLOSE, DATA, LARGE, OPEN, WINDOW
from support.link_rig import End, LinkRig, Wire, frame, served, turns

# --- bytes ---


async def test_bytes_go_both_ways_and_keep_apart() -> None:
    rig = LinkRig()
    (one, one_there), (two, two_there) = await rig.open(), await rig.open()
    one.transport.write(b"a")
    two.transport.writelines([b"b", b"c"])
    one.transport.write(bytearray(b"d"))
    two_there.transport.write(memoryview(b"e"))
    assert one_there.received == b"", "nothing arrives within the write"
    await turns()
    assert (one_there.received, two_there.received, two.received, one.received) == (b"ad", b"bc", b"e", b"")


async def test_a_connection_that_is_opened_first_and_writes_last_is_not_forgotten() -> None:
    rig = LinkRig()
    (early, early_there), (late, late_there) = await rig.open(), await rig.open()
    late.transport.write(b"late")
    await turns()
    early.transport.write(b"early")
    await turns()
    assert (early_there.received, late_there.received) == (b"early", b"late")


WRITES = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([1, 8, 9, 10, 100, LARGE - 1, LARGE, LARGE + 1, 40_000])), max_size=12
)
SPLITS = st.lists(st.integers(1, 20) | st.integers(1, 70_000), max_size=40)


@given(writes=WRITES, splits=SPLITS)
@settings(max_examples=150, deadline=None)
def test_whatever_the_reads_are_like(writes: list[tuple[int, int]], splits: list[int]) -> None:
    """What is small comes whole, in pieces as it was written; what is large comes in any."""

    async def story() -> None:
        wire = Wire()
        client = Link()
        client.connection_made(wire)
        senders = [End(), End(), End()]
        for end in senders:
            client.open(end)
        payloads = [(which, bytes([number + 1]) * size) for number, (which, size) in enumerate(writes)]
        for which, payload in payloads:
            senders[which].transport.write(payload)
        await turns()
        takers: list[End] = []
        server, answers = served(lambda: takers.append(End()) or takers[-1])  # type: ignore[func-returns-value]
        data = wire.take()
        for size in [*splits, len(data)]:
            if data[:size]:
                server.data_received(data[:size])
            data = data[size:]
        assert not answers.aborted
        for which, taker in enumerate(takers):
            sent = [payload for to, payload in payloads if to == which][: _within_window(which, payloads)]
            assert taker.received[: sum(map(len, sent))] == b"".join(sent)
            if sent and all(len(payload) < LARGE for payload in sent):
                assert taker.pieces[: len(sent)] == sent

    asyncio.run(story())


def _within_window(which: int, payloads: list[tuple[int, bytes]]) -> int:
    """How many of a connection's payloads fit the window: the rest waits for credit that nobody gives here."""
    total = count = 0
    for to, payload in payloads:
        if to == which:
            total += len(payload)
            if total > WINDOW:
                break
            count += 1
    return count


@given(sizes=st.lists(st.sampled_from([1, 1000, LARGE, WINDOW // 2, WINDOW, WINDOW + 1, 3 * WINDOW]), max_size=5))
@settings(max_examples=60, deadline=None)
def test_more_than_the_window_arrives_whole_and_in_order(sizes: list[int]) -> None:
    async def story() -> None:
        rig = LinkRig()
        ours, theirs = await rig.open()
        sent = b""
        for number, size in enumerate(sizes):
            piece = bytes([number + 1]) * size
            ours.transport.write(piece)
            theirs.transport.write(piece)
            sent += piece
        await turns(100)
        assert theirs.received == ours.received == sent
        assert ours.transport.get_write_buffer_size() == 0

    asyncio.run(story())


# --- who reads slowly ---


async def test_one_that_does_not_read_fills_its_own_window_alone() -> None:
    rig = LinkRig()
    (slow, slow_there), (quick, quick_there) = await rig.open(), await rig.open()
    slow_there.transport.pause_reading()
    sent = b"".join(bytes([number % 256]) * 1000 for number in range(1000))
    slow.transport.write(sent)
    quick.transport.write(sent)
    await turns(100)
    assert slow.told == ["pause"]
    assert slow_there.received == b""
    assert slow_there.held == WINDOW
    assert slow.transport.get_write_buffer_size() == len(sent) - WINDOW
    assert quick_there.received == sent
    assert quick.told == ["pause", "resume"]
    slow_there.transport.resume_reading()
    assert slow_there.received == b"", "nothing arrives within the call"
    await turns(100)
    assert slow_there.received == sent
    assert slow.told == ["pause", "resume"]
    assert slow.transport.get_write_buffer_size() == 0


async def test_one_that_pauses_while_it_reads_gets_no_more() -> None:
    class Hesitant(End):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.transport.pause_reading()

    rig = LinkRig()
    ours, theirs = await rig.open(theirs=Hesitant())
    for letter in (b"a", b"b", b"c"):
        ours.transport.write(letter)
    await turns()
    assert theirs.pieces == [b"a"]
    assert not theirs.transport.is_reading()
    theirs.transport.resume_reading()
    await turns()
    assert theirs.pieces == [b"a", b"bc"]


async def test_marks_for_a_full_buffer_may_be_set() -> None:
    rig = LinkRig()
    ours, theirs = await rig.open()
    theirs.transport.pause_reading()
    ours.transport.set_write_buffer_limits(high=1 << 20)
    ours.transport.write(b"a" * (WINDOW + (1 << 20)))
    assert ours.told == []
    ours.transport.write(b"a")
    assert ours.told == ["pause"]


async def test_a_full_link_pauses_all_of_its_connections() -> None:
    link, wire = served(End)
    one, two = End(), End()
    link.open(one)
    link.open(two)
    link.pause_writing()
    assert (one.told, two.told) == (["pause"], ["pause"])
    late = End()
    link.open(late)
    late.transport.write(b"a")
    assert late.told == ["pause"], "told when it first writes"
    link.resume_writing()
    assert [end.told for end in (one, two, late)] == [["pause", "resume"]] * 3
    wire.take()


# --- ends ---


async def test_close_lets_everything_arrive_first() -> None:
    rig = LinkRig()
    ours, theirs = await rig.open()
    theirs.transport.pause_reading()
    sent = b"x" * (3 * WINDOW)
    ours.transport.write(sent)
    ours.transport.close()
    ours.transport.write(b"never")
    ours.transport.close()
    await turns(50)
    assert ours.transport.is_closing()
    assert theirs.told == []
    theirs.transport.resume_reading()
    await turns(50)
    assert theirs.received == sent
    assert theirs.told == ["end", None]
    assert ours.told == ["pause", None]
    assert rig.open_connections == (0, 0)


async def test_two_that_close_on_what_the_other_has_not_taken() -> None:
    rig = LinkRig()
    ours, theirs = await rig.open()
    for end in (ours, theirs):
        end.transport.pause_reading()
    await turns()
    ours.transport.write(b"x" * WINDOW)
    theirs.transport.write(b"y" * (WINDOW + 1))
    ours.transport.close()
    await turns(50)
    assert rig.open_connections == (0, 1), "there it is not read yet"
    theirs.transport.close()
    await turns(50)
    assert theirs.told[-1] is None
    assert rig.open_connections == (0, 0)


async def test_one_that_is_closing_hears_that_nobody_takes_the_rest() -> None:
    link, _ = served(lambda: made)
    made = End()
    link.data_received(frame(1, OPEN) + frame(1, DATA, b"a"))
    made.transport.pause_reading()
    made.transport.write(b"y" * (WINDOW + 1))
    link.data_received(frame(1, DATA, b"b"))
    made.transport.close()
    await turns()
    assert made.told == []
    link.data_received(frame(1, CLOSE))
    assert made.told == [None]
    assert link._connections == {}


@pytest.mark.parametrize("half_open", [False, True])
async def test_one_direction_may_end_before_the_other(half_open: bool) -> None:
    rig = LinkRig()
    ours, theirs = await rig.open(theirs=End(half_open=half_open))
    ours.transport.write(b"question")
    assert ours.transport.can_write_eof()
    ours.transport.write_eof()
    ours.transport.write_eof()
    ours.transport.write(b"never")
    await turns()
    assert theirs.received == b"question"
    if half_open:
        assert theirs.told == ["end"]
        theirs.transport.write(b"answer")
        await turns()
        assert ours.received == b"answer"
        theirs.transport.close()
        await turns()
    assert theirs.told == ["end", None]
    assert ours.told == ["end", None]
    assert rig.open_connections == (0, 0)


async def test_the_end_of_a_direction_waits_for_credit_too() -> None:
    rig = LinkRig()
    ours, theirs = await rig.open(theirs=End(half_open=True))
    theirs.transport.pause_reading()
    ours.transport.write(b"x" * (2 * WINDOW))
    ours.transport.write_eof()
    await turns(20)
    assert theirs.told == []
    theirs.transport.resume_reading()
    await turns(50)
    assert theirs.received == b"x" * (2 * WINDOW)
    assert theirs.told == ["end"]


async def test_abort_loses_what_waits_and_resets_the_other_end() -> None:
    rig = LinkRig()
    (ours, theirs), (other, other_there) = await rig.open(), await rig.open()
    theirs.transport.pause_reading()
    ours.transport.write(b"x" * (2 * WINDOW))
    await turns()
    ours.transport.abort()
    ours.transport.abort()
    assert ours.told == ["pause"], "not within the call"
    await turns()
    assert ours.told == ["pause", None]
    assert theirs.told == [ConnectionResetError]
    assert theirs.received == b""
    theirs.transport.resume_reading()
    other.transport.write(b"unharmed")
    await turns()
    assert other_there.received == b"unharmed"
    assert rig.open_connections == (1, 1)


async def test_what_comes_late_for_one_that_has_ended_is_nobodys() -> None:
    rig = LinkRig()
    ours, theirs = await rig.open()
    ours.transport.close()
    theirs.transport.write(b"x" * (2 * LARGE))
    theirs.transport.write(b"late")
    theirs.transport.write_eof()
    await turns()
    assert ours.received == b""
    assert ours.told == [None]
    assert theirs.told == ["end", None]
    assert rig.lost == []


# --- the link itself is lost ---


async def test_all_connections_are_lost_with_the_link() -> None:
    rig = LinkRig()
    (one, one_there), (two, two_there) = await rig.open(), await rig.open()
    rig.pipe.abort()
    await turns()
    assert (one.told, two.told) == ([None], [None])
    assert (one_there.told, two_there.told) == ([ConnectionResetError], [ConnectionResetError])
    assert [side for side, _ in rig.lost] == ["client", "server"]
    one.transport.write(b"into the void")
    one.transport.abort()
    await turns()
    assert one.told == [None]
    assert rig.client.closing
    with pytest.raises(ConnectionError):
        rig.client.open(End())


async def test_what_came_before_an_orderly_end_of_the_link_is_still_read() -> None:
    rig = LinkRig()
    (ours, theirs), (_, idle) = await rig.open(), await rig.open()
    theirs.transport.pause_reading()
    ours.transport.write(b"the whole answer")
    ours.transport.close()
    await turns()
    rig.client.close()
    await turns()
    assert idle.told == [None]
    assert theirs.told == []
    assert [side for side, _ in rig.lost] == ["client", "server"]
    theirs.transport.write(b"x" * (2 * WINDOW))
    theirs.transport.resume_reading()
    await turns()
    assert theirs.received == b"the whole answer"
    assert theirs.told == ["end", None]


@pytest.mark.parametrize("orderly", [False, True])
async def test_what_came_before_is_dropped_where_an_answer_cannot_go_out(orderly: bool) -> None:
    rig = LinkRig()
    ours, theirs = await rig.open()
    ours.transport.pause_reading()
    theirs.transport.pause_reading()
    ours.transport.write(b"question")
    theirs.transport.write(b"x" * (WINDOW + 1 if orderly else 1))
    await turns()
    if orderly:
        rig.client.close()
    else:
        rig.client.abort()
    await turns()
    assert theirs.told == [None if orderly else ConnectionResetError]
    theirs.transport.resume_reading()
    await turns()
    assert theirs.received == b""


async def test_what_was_written_in_the_same_turn_leaves_before_the_link_closes() -> None:
    rig = LinkRig()
    ours, theirs = await rig.open()
    ours.transport.write(b"last words")
    rig.client.close()
    await turns()
    assert theirs.received == b"last words"
    assert theirs.told == [None]


# --- a protocol that fails ---


@pytest.mark.parametrize("where", ["data", "end", "pause", "lost"])
async def test_a_protocol_that_fails_loses_its_own_connection(where: str) -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    rig = LinkRig()
    (ours, theirs), (other, other_there) = await rig.open(theirs=End(fails_in=where)), await rig.open()
    if where == "data":
        ours.transport.write(b"a")
    elif where == "end":
        ours.transport.write_eof()
    elif where == "pause":
        ours.transport.pause_reading()
        theirs.transport.write(b"a" * (2 * WINDOW))
    else:
        ours.transport.abort()
    await turns(20)
    assert [type(fault["exception"]) for fault in faults] == [LookupError]
    assert faults[0]["transport"] is theirs.transport
    assert theirs.told[-1] is (ConnectionResetError if where == "lost" else LookupError)
    assert ours.told[-1] is (None if where == "lost" else ConnectionResetError)
    other.transport.write(b"unharmed")
    await turns()
    assert other_there.received == b"unharmed"
    assert rig.open_connections == (1, 1)


async def test_a_connection_knows_the_real_ones_peer_but_not_its_socket() -> None:
    rig = LinkRig({"peername": ("127.0.0.1", 1), "socket": object()})
    ours, theirs = await rig.open()
    assert theirs.transport.get_extra_info("peername") == ("127.0.0.1", 1)
    assert theirs.transport.get_extra_info("socket", "none") == "none"
    assert ours.transport.get_extra_info("peername", "none") == "none"
