"""All of a made-up run together: what is safe, and what fails."""

import pytest

from penstock.check.findings import Kind, read_fail_on
from penstock.check.sizing import Load
from penstock.check.verdict import Rules, judge
from penstock.model.errors import UserError
from support.check_runs import failed, foreign, level, measured, own, plain, sightings, text


def test_a_sound_app() -> None:
    verdict = judge(measured(level(1), level(8), level(64)), Rules())
    assert (verdict.findings, verdict.notes, verdict.failed) == ((), (), False)
    assert (verdict.largest_safe, verdict.limited_by) == (64, "")


def test_safe_up_to_the_level_before_the_first_bad_one() -> None:
    levels = [level(1), level(8), level(16, [own(), foreign(3)]), level(32), level(64)]
    verdict = judge(measured(*levels), Rules())
    assert (verdict.largest_safe, verdict.limited_by) == (8, "answers are wrong at 16")
    assert verdict.failed


def test_not_even_one_at_a_time() -> None:
    verdict = judge(measured(level(1, [failed()])), Rules())
    assert verdict.largest_safe == 0
    assert verdict.failed


def test_an_environment_that_died() -> None:
    verdict = judge(measured(level(1), level(8, [failed(502)], died="Runtime.ExitError: exit status 3")), Rules())
    assert [finding.kind for finding in verdict.findings] == [Kind.ERRORS]
    assert "died at 8 requests at once: Runtime.ExitError: exit status 3" in verdict.findings[0].text
    assert (verdict.largest_safe, verdict.limited_by) == (1, "the environment dies at 8")


def test_one_out_of_memory_is_a_matter_of_memory_alone() -> None:
    verdict = judge(measured(level(1), level(8, [failed(502)], died="Runtime.OutOfMemory")), Rules())
    assert [finding.kind for finding in verdict.findings] == [Kind.MEMORY]


def test_overwritten_state_makes_one_at_a_time_the_most() -> None:
    seen = sightings((1, {"m.user": text("a", "a")}), (8, {"m.user": text("b", "b")}))
    run = measured(level(1), level(8), sightings=seen, most=8)
    verdict = judge(run, Rules())
    assert (verdict.largest_safe, verdict.limited_by) == (1, "requests overwrite module state")
    ignored = judge(run, Rules(ignored_state=frozenset({"m.user"})))
    assert (ignored.largest_safe, ignored.failed) == (8, False)


def test_memory_may_allow_less_than_the_levels() -> None:
    verdict = judge(measured(*(level(count, peak_mib=100 * count) for count in (1, 8, 16)), most=16), Rules())
    assert verdict.largest_safe == 16
    tight = judge(measured(*(level(count, peak_mib=150 * count) for count in (1, 8, 12)), most=64), Rules())
    assert (tight.largest_safe, tight.failed) == (12, True)
    full = judge(measured(*(level(count, peak_mib=121 * count) for count in (1, 8, 16)), most=16), Rules())
    assert (full.largest_safe, full.limited_by) == (8, "16 take over 90% of MemorySize")


def test_levels_that_were_not_tried_are_not_called_safe() -> None:
    verdict = judge(measured(level(1), level(8), most=64), Rules())
    assert (verdict.largest_safe, verdict.limited_by) == (8, "more were not tried")


def test_waiting_limits_and_does_not_fail() -> None:
    run = measured(level(1, [own(0.05)] * 3), level(8, [own(0.5)] * 8), most=8)
    verdict = judge(run, Rules())
    assert (verdict.largest_safe, verdict.failed) == (1, False)
    assert verdict.limited_by == "requests wait for each other at 8"
    assert judge(run, Rules(latency_factor=20)).largest_safe == 8


def test_what_fails_comes_first_and_may_be_chosen() -> None:
    run = measured(level(1, delays=[0.1] * 5), level(8, [own(), foreign(1)]))
    assert [finding.kind for finding in judge(run, Rules()).findings] == [Kind.MIXED, Kind.LOOP]
    chosen = judge(run, Rules(fail_on=frozenset({Kind.LOOP})))
    assert [finding.kind for finding in chosen.findings] == [Kind.LOOP, Kind.MIXED]
    assert not judge(run, Rules(fail_on=frozenset())).failed


def test_an_app_that_does_not_answer_with_tokens_is_told_so() -> None:
    (note,) = judge(measured(level(1, [plain()] * 3)), Rules()).notes
    assert note.startswith("GET /hello: answers do not hold their request's token")


def test_the_table() -> None:
    durations = [0.01] * 90 + [0.05] * 10
    answers = [*(own(seconds) for seconds in durations), failed()]
    run = measured(level(1, answers, seconds=2.0, cpu_s=0.61, peak_mib=50, delays=[0.001] * 99 + [0.2]), idle_cpu=0.05)
    (row,) = judge(run, Rules()).levels
    assert (row.concurrency, row.requests, row.ok) == (1, 101, 100)
    assert (row.p50, row.p95, row.rps) == (0.01, 0.05, 50.0)
    assert row.cpu_s == pytest.approx((0.61 - 0.05 * 2) / 101)
    assert (row.loop_p95, row.loop_worst) == (0.001, 0.2)


def test_too_little_processor_time_says_nothing() -> None:
    (row,) = judge(measured(level(1, cpu_s=0.03)), Rules()).levels
    assert row.cpu_s is None


def test_slots_are_those_of_the_highest_safe_level() -> None:
    levels = [level(1, [own(0.02)] * 3), level(8, [own(0.04)] * 3), level(16, [foreign(1)])]
    sizing = judge(measured(*levels), Rules(load=Load(100))).sizing
    assert sizing is not None
    assert (sizing.duration, sizing.slots, sizing.environments) == (0.04, 6, 1)
    assert judge(measured(*levels), Rules()).sizing is None


def test_kinds_to_fail_on() -> None:
    assert read_fail_on(["mixed,errors", "loop"]) == {Kind.MIXED, Kind.ERRORS, Kind.LOOP}
    assert read_fail_on(["none"]) == frozenset()
    for words in (["none,mixed"], ["speed"], [""]):
        with pytest.raises(UserError, match="--fail-on"):
            read_fail_on(words)
