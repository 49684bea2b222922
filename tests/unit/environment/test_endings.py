"""How the end of a process is worded, and which of two errors is told."""

import pytest

from penstock.environment.endings import caused, end_of, invocation_error, out_of_memory
from penstock.environment.sandbox import ProcessExit
from penstock.model.errors import StartError


@pytest.mark.parametrize(
    ("name", "returncode", "signum", "told"),
    [
        ("runtime", 0, None, "Runtime.ExitError: Runtime exited without providing a reason"),
        ("runtime", 1, None, "Runtime.ExitError: Runtime exited with error: exit status 1"),
        ("runtime", None, 9, "Runtime.ExitError: Runtime exited with error: signal: killed"),
        ("runtime", None, 11, "Runtime.ExitError: Runtime exited with error: signal: segmentation fault"),
        ("runtime", None, 15, "Runtime.ExitError: Runtime exited with error: signal: terminated"),
        ("agent", 0, None, "Extension.Crash: exit code 0"),
        ("agent", 255, None, "Extension.Crash: exit status 255"),
        ("agent", None, 9, "Extension.Crash: signal: killed"),
    ],
)
def test_end_of_a_process(name: str, returncode: int | None, signum: int | None, told: str) -> None:
    assert str(end_of(name, ProcessExit(name, returncode, signum))) == told


@pytest.mark.parametrize("name", ["runtime", "agent"])
def test_a_lost_sandbox_is_nobodys_fault_inside(name: str) -> None:
    assert str(end_of(name, None)) == "Sandbox.Lost: the first process of the environment ended"


def test_what_was_reported_first_names_the_cause() -> None:
    ended = StartError("Runtime.ExitError", "how it ended")
    assert caused(None, ended) is ended
    assert str(caused(StartError("Runtime.ImportModuleError", "why"), ended)) == "Runtime.ImportModuleError: why"
    assert str(caused(StartError("Extension.NoKey", ""), ended)) == "Extension.NoKey: how it ended"


def test_a_caller_hears_the_id_of_its_own_request() -> None:
    error = invocation_error(out_of_memory(), "r1")
    assert error.error_type == "Runtime.OutOfMemory"
    assert error.message == "RequestId: r1 Error: Runtime exited with error: signal: killed"
    assert invocation_error(StartError("Extension.InitError", ""), "r1").message == ""
