"""A handler that blocks the event loop is told of once, with its stack; a frozen process is not."""

import asyncio
import queue
import threading

from penstock_adapter.stall_watch import StallRule, StallWatch


class TestRule:
    def test_a_stall_is_told_once(self) -> None:
        rule = StallRule(1.0)
        assert [rule.is_stall(now / 4, 0.0, 0.0) for now in range(8)] == [False] * 5 + [True, False, False]

    def test_the_next_stall_is_told_again(self) -> None:
        rule = StallRule(1.0)
        assert rule.is_stall(1.5, 0.0, 0.0)
        assert not rule.is_stall(1.75, 1.7, 0.0)
        assert not rule.is_stall(2.6, 1.7, 0.0)
        assert rule.is_stall(2.8, 1.7, 0.0)

    def test_a_freeze_is_nobodys_fault(self) -> None:
        rule = StallRule(1.0)
        assert not rule.is_stall(0.25, 0.2, 0.0)
        assert not rule.is_stall(600.0, 0.2, 0.1)  # thawed; the loop has not had its turn yet
        assert not rule.is_stall(600.25, 0.2, 0.1)
        assert not rule.is_stall(600.5, 600.3, 0.1)
        assert rule.is_stall(601.4, 600.3, 0.1)

    def test_code_that_lets_nobody_look_is_a_stall(self) -> None:
        """A long call into C holds the interpreter's lock: the look is late, and the process has worked."""
        rule = StallRule(1.0)
        assert not rule.is_stall(0.25, 0.2, 0.0)
        assert rule.is_stall(5.0, 0.2, 4.7)


def blocks(until: threading.Event) -> None:
    until.wait(20)


async def test_a_blocked_loop_is_told_with_its_stack() -> None:
    told: queue.Queue[str] = queue.Queue()
    seen = threading.Event()

    def tell(message: str) -> None:
        told.put(message)
        seen.set()

    watch = StallWatch(0.05, tell)
    watch.start()
    blocks(seen)
    watch.stop()
    message = told.get_nowait()
    assert message.startswith("the event loop has stood still for 0.")
    assert "in blocks\n    until.wait(20)" in message
    assert told.empty()


async def test_a_loop_that_turns_is_left_alone() -> None:
    told: list[str] = []
    watch = StallWatch(5.0, told.append)
    watch.start()
    for _ in range(20):
        await asyncio.sleep(0.001)
    watch.stop()
    assert told == []


async def test_zero_watches_nothing() -> None:
    before = threading.active_count()
    watch = StallWatch(0.0, lambda _: None)
    watch.start()
    assert threading.active_count() == before
    watch.stop()
