"""For tests that install real packages: skipped where there are none to be had."""

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest
from uv import find_uv_bin

# uv's words for an index that does not answer, in any of its versions.
_OFFLINE = ("Failed to fetch", "error sending request", "dns error", "Request failed", "Could not connect")


def _uv(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([find_uv_bin(), *words], capture_output=True, text=True, check=False, timeout=100)


@cache
def _resolved(requirements: Path) -> "subprocess.CompletedProcess[str]":
    """Once in a test run: no test changes what it needs."""
    return _uv("pip", "compile", "--quiet", "--no-header", str(requirements))


@cache
def _cache_folder() -> str:
    return _uv("cache", "dir").stdout.strip()


def need_packages(requirements: Path) -> dict[str, str]:
    """The variables to install `requirements` with: the user's own, so that the user's settings of uv count.

    Skips the test when they can be had neither from uv's cache nor from the package index.
    """
    tried = _resolved(requirements)
    if tried.returncode and any(words in tried.stderr for words in _OFFLINE):
        pytest.skip(f"the package index cannot be reached: {' '.join(tried.stderr.split())[:200]}")
    return {**os.environ, "UV_CACHE_DIR": _cache_folder()}
