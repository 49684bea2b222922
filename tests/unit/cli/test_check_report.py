"""What a check tells, for people and for programs, of made-up runs."""

import io
from dataclasses import replace
from pathlib import Path

import orjson
from rich.console import Console

from penstock.check.sizing import Load
from penstock.check.verdict import Rules, Verdict, judge
from penstock.cli.check_report import as_json, print_report
from penstock.cli.check_reporter import CheckReporter
from penstock.control_plane.fleet import FleetEvent, Happening
from penstock.model.errors import StartError
from support.check_runs import foreign, level, measured, own, plain
from support.functions import function

RULES = Rules(load=Load(100))
FUNCTION = replace(function(Path("app")), max_concurrency=16)


def verdict(*, sound: bool) -> Verdict:
    second = [own()] * 16 if sound else [own(), foreign(1)]
    return judge(
        measured(
            level(1, [own(0.0125)] * 4, cpu_s=0.4, peak_mib=100, delays=[0.001] * 9),
            level(16, second, cpu_s=0.5, peak_mib=115),
            most=16,
        ),
        RULES,
    )


def shown(of: Verdict) -> list[str]:
    file = io.StringIO()
    print_report(Console(file=file, highlight=False, width=60), FUNCTION, of, RULES.fail_on)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_sound_function() -> None:
    lines = shown(verdict(sound=True))
    titles = "at once requests ok p50 ms p95 ms per second memory MB CPU ms each loop p95 ms worst ms"
    assert " ".join(lines[0].split()) == titles
    assert lines[1].split() == ["1", "4", "4", "12.5", "12.5", "4.0", "100.0", "100.0", "1.0", "1.0"]
    assert lines[2].split() == ["16", "16", "16", "20.0", "20.0", "16.0", "115.0", "31.2", "n/a", "n/a"]
    product = "100 requests/s x 0.020 s x 1.5 = 3 slots"
    assert lines[4:] == [
        "memory  1.0 MB for each request at a time; 16 at once take 115 MB of 2,048 MB",
        f"load    {product}, 5 environments; 3.12 processors of this machine's kind at work",
        f"sound   {FUNCTION.logical_id}: largest safe PerExecutionEnvironmentMaxConcurrency is 16 of 16",
    ]


def test_an_unsafe_one() -> None:
    lines = shown(verdict(sound=False))
    mixed = "answers mixed between requests: 1 of 2 answers at 16 at once were another request's"
    assert f"fault   GET /hello: {mixed}" in lines
    assert lines[-1].startswith("unsafe  ")
    assert lines[-1].endswith("is 1 of 16 (answers are wrong at 16)")


def test_what_does_not_fail_is_a_warning_or_a_note() -> None:
    lines = shown(judge(measured(level(1, [plain()] * 3, delays=[0.2] * 5), most=1), RULES))
    assert any(line.startswith("warning one request alone holds up the event loop") for line in lines)
    assert any(line.startswith("note    GET /hello: answers do not hold") for line in lines)


def test_brackets_of_the_users_are_not_markup() -> None:
    run = measured(level(1), level(8, [foreign(1)]), targets=["GET /[red]x[/]"])
    assert any("GET /[red]x[/]: answers mixed" in line for line in shown(judge(run, RULES)))


def test_json() -> None:
    value = orjson.loads(orjson.dumps(as_json(FUNCTION, verdict(sound=False), RULES.fail_on)))
    assert value["function"] == FUNCTION.logical_id
    assert (value["sound"], value["largestSafeConcurrency"], value["configuredConcurrency"]) == (False, 1, 16)
    assert value["limitedBy"] == "answers are wrong at 16"
    assert [row["concurrency"] for row in value["levels"]] == [1, 16]
    assert value["levels"][0] == {
        "concurrency": 1,
        "requests": 4,
        "ok": 4,
        "p50Ms": 12.5,
        "p95Ms": 12.5,
        "requestsPerSecond": 4.0,
        "peakMemoryBytes": 100 << 20,
        "cpuMsPerRequest": 100.0,
        "loopDelayP95Ms": 1.0,
        "loopDelayWorstMs": 1.0,
    }
    assert value["levels"][1]["loopDelayP95Ms"] is None
    (finding,) = value["findings"]
    assert (finding["kind"], finding["fails"]) == ("mixed", True)
    assert value["memory"]["holds"] is True
    assert value["load"]["slots"] == 2


def test_json_of_nothing_measured() -> None:
    value = as_json(FUNCTION, judge(measured(level(1)), Rules()), RULES.fail_on)
    assert (value["memory"], value["load"], value["sound"]) == (None, None, True)


# --- what the platform says meanwhile ---


def reporter(*, quiet: bool = False) -> tuple[CheckReporter, io.StringIO]:
    file = io.StringIO()
    return CheckReporter(quiet=quiet, console=Console(file=file, highlight=False, width=60)), file


def test_deaths_are_kept() -> None:
    telling, _ = reporter()
    telling.fleet(FleetEvent("App", Happening.STARTING, 0, 1))
    telling.fleet(FleetEvent("App", Happening.DIED, 0, 1, None, StartError("Runtime.OutOfMemory", "")))
    telling.fleet(FleetEvent("App", Happening.WORKER_DIED, 1, 1, slots=15, max_concurrency=16))
    assert telling.deaths == ["Runtime.OutOfMemory", "a worker process died, slots 15/16"]


def test_progress_is_told_unless_it_is_to_be_quiet() -> None:
    telling, file = reporter()
    for _ in range(2):
        telling.progress("8 requests at once")
    assert file.getvalue() == "8 requests at once\n"
    quiet, file = reporter(quiet=True)
    quiet.progress("8 requests at once")
    assert file.getvalue() == ""
    quiet.warn("[careful]")
    assert file.getvalue() == "warning [careful]\n"


def test_why_a_function_cannot_start() -> None:
    telling, file = reporter(quiet=True)
    telling.failed("App", StartError("Runtime.ExitError", "exit 1", ("a line",)))
    assert file.getvalue() == "error   App cannot start: Runtime.ExitError: exit 1\n  | a line\n"
