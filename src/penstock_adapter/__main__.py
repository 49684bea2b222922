"""`python -I -m penstock_adapter`: what the file /opt/extensions/lambda-adapter runs.

Order is start-up time: register first, on a bare socket, and only then load the event loop and parsers.
"""

import os
import sys

from penstock_adapter import hand_over
from penstock_adapter.endpoint import OptionError, read_endpoint
from penstock_adapter.registration import RegistrationError, send_registration


def main() -> int:
    """Runs until stopped; returns the exit code. A bad variable or a refused registration is one line and 1."""
    environ = os.environ
    address = environ.get("AWS_LAMBDA_RUNTIME_API", "")
    try:
        api = read_endpoint("AWS_LAMBDA_RUNTIME_API", address)
        listener = hand_over.listen(address) if hand_over.is_wanted(environ) else None
        registration = send_registration(api)
    except (OptionError, RegistrationError, hand_over.HandOverError) as error:
        sys.stdout.write(f"ERROR {error}\n")
        return 1
    with registration:
        from penstock_adapter.process import run

        return run(registration, environ, listener)


if __name__ == "__main__":
    sys.exit(main())
