"""An installation is named by everything its requirements file depends on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.packaging import requirements


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def changes(file: Path, change: Callable[[], object]) -> bool:
    before = requirements.digest(file)
    change()
    return requirements.digest(file) != before


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("-r more.txt", "more.txt"),
        ("--requirement=sub/more.txt", "sub/more.txt"),
        ("-c limits.txt", "limits.txt"),
        ("--constraint limits.txt  # why", "limits.txt"),
        ("./local", "local/setup.py"),
        ("-e ./local", "local/setup.py"),
        ("wheels/x-1-py3-none-any.whl", "wheels/x-1-py3-none-any.whl"),
        ("--find-links ./wheels", "wheels/x-1-py3-none-any.whl"),
        ("x @ file:local ; python_version > '3'", "local/setup.py"),
    ],
)
def test_what_a_line_names_counts(tmp_path: Path, line: str, other: str) -> None:
    file = write(tmp_path / "requirements.txt", f"fastapi\n{line}\n")
    write(tmp_path / other, "one")
    assert changes(file, lambda: write(tmp_path / other, "two"))


def test_includes_are_followed_from_the_file_that_names_them(tmp_path: Path) -> None:
    file = write(tmp_path / "requirements.txt", "-r sub/a.txt")
    write(tmp_path / "sub" / "a.txt", "-r b.txt")
    write(tmp_path / "sub" / "b.txt", "one")
    assert changes(file, lambda: write(tmp_path / "sub" / "b.txt", "two"))


def test_own_text_counts_and_neighbours_do_not(tmp_path: Path) -> None:
    file = write(tmp_path / "requirements.txt", "fastapi")
    write(tmp_path / "fastapi" / "x.py", "one")
    assert not changes(file, lambda: write(tmp_path / "fastapi" / "x.py", "two"))
    assert not changes(file, lambda: write(tmp_path / "main.py", "two"))
    assert changes(file, lambda: write(file, "fastapi==1"))


def test_what_else_is_mixed_in_counts(tmp_path: Path) -> None:
    file = write(tmp_path / "requirements.txt", "fastapi")
    assert requirements.digest(file, "3.13.0") != requirements.digest(file, "3.13.1")


def test_files_that_include_each_other_and_unreadable_lines(tmp_path: Path) -> None:
    file = write(tmp_path / "requirements.txt", "-r a.txt\n-r missing.txt\nx == 'open\n-r\n")
    write(tmp_path / "a.txt", "-r requirements.txt")
    assert len(requirements.digest(file)) == 64
