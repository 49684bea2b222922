"""`--bandwidth`: from the command line to what environments are made from."""

import sys
from pathlib import Path

import pytest

from penstock.cli import main as module
from penstock.cli import up_command
from penstock.cli.reporter import Reporter
from penstock.cli.up import UpOptions
from penstock.runtime_api.bandwidth import AWS, Bandwidth


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *flags: str) -> tuple[object, list[Bandwidth | None]]:
    """The exit code, and the bandwidth of each run that was begun."""
    begun: list[Bandwidth | None] = []

    def up(options: UpOptions, reporter: Reporter) -> int:
        begun.append(options.bandwidth)
        return 0

    template = folder / "template.yaml"
    template.touch()
    monkeypatch.setattr(up_command, "run_up", up)
    monkeypatch.setattr(sys, "argv", ["penstock", "up", str(template), *flags])
    with pytest.raises(SystemExit) as left:
        module.main()
    return left.value.code, begun


@pytest.mark.parametrize(
    ("flags", "bandwidth"), [((), None), (("--bandwidth", "unlimited"), None), (("--bandwidth", "aws"), AWS)]
)
def test_taken(
    flags: tuple[str, ...], bandwidth: Bandwidth | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, tmp_path, *flags) == (0, [bandwidth])


def test_anything_else_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path, "--bandwidth", "2MB") == (2, [])
    [line] = capsys.readouterr().err.splitlines()
    assert "'2MB'" in line
    assert "aws" in line
