"""The checklist of Function URLs is sound: numbered once, in order, and every test it names is there."""

import subprocess
import sys
from pathlib import Path

from conformance.checklist import ROOT, belongs, load

CHECKLIST = load(Path(__file__).with_name("function_url.yaml"))


def test_every_number_once_and_in_order() -> None:
    numbers = [scenario.number for scenario in CHECKLIST.scenarios]
    assert numbers == sorted(set(numbers))


def test_every_test_exists() -> None:
    """Collected as they are run: pytest refuses a name that leads nowhere."""
    command = (sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *CHECKLIST.all_nodes)
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]
    collected = [line for line in ran.stdout.splitlines() if "::" in line]
    assert [node for node in CHECKLIST.all_nodes if not any(belongs(test, node) for test in collected)] == []


def test_every_file_is_named_for_a_use() -> None:
    assert set(CHECKLIST.files) == {node.partition("::")[0] for one in CHECKLIST.scenarios for node in one.test}
