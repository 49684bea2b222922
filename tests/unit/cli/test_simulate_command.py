"""`penstock simulate` as it is typed."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.model.errors import UserError
from support.template_texts import BASE, changed

SUBNETS = "Subnets=subnet-1,subnet-2,subnet-3"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "app").mkdir()
    (tmp_path / "template.yaml").write_text(BASE)
    monkeypatch.chdir(tmp_path)


def simulate(*words: str) -> str:
    result = CliRunner().invoke(app, ["simulate", "--parameter-overrides", SUBNETS, *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def as_json(*words: str) -> dict[str, object]:
    told: dict[str, object] = json.loads(simulate("--json", *words))
    return told


def test_the_templates_own_numbers() -> None:
    told = as_json("--traffic", "constant:5", "--for", "5m")
    assert told["function"] == "Web"
    assert told["mode"] == "events"
    settings = told["settings"]
    assert isinstance(settings, dict)
    assert (settings["maxVCpuCount"], settings["maxConcurrency"], settings["memoryMiB"]) == (400, 64, 2048)
    assert settings["instanceDelaySeconds"] == 90
    series = told["series"]
    assert isinstance(series, list)
    assert sum(one["seconds"] for one in series) == 300
    assert told["served"] == told["requests"]


def test_every_number_can_be_another() -> None:
    told = as_json(
        *("--traffic", "constant:50", "--for", "2m", "--concurrency", "8", "--memory", "4096", "--max-vcpu", "40"),
        *("--target-cpu", "60", "--min", "4", "--max", "9", "--launch-delay", "2m", "--tick", "10s", "--rates"),
        *("--duration", "100ms", "--duration-p99", "300ms", "--cpu", "7ms", "--seed", "5"),
    )
    assert told["mode"] == "rates"
    assert told["seed"] == 5
    assert told["settings"] == {
        "maxVCpuCount": 40,
        "maxConcurrency": 8,
        "targetCpuUtilization": 60,
        "minEnvironments": 4,
        "maxEnvironments": 9,
        "memoryMiB": 4096,
        "vcpus": 2,
        "tickSeconds": 10,
        "instanceDelaySeconds": 120,
        "environmentDelaySeconds": 5,
        "durationMeanSeconds": pytest.approx(0.1118, abs=1e-3),
        "cpuSecondsPerRequest": 0.007,
    }


def test_the_same_words_tell_the_same() -> None:
    words = ("--traffic", "spike:20,x4@1m/1m", "--for", "5m")
    assert simulate(*words) == simulate(*words)


def test_tables() -> None:
    told = simulate("--traffic", "spike:100,x20@1m/2m", "--for", "10m", "--sweep-max-vcpu", "12,40", "--rates")
    for word in ("Web", "throttles", "instances", "Managed Instances", "ordinary Lambda", "3-year plan", "yours"):
        assert word in told
    assert all(len(line) <= 80 for line in told.splitlines())


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href", "action")]


def test_a_page_that_fetches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    simulate("--traffic", "constant:20", "--for", "10m", "--html", str(path), "--sweep-concurrency", "8")
    text = path.read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.tags.count("svg") == 7
    assert page.tags.count("table") == 2
    assert page.addresses == []
    assert "url(" not in text
    assert "@import" not in text
    assert "http://" not in text
    assert "https://" not in text
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    assert len(data["moments"]) == 40
    assert [line[0] for line in data["values"][0]] == ["refused", "all"]


def test_what_comes_from_outside_is_text_in_the_page(tmp_path: Path) -> None:
    table = tmp_path / "<img src=x onerror=alert(1)>.csv"
    table.write_text("5\n5\n")
    path = tmp_path / "report.html"
    simulate("--traffic", f"csv:{table}", "--html", str(path))
    assert "<img" not in path.read_text(encoding="utf-8")


def test_of_several_functions_one_is_named(tmp_path: Path) -> None:
    function = BASE.partition("  Web:\n")[2].partition("Outputs:")[0]
    (tmp_path / "template.yaml").write_text(changed(BASE, "Outputs:\n", "  Other:\n" + function + "Outputs:\n"))
    with pytest.raises(UserError, match="choose one with --function: Web, Other"):
        simulate("--traffic", "constant:1")
    assert as_json("--function", "Other", "--traffic", "constant:1", "--for", "1m")["function"] == "Other"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--traffic", "much"), "--traffic: bad value 'much'"),
        (("--for", "soon"), "--for: bad duration 'soon'"),
        (("--for", "400d"), "--for: 400d is too long"),
        (("--duration", "0ms"), "--duration: bad duration"),
        (("--duration", "1s", "--duration-p99", "500ms"), "--duration-p99: 500ms is less than the median, 1s"),
        (("--memory", "3000"), "--memory: bad value 3000; allowed: 2048 to 32768 in steps of 2048"),
        (("--min", "5", "--max", "2"), "--max: 2 environments are less than the least number, 5"),
        (("--min", "0"), "--min: 0 is allowed together with --max 0 alone"),
        (("--function", "Nobody"), "--function: there is no Nobody; there are: Web"),
        (("--sweep-concurrency", "many"), "--sweep-concurrency: bad value 'many'"),
        (("--sweep-max-vcpu", "1"), "--sweep-max-vcpu: bad value '1'"),
        (("--attempts", "3"), "--attempts: only with --events"),
        (("--traffic", "constant:1", "--for", "1m", "--html", "/nowhere/x.html"), "--html: /nowhere/x.html: No such"),
    ],
)
def test_bad_values_are_one_line(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(UserError) as caught:
        simulate(*words)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)
