"""How workers share memory, in words."""

from dataclasses import replace
from pathlib import Path

import pytest

from penstock.cli import workers
from support.functions import function


@pytest.mark.parametrize(
    ("memory", "count", "line"),
    [
        (2048, 16, "App: 16 workers share 2048 MB: 128 MB each"),
        (4096, 100, "App: 100 workers share 4096 MB: 40 MB each"),
        (2048, 1, "App: 1 worker has 2048 MB: 2048 MB each"),
    ],
)
def test_memory_line(memory: int, count: int, line: str) -> None:
    made = replace(function(Path("/code")), memory_mib=memory, max_concurrency=count)
    assert workers.memory_line(made) == line
