"""Traffic out of files: a table of requests a second, or the log of a real run."""

import csv
import math
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Final

from penstock.model.errors import Place, UserError
from penstock.simulate.profile import Durations, Measured
from penstock.simulate.traffic import Series
from penstock.telemetry.log_reader import LogLine, LogReader

_RULE: Final = "allowed: `second,rps` or `rps` on each line, seconds rising"
_SUFFIX: Final = ".jsonl"


def read_csv(path: Path) -> Series:
    """`second,rps` a line, or `rps` alone for each second; a first line of words is passed over. Raises UserError."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file), 1) if row]
    except OSError as error:
        raise UserError(f"--traffic: {path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"--traffic: {path} is not CSV in UTF-8") from None
    if rows and not _is_number(rows[0][1][0]):
        rows = rows[1:]
    if not rows:
        raise UserError(f"--traffic: {path} holds no line with a number; {_RULE}")
    moments: list[float] = []
    rates: list[float] = []
    for number, row in rows:
        if len(row) not in (1, 2) or not all(map(_is_number, row)):
            raise UserError(f"bad line {','.join(row)!r}; {_RULE}", Place(path, number))
        moment = float(row[0]) if len(row) == 2 else float(len(moments))
        if moments and moment <= moments[-1]:
            raise UserError(f"second {row[0]} does not come after the one before; {_RULE}", Place(path, number))
        moments.append(moment)
        rates.append(float(row[-1]))
    return Series([moment - moments[0] for moment in moments], rates)


def _is_number(text: str) -> bool:
    try:
        number = float(text)
    except ValueError:
        return False
    return math.isfinite(number) and number >= 0


def read_log(path: Path, function: str = "") -> tuple[Series, Durations | None]:
    """Requests in each second of a run, and how long they took: from START and REPORT records.

    `path` is a file, or a folder of logs such as `.penstock/STACK/logs`, of which `function`'s counts.
    Raises UserError.
    """
    reader = LogReader(_log_file(path, function))
    starts: Counter[int] = Counter()
    took: list[float] = []
    try:
        for line in reader.new_lines():
            if line.type == "platform.start":
                starts[_second(line)] += 1
            elif line.type == "platform.report" and (seconds := _duration(line)) is not None:
                took.append(seconds)
    finally:
        reader.close()
    if not starts:
        raise UserError(f"--traffic: {reader.path} tells of no request")
    first, last = min(starts), max(starts)
    seconds_of_run = range(last - first + 1)
    series = Series([float(one) for one in seconds_of_run], [float(starts[first + one]) for one in seconds_of_run])
    return series, Measured.of(took) if took else None


def _log_file(path: Path, function: str) -> Path:
    if not path.is_dir():
        if not path.is_file():
            raise UserError(f"--traffic: no log at {path}")
        return path
    files = sorted(path.glob(f"*{_SUFFIX}"))
    named = [file for file in files if file.name == f"{function}{_SUFFIX}"]
    found = named or files
    if len(found) == 1:
        return found[0]
    known = ", ".join(file.name for file in files) or "none"
    raise UserError(f"--traffic: name one log in {path}; there are: {known}")


def _second(line: LogLine) -> int:
    return int(datetime.fromisoformat(line.time).timestamp())


def _duration(line: LogLine) -> float | None:
    metrics = line.record.get("metrics") if isinstance(line.record, dict) else None
    took = metrics.get("durationMs") if isinstance(metrics, dict) else None
    return took / 1000 if isinstance(took, int | float) else None
