"""`python -m penstock_adapter.in_process`: the app that the handler names, on the Runtime API in this process.

Order is start-up time: register first, on a bare socket, and only then load the event loop, parsers and the app.
"""

import os
import socket
import sys

from penstock_adapter.endpoint import Endpoint, OptionError, read_endpoint
from penstock_adapter.registration import RegistrationError, send_registration

# Of the internal extension, because Lambda sends SIGTERM only where there is one. Not the name of the file in
# /opt/extensions, which registers for itself. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
_EXTENSION_NAME = "penstock-in-process"


def main() -> int:
    """Runs until stopped; returns the exit code. What keeps it from starting is told in the log and to the platform."""
    environ = os.environ
    if environ.get("LAMBDA_TASK_ROOT", "/var/task") not in sys.path:
        sys.path.insert(0, environ.get("LAMBDA_TASK_ROOT", "/var/task"))
    first = True
    try:
        if "PENSTOCK_WORKERS" in environ:
            from penstock_adapter.worker_processes import is_first, read_workers, run_workers

            workers = read_workers(environ, os.cpu_count() or 1)
            if workers > 1:
                return run_workers(sys.orig_argv, environ, workers)
            first = is_first(environ)
        api = read_endpoint("AWS_LAMBDA_RUNTIME_API", environ.get("AWS_LAMBDA_RUNTIME_API", ""))
    except OptionError as error:
        sys.stdout.write(f"ERROR {error}\n")
        return 1
    registration = _register(api) if first else None
    from penstock_adapter.asgi_process import run

    return run(environ, api, registration)


def _register(api: Endpoint) -> socket.socket | None:
    try:
        return send_registration(api, _EXTENSION_NAME)
    except RegistrationError as error:
        sys.stdout.write(f"WARN {error}; at its end the app gets no SIGTERM\n")
        return None


if __name__ == "__main__":
    sys.exit(main())
