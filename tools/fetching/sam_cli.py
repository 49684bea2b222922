"""The AWS SAM CLI, and cfn-lint with it, which `sam validate --lint` uses: `cfn-lint` stands beside `sam`."""

from typing import Final

from .common import PINS
from .python_package import PythonPackage

CLIENT: Final = PythonPackage("sam-cli", "AWS SAM CLI", "samcli", "sam", PINS / "samcli.txt").client
