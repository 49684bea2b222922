"""The token that each request carries, so that its answer can be told from another's. Pure."""

import re
from typing import Final

# Letters and digits alone: it stands in headers, paths, queries and bodies without being encoded.
_PREFIX: Final = "pstk"
_RUN: Final = re.compile(r"[0-9a-f]{8}")


class Tokens:
    """Those of one run. `run` is eight hexadecimal digits, so that no text of the app's holds one by chance."""

    def __init__(self, run: str) -> None:
        if not _RUN.fullmatch(run):
            raise ValueError(f"not eight hexadecimal digits: {run!r}")
        self.pattern: Final = f"{_PREFIX}{run}x[0-9a-f]{{8}}"
        self._head = f"{_PREFIX}{run}x"
        self._find = re.compile(self.pattern.encode(), re.IGNORECASE)

    def make(self, number: int) -> str:
        """That of request `number`, of 2**32."""
        return f"{self._head}{number:08x}"

    def find(self, data: bytes) -> frozenset[int]:
        """The numbers of the requests whose tokens `data` holds, in any case."""
        return frozenset(int(token[-8:], 16) for token in self._find.findall(data))
