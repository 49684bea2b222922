"""How hard to fuzz, and how much was tried."""

import os
from collections import Counter
from typing import Final

VARIABLE: Final = "PENSTOCK_FUZZ"
"""How many times more than in an ordinary run; `make fuzz` sets it."""

TRIED: Final[Counter[str]] = Counter()
"""Inputs tried in this process, by what they were."""


def examples(ordinary: int) -> int:
    return ordinary * int(os.environ.get(VARIABLE, "1"))
