"""Percentiles, lines, and what they say of memory, speed and slots."""

import pytest

from penstock.check.findings import Finding, Kind
from penstock.check.judge_memory import judge_memory, mb, measure_need
from penstock.check.judge_speed import judge_latency, judge_loop
from penstock.check.measured import Measured
from penstock.check.numbers import Line, fit_line, percentile
from penstock.check.sizing import Load, size
from support.check_runs import MIB, level, measured, own


def test_percentiles_are_values_that_were_there() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.95), percentile(values, 1)) == (51, 96, 100)
    assert percentile([3.0], 0.95) == 3.0


def test_a_line_through_points() -> None:
    line = fit_line([(1, 12.0), (8, 26.0), (16, 42.0)])
    assert line == pytest.approx(Line(10.0, 2.0))
    assert line.at(64) == pytest.approx(138.0)


def test_one_point_far_off_does_not_turn_it() -> None:
    points = [(float(x), 10.0 + 2 * x) for x in (1, 8, 16, 32, 64)]
    points[2] = (16.0, 400.0)
    assert fit_line(points).slope == pytest.approx(2.0, rel=0.3)


def test_a_line_through_one_point_is_flat() -> None:
    assert fit_line([(1, 5.0)]) == Line(5.0, 0.0)
    with pytest.raises(ValueError, match="no points"):
        fit_line([])


# --- memory ---


def memory_findings(run: Measured) -> list[Finding]:
    return judge_memory(run, measure_need(run))


def test_memory_of_one_more_request() -> None:
    run = measured(*(level(count, peak_mib=100 + 5 * count) for count in (1, 8, 16)), most=64)
    need = measure_need(run)
    assert need is not None
    assert need.per_request == pytest.approx(5 * MIB)
    assert need.at_maximum == pytest.approx(420 * MIB)
    assert not need.seen
    assert need.most_requests == int((0.9 * 2048 - 100) / 5)
    assert judge_memory(run, need) == []


def test_memory_that_was_seen_at_the_maximum_counts_as_seen() -> None:
    need = measure_need(measured(level(1, peak_mib=100), level(16, peak_mib=130), most=16))
    assert need is not None
    assert (need.at_maximum, need.seen) == (130 * MIB, True)


def test_memory_that_falls_costs_nothing() -> None:
    need = measure_need(measured(level(1, peak_mib=100), level(8, peak_mib=90), most=64))
    assert need is not None
    assert (need.per_request, need.most_requests) == (0.0, None)
    assert need.at_maximum == 100 * MIB


def test_memory_that_would_not_hold() -> None:
    (finding,) = memory_findings(measured(level(1, peak_mib=100), level(8, peak_mib=450), most=64))
    assert finding.kind is Kind.MEMORY
    assert not finding.mild
    assert finding.text == "MemorySize does not hold: 64 requests at once would take 3,250 MB of 2,048 MB"


def test_memory_that_only_just_holds_is_no_failure() -> None:
    (finding,) = memory_findings(measured(level(1, peak_mib=100), level(16, peak_mib=1900), most=16))
    assert finding.mild
    assert "16 requests at once took 1,900 MB of 2,048 MB" in finding.text
    assert not finding.fails({Kind.MEMORY})


def test_an_environment_that_ran_out_of_it() -> None:
    (finding,) = memory_findings(measured(level(1, peak_mib=100), level(8, peak_mib=2000, died="Runtime.OutOfMemory")))
    assert "2,048 MB were too little for 8 requests at once" in finding.text
    assert not finding.mild


def test_memory_of_slots_that_are_processes() -> None:
    need = measure_need(measured(level(1, peak_mib=800), level(16, peak_mib=832), most=16, shares_process=False))
    assert need is not None
    assert (need.per_request, need.at_maximum, need.base) == (52 * MIB, 832 * MIB, 0.0)
    assert need.most_requests == 35


def test_memory_that_could_not_be_read() -> None:
    run = measured(level(1), level(8))
    assert measure_need(run) is None
    assert memory_findings(run) == []


def test_megabytes_as_aws_counts_them() -> None:
    assert (mb(1.25 * MIB), mb(2048 * MIB)) == ("1.2 MB", "2,048 MB")


# --- speed ---


def test_a_loop_that_one_request_holds_up() -> None:
    blocks = {"main.py:4 in odd": (0.06,), "main.py:9 in report": (0.08, 0.09)}
    delays = [0.001, 0.08, 0.09, 0.06, 0.002]
    (finding,) = judge_loop(measured(level(1, delays=delays, blocks=blocks)))
    assert finding.kind is Kind.LOOP
    assert "3 times, for 80 ms at p50: main.py:9 in report" in finding.text


def test_a_loop_that_is_late_once_or_now_and_then_or_only_under_load() -> None:
    assert judge_loop(measured(level(1, delays=[0.001, 0.3]), level(8, delays=[0.2] * 9))) == []
    assert judge_loop(measured(level(1, [own()] * 100, delays=[0.3] * 9))) == []
    assert judge_loop(measured(level(1, [own()] * 100, delays=[0.3] * 10))) != []


def test_no_loop_was_seen() -> None:
    assert judge_loop(measured(level(1))) == []


def test_requests_that_wait_for_each_other() -> None:
    run = measured(level(1, [own(0.05)] * 3), level(8, [own(0.2)] * 8), level(16, [own(0.4)] * 8))
    (finding,) = judge_latency(run, 5.0)
    assert finding.kind is Kind.LATENCY
    assert finding.text == "requests wait for each other: p95 is 50 ms alone, 400 ms at 16 at once"


def test_quick_requests_may_wait_a_little() -> None:
    run = measured(level(1, [own(0.001)] * 3), level(64, [own(0.09)] * 8))
    assert judge_latency(run, 5.0) == []


# --- slots ---


def test_slots_by_littles_law_with_headroom() -> None:
    """200 requests a second of 0.2 s are 40 at a time, and 60 with headroom."""
    sizing = size(Load(200), 0.2, 16, None, 1.0)
    assert (sizing.slots, sizing.environments, sizing.vcpus) == (60, 4, None)


def test_a_duration_of_the_users_own() -> None:
    assert size(Load(200, 1.0), 0.2, 16, None, 1.0).slots == 300


def test_processor_time_may_need_more_environments_than_slots() -> None:
    """200 requests of 10 ms are two processors at work, at 70 % three of one each."""
    sizing = size(Load(200), 0.02, 64, 0.01, 1.0)
    assert (sizing.slots, sizing.environments) == (6, 3)
    assert sizing.vcpus == pytest.approx(2.0)


def test_the_smallest_load_needs_a_slot() -> None:
    sizing = size(Load(0.001), 0.001, 64, 0.001, 1.0)
    assert (sizing.slots, sizing.environments) == (1, 1)
