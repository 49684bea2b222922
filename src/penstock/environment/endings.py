"""How the end of a process is told, in the words of Lambda. Pure.

Types: https://github.com/aws/aws-lambda-runtime-interface-emulator (internal/lambda-managed-instances/rapid). Its
messages are empty; the service's own texts, with the request's id in front, are those its users report:
https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html (runtimes),
https://github.com/DataDog/datadog-lambda-extension/issues/263 and
https://github.com/DataDog/datadog-lambda-python/issues/230 (extensions).
"""

import signal

from penstock.environment.sandbox import ProcessExit
from penstock.model.errors import FunctionError, StartError

RUNTIME = "runtime"


def end_of(name: str, ended: ProcessExit | None) -> StartError:
    """What it means for the environment that process `name` ended, or, with None, that its sandbox was lost."""
    if ended is None:
        # Nobody's fault inside, so neither of AWS's types for exits; this name is assumed.
        return StartError("Sandbox.Lost", "the first process of the environment ended")
    if name != RUNTIME:
        return StartError("Extension.Crash", "exit code 0" if ended.returncode == 0 else _how(ended))
    if ended.returncode == 0:
        return StartError("Runtime.ExitError", "Runtime exited without providing a reason")
    return StartError("Runtime.ExitError", f"Runtime exited with error: {_how(ended)}")


def out_of_memory() -> StartError:
    """What it means for the environment that it held more than its MemorySize, whichever of its processes did."""
    return StartError("Runtime.OutOfMemory", "Runtime exited with error: signal: killed")


def caused(reported: StartError | None, ended: StartError) -> StartError:
    """The error to tell: the first one reported names the type of what follows, and the end its text if it had none."""
    if reported is None:
        return ended
    return reported if reported.message else StartError(reported.error_type, ended.message)


def invocation_error(error: StartError, request_id: str) -> FunctionError:
    """What the caller of an invocation hears that was in flight when its environment died."""
    return FunctionError(error.error_type, f"RequestId: {request_id} Error: {error.message}" if error.message else "")


def _how(ended: ProcessExit) -> str:
    """As Go words the end of a process: `exit status 1`, `signal: killed`."""
    if ended.signal is None:
        return f"exit status {ended.returncode}"
    words = (signal.strsignal(ended.signal) or f"signal {ended.signal}").lower()
    return f"signal: {words.partition(':')[0]}"  # macOS adds the number
