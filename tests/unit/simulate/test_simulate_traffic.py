"""`--traffic` and durations as they are typed, and what comes of them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.model.errors import UserError
from penstock.simulate.profile import Measured
from penstock.simulate.traffic import Constant, Daily, Ramp, Series, Spike, Traffic, Waves
from penstock.simulate.traffic_text import read_traffic
from penstock.simulate.units import read_duration, read_number, show_duration


@pytest.mark.parametrize(
    ("text", "traffic"),
    [
        ("constant:1000", Constant(1000)),
        ("constant:1M", Constant(1e6)),
        ("ramp:10..1000/1h", Ramp(10, 1000, 3600)),
        ("ramp:500..0/90s", Ramp(500, 0, 90)),
        ("spike:100,x10@30m/5m", Spike(100, 10, 1800, 300)),
        ("spike:2k,x1.5@0s/10s", Spike(2000, 1.5, 0, 10)),
        ("daily:200..2000", Daily(200, 2000)),
        ("waves:250/30s", Waves(250, 30)),
        ("waves:60/1m x3", Waves(60, 60, 3)),
    ],
)
def test_traffic_as_it_is_typed(text: str, traffic: Traffic) -> None:
    assert read_traffic(text).traffic == traffic


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1000",
        "constant:",
        "constant:many",
        "constant:-1",
        "constant:1e9999",
        "ramp:10..1000",
        "ramp:10/1h",
        "spike:100,10@30m/5m",
        "spike:100,x10@30m",
        "spike:100,x10@30/5m",
        "daily:200",
        "waves:250",
        "waves:250/30",
        "waves:250/30sxmany",
        "sawtooth:1..2",
        "csv:/nowhere/at/all.csv",
        "log:/nowhere/at/all",
    ],
)
def test_a_bad_value_is_one_clear_line(text: str) -> None:
    with pytest.raises(UserError) as caught:
        read_traffic(text)
    assert str(caught.value).startswith("--traffic: ")
    assert "\n" not in str(caught.value)


TRAFFIC = st.one_of(
    st.builds(Constant, st.floats(0, 100)),
    st.builds(Ramp, st.floats(0, 100), st.floats(0, 100), st.floats(1, 500)),
    st.builds(Spike, st.floats(0, 100), st.floats(0, 20), st.floats(0, 300), st.floats(1, 300)),
    st.builds(Daily, st.floats(0, 100), st.floats(0, 100)),
    st.builds(Waves, st.integers(0, 100), st.floats(1, 100), st.one_of(st.none(), st.integers(0, 5))),
    st.lists(st.floats(0, 100), min_size=1, max_size=20).map(lambda rates: Series(list(range(len(rates))), rates)),
)


@given(TRAFFIC, st.floats(0, 1000), st.floats(0, 1000), st.floats(0, 1000))
def test_arrivals_of_parts_are_those_of_the_whole(traffic: Traffic, start: float, one: float, other: float) -> None:
    middle, end = start + one, start + one + other
    parts = traffic.arrivals(start, middle) + traffic.arrivals(middle, end)
    assert parts == pytest.approx(traffic.arrivals(start, end), rel=1e-9, abs=1e-6)
    assert traffic.arrivals(start, end) >= -1e-6
    assert traffic.together(start, middle) + traffic.together(middle, end) == traffic.together(start, end)


def test_what_a_shape_is() -> None:
    assert Ramp(0, 100, 10).arrivals(0, 10) == pytest.approx(500)
    assert Ramp(0, 100, 10).arrivals(10, 20) == pytest.approx(1000)
    assert Spike(10, 5, 100, 50).arrivals(0, 200) == pytest.approx(2000 + 4 * 10 * 50)
    day = Daily(200, 2000)
    assert day.arrivals(0, 86400) == pytest.approx(1100 * 86400)
    assert day.arrivals(4 * 3600, 4 * 3600 + 1) == pytest.approx(200, rel=1e-3)
    assert day.arrivals(16 * 3600, 16 * 3600 + 1) == pytest.approx(2000, rel=1e-3)
    assert [Waves(5, 30).together(at, at + 1) for at in (0, 1, 29, 30, 60)] == [5, 0, 0, 5, 5]


def test_a_table(tmp_path: Path) -> None:
    path = tmp_path / "load.csv"
    path.write_text("second,rps\n10,5\n12,20\n14,0\n")
    given_ = read_traffic(f"csv:{path}")
    assert given_.length == 6
    assert [given_.traffic.arrivals(at, at + 1) for at in range(7)] == [5, 5, 20, 20, 0, 0, 0]
    path.write_text("3\n\n4.5\n")
    assert [read_traffic(f"csv:{path}").traffic.arrivals(at, at + 1) for at in range(3)] == [3, 4.5, 0]


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("1,2\n1,3\n", ":2: "),
        ("1,2\nx\n", ":2: "),
        ("1,2,3\n", ":1: "),
        ("1\n-4\n", ":2: "),
        ("second,rps\n", "no line"),
        ("", "no line"),
    ],
)
def test_a_bad_table_is_told_with_its_line(tmp_path: Path, content: str, where: str) -> None:
    path = tmp_path / "load.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=where):
        read_traffic(f"csv:{path}")


def line(time: str, kind: str, record: dict[str, object]) -> str:
    return json.dumps({"time": time, "type": kind, "environment": "e", "logStream": "s", "record": record})


def test_the_log_of_a_real_run(tmp_path: Path) -> None:
    lines = [
        line("2026-11-23T06:52:12.704Z", "platform.start", {"requestId": "1"}),
        line("2026-11-23T06:52:12.904Z", "platform.start", {"requestId": "2"}),
        line("2026-11-23T06:52:13.104Z", "platform.report", {"metrics": {"durationMs": 400.0}}),
        line("2026-11-23T06:52:14.004Z", "platform.start", {"requestId": "3"}),
        line("2026-11-23T06:52:14.104Z", "platform.report", {"metrics": {"durationMs": 200.0}}),
    ]
    (tmp_path / "App.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "Other.jsonl").write_text("")
    real = read_traffic(f"log:{tmp_path}", "App")
    assert [real.traffic.arrivals(at, at + 1) for at in range(4)] == [2, 0, 1, 0]
    assert real.length == 3
    assert real.durations == Measured((0.2, 0.4))
    with pytest.raises(UserError, match=r"App\.jsonl, Other\.jsonl"):
        read_traffic(f"log:{tmp_path}", "Third")
    with pytest.raises(UserError, match="tells of no request"):
        read_traffic(f"log:{tmp_path}", "Other")


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("90s", 90), ("1.5m", 90), ("24h", 86400), ("7d", 604800)]
)
def test_durations(text: str, seconds: float) -> None:
    assert read_duration(text, "--for") == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "0s", "-1s", "1y", "s", "1e3s", "nan s"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(UserError, match="--for: bad duration"):
        read_duration(text, "--for")


def test_numbers_and_how_durations_are_shown() -> None:
    assert [read_number(text, "x") for text in ("5", "0.5", "10k", "1M")] == [5, 0.5, 10_000, 1_000_000]
    assert [show_duration(one) for one in (0.25, 90, 3600, 5400, 604800, 86461)] == [
        *("250ms", "90s", "1h", "1h30m", "7d", "1d1m1s"),
    ]
