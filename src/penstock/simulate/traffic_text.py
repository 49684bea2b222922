"""`--traffic` as it is typed, to traffic."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from penstock.model.errors import UserError
from penstock.simulate.profile import Durations
from penstock.simulate.traffic import Constant, Daily, Ramp, Spike, Traffic, Waves
from penstock.simulate.traffic_files import read_csv, read_log
from penstock.simulate.units import read_duration, read_number

_WHAT: Final = "--traffic"
_SHAPES: Final = (
    "constant:1000, ramp:10..1000/1h, spike:100,x10@30m/5m, daily:200..2000, waves:250/30s, csv:FILE or log:PATH"
)


class Given(NamedTuple):
    """`length` in seconds, where the traffic has one of its own; `durations` where a real run told them."""

    traffic: Traffic
    length: float | None = None
    durations: Durations | None = None


def read_traffic(text: str, function: str = "") -> Given:
    """Raises UserError. `function` is the logical id whose log is meant when a folder of logs is given."""
    kind, colon, rest = text.partition(":")
    reader = _READERS.get(kind)
    if not colon or reader is None or not rest:
        raise UserError(f"{_WHAT}: bad value {text!r}; allowed: {_SHAPES}")
    try:
        return reader(rest, function)
    except ValueError:
        shape = next(one for one in _SHAPES.replace(" or ", ", ").split(", ") if one.startswith(kind))
        raise UserError(f"{_WHAT}: bad value {text!r}; allowed: such as {shape}") from None


def _constant(rest: str, _: str) -> Given:
    return Given(Constant(read_number(rest, _WHAT)))


def _ramp(rest: str, _: str) -> Given:
    rates, over = rest.split("/")
    low, high = rates.split("..")
    return Given(Ramp(read_number(low, _WHAT), read_number(high, _WHAT), read_duration(over, _WHAT)))


def _spike(rest: str, _: str) -> Given:
    base, spike = rest.split(",")
    factor, when = spike.split("@")
    at, lasting = when.split("/")
    if not factor.startswith("x"):
        raise ValueError(factor)
    start = 0.0 if at.strip().rstrip("smhd").strip() == "0" else read_duration(at, _WHAT)
    return Given(Spike(read_number(base, _WHAT), read_number(factor[1:], _WHAT), start, read_duration(lasting, _WHAT)))


def _daily(rest: str, _: str) -> Given:
    low, high = rest.split("..")
    return Given(Daily(read_number(low, _WHAT), read_number(high, _WHAT)))


def _waves(rest: str, _: str) -> Given:
    count, every = rest.split("/")
    every, times_sign, times = every.partition("x")
    wanted = int(times) if times_sign else None
    return Given(Waves(int(read_number(count, _WHAT)), read_duration(every, _WHAT), wanted))


def _csv(rest: str, _: str) -> Given:
    series = read_csv(Path(rest))
    return Given(series, series.length)


def _log(rest: str, function: str) -> Given:
    series, durations = read_log(Path(rest), function)
    return Given(series, series.length, durations)


_READERS: Final[Mapping[str, Callable[[str, str], Given]]] = {
    "constant": _constant,
    "ramp": _ramp,
    "spike": _spike,
    "daily": _daily,
    "waves": _waves,
    "csv": _csv,
    "log": _log,
}
