"""Whatever happens to a function, each event that was accepted ends once: handled, discarded or written down."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.invoke_api.event_queue import QueueSettings
from penstock.model.errors import FunctionError, InvocationError, PlatformError
from support.event_rig import LAMBDA, SQS, EventRig

Step: TypeAlias = "tuple[str, float]"

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), st.integers(1, 5)),
        st.tuples(st.just("answer"), st.just(0)),
        st.tuples(st.just("function error"), st.just(0)),
        st.tuples(st.just("platform error"), st.just(0)),
        st.tuples(st.just("slots"), st.integers(0, 4)),
        st.tuples(st.just("time"), st.sampled_from([0.005, 0.1, 1.0, 60.0, 120.0, 300.0])),
    ),
    max_size=60,
)
DESTINATIONS = st.sampled_from([None, f"{SQS}kept", f"{LAMBDA}app"])


@settings(deadline=None)
@given(STEPS, st.integers(0, 2), st.sampled_from([60, 300, 21_600]), DESTINATIONS, DESTINATIONS)
def test_no_event_is_lost_or_told_twice(
    steps: list[Step], retries: int, age: int, on_success: str | None, on_failure: str | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rig = EventRig(
            Path(folder),
            settings=QueueSettings(max_events=8, max_in_flight=3),
            max_retry_attempts=retries,
            max_age_s=age,
            on_success=on_success,
            on_failure=on_failure,
        )
        accepted = [name for number, step in enumerate(steps) for name in _do(rig, step, number)]
        handled = [one.request_id for one in rig.attempts if one.error is None]
        discarded = [one.request_id for one in rig.discarded]
        left = [one.request_id for one in rig.queue.close()]
        ends = Counter([*handled, *discarded, *left])
        assert max(ends.values(), default=1) == 1
        assert set(accepted) <= set(ends)
        if LAMBDA not in f"{on_success}{on_failure}":
            assert set(accepted) == set(ends)
        assert len(rig.queue) == 0
        assert rig.queue._bytes == 0
        assert rig.clock.waiting == 0
        assert not rig.troubles


def _do(rig: EventRig, step: Step, number: int) -> list[str]:
    """Request ids of what was accepted."""
    name, value = step
    ended: dict[str, bytes | InvocationError] = {
        "answer": b"{}",
        "function error": FunctionError("ValueError"),
        "platform error": PlatformError("Runtime.Unknown"),
    }
    if name == "accept":
        wanted = [f"r{number}-{index}" for index in range(int(value))]
        return [request_id for request_id in wanted if rig.accept(b"{}", request_id)]
    if name == "slots":
        rig.target.slots = int(value)
    elif name == "time":
        rig.clock.advance(value)
    elif rig.target.running:
        rig.target.end(ended[name])
    assert len(rig.target.running) <= 3
    assert len(rig.queue) <= 8
    return []
