"""Any use of connections on a link, by both ends, in any order: what arrives is what was written, as far as it went.

What must hold however it goes: bytes keep their order and their connection, an end that closed without a reset has
delivered everything, each end hears exactly one end, and nobody keeps more than the window.
"""

import asyncio
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from penstock_adapter.link_transport import LARGE, WINDOW
from support.fuzzing import TRIED, examples
from support.link_rig import End, LinkRig, turns

SIZES = st.sampled_from([1, 5, 1000, LARGE - 1, LARGE, WINDOW // 2, WINDOW, WINDOW + 1, 3 * WINDOW])
PICK = st.integers(0, 7)


class LinkMachine(RuleBasedStateMachine):
    """`pairs` are both ends of each connection; `written` is what each end wrote while it might."""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.faults: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.faults.append(context))
        self.pairs: list[tuple[End, End]] = []
        self.written: dict[End, bytes] = {}
        self.reset: set[End] = set()
        self.stamp = 0
        self.rig = self.loop.run_until_complete(self._make())

    async def _make(self) -> LinkRig:
        return LinkRig()

    def run(self, act: Any) -> None:
        async def step() -> None:
            act()
            await turns(2)

        TRIED["steps on a link"] += 1
        self.loop.run_until_complete(step())

    @rule(half_open=st.booleans())
    @precondition(lambda self: len(self.pairs) < 6)
    def open(self, half_open: bool) -> None:
        pair = self.loop.run_until_complete(
            self.rig.open(End(half_open=half_open), End(half_open=half_open)),
        )
        self.pairs.append(pair)
        self.written |= dict.fromkeys(pair, b"")

    def pick(self, number: int) -> tuple[End, End]:
        """An end, and the one at the other side."""
        one, two = self.pairs[number // 2 % len(self.pairs)]
        return (one, two) if number % 2 else (two, one)

    @rule(number=PICK, size=SIZES)
    @precondition(lambda self: self.pairs)
    def write(self, number: int, size: int) -> None:
        end, _ = self.pick(number)
        self.stamp += 1
        data = bytes([self.stamp % 255 + 1]) * size
        if not (end.transport.is_closing() or end.transport._eof_sent):
            self.written[end] += data
        self.run(lambda: end.transport.write(data))

    @rule(number=PICK)
    @precondition(lambda self: self.pairs)
    def pause(self, number: int) -> None:
        self.run(self.pick(number)[0].transport.pause_reading)

    @rule(number=PICK)
    @precondition(lambda self: self.pairs)
    def resume(self, number: int) -> None:
        self.run(self.pick(number)[0].transport.resume_reading)

    @rule(number=PICK)
    @precondition(lambda self: self.pairs)
    def end_one_direction(self, number: int) -> None:
        self.run(self.pick(number)[0].transport.write_eof)

    @rule(number=PICK)
    @precondition(lambda self: self.pairs)
    def close(self, number: int) -> None:
        self.run(self.pick(number)[0].transport.close)

    @rule(number=PICK)
    @precondition(lambda self: self.pairs)
    def abort(self, number: int) -> None:
        end, other = self.pick(number)
        self.reset |= {end, other}
        self.run(end.transport.abort)

    @invariant()
    def nothing_is_mixed_up(self) -> None:
        for pair in getattr(self, "pairs", []):
            for end, other in (pair, pair[::-1]):
                assert self.written[other].startswith(end.received)
                assert end.held <= WINDOW
                assert sum(told is None or isinstance(told, type) for told in end.told) <= 1
        assert getattr(self, "faults", []) == []

    def teardown(self) -> None:
        """Everybody reads again and closes: then everything is where it was sent."""
        if not hasattr(self, "rig"):
            return
        try:
            self.loop.run_until_complete(self._finish())
            self.nothing_is_mixed_up()
            assert self.rig.open_connections == (0, 0)
            assert self.rig.lost == []
        finally:
            self.loop.close()

    async def _everything_sent(self) -> None:
        """Or it is clear that it never will be: megabytes take some thousands of turns."""
        for _ in range(1000):
            await turns(20)
            if not any(end.transport.get_write_buffer_size() for end in self.written):
                break
        await turns(20)

    async def _finish(self) -> None:
        untouched = [
            (end, other)
            for pair in self.pairs
            for end, other in (pair, pair[::-1])
            if not (end.transport.is_closing() or self.reset & {end, other})
        ]
        for pair in self.pairs:
            for end in pair:
                end.transport.resume_reading()
        await self._everything_sent()
        for end, other in untouched:
            assert end.received == self.written[other]
        for pair in self.pairs:
            for end in pair:
                end.transport.close()
        await self._everything_sent()
        for end in self.written:
            assert sum(told is None or isinstance(told, type) for told in end.told) == 1


TestLinkMachine = LinkMachine.TestCase
TestLinkMachine.settings = settings(max_examples=examples(60), stateful_step_count=30, deadline=None)
