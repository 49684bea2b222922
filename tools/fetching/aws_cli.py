"""The AWS CLI, version 1: the one that PyPI has."""

from typing import Final

from .common import PINS
from .python_package import PythonPackage

# 25 MB to fetch, a second to install from uv's cache.
CLIENT: Final = PythonPackage("aws-cli", "AWS CLI", "awscli", "aws", PINS / "awscli.txt").client
