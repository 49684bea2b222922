"""What the translator made of a template, kept for the next start: importing it takes longer than all else here.

The key holds everything the result depends on, so an entry is never out of date; only successes are kept.
"""

import contextlib
import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path

from penstock.template.source import Map


def entry(folder: Path, template: Map, parameters: dict[str, str], region: str) -> Path:
    """Where the result for these inputs is, or would be."""
    inputs = [version("aws-sam-translator"), template, parameters, region]
    # In the order written: the translator's result keeps it.
    return folder / f"{hashlib.sha256(json.dumps(inputs).encode()).hexdigest()}.json"


def recall(path: Path) -> Map | None:
    """None when there is no such entry, or none that can be read."""
    with contextlib.suppress(OSError, ValueError):
        value = json.loads(path.read_bytes())
        if isinstance(value, dict):
            return value
    return None


def remember(path: Path, result: Map) -> None:
    """Keep a result. A folder that cannot be written only costs the time of the next start."""
    with contextlib.suppress(OSError, TypeError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(result))
        part.replace(path)
