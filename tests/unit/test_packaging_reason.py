"""uv's errors, in one line."""

import pytest

from penstock.packaging.dependencies import _reason


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["Using CPython 3.13.0", "error: No solution found", "  cause: Because x and y,", "         z."],
            "No solution found: Because x and y, z.",
        ),
        (
            ["  \N{MULTIPLICATION SIGN} No solution found:", "  ╰─▶ Because x,", "      y."],
            "No solution found: Because x, y.",
        ),
        (
            ["error: Couldn't parse", "  fastapi===!x", "         ^^^^^", "", "hint: do this", "and that"],
            "Couldn't parse fastapi===!x",
        ),
        (["error: 1", *"23456789"], "1 2 3 4 ... 6 7 8 9"),
        (["something else", "went wrong"], "something else went wrong"),
        ([], "uv ended with status 2 and said nothing"),
    ],
)
def test_reason(lines: list[str], expected: str) -> None:
    assert _reason(lines, 2) == expected


def test_reason_has_an_end() -> None:
    assert len(_reason(["error: " + "x" * 10_000], 2)) <= 800
