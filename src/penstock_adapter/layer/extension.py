"""What /opt/extensions/lambda-adapter runs: the proxy where the function has a web server, else nothing.

Lambda starts every file in /opt/extensions, whatever mode the function uses, and takes the exit of one for a crash of
the environment. So in in-process mode it registers, which the runtime waits for, and sleeps.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

import os
import socket
import sys
from collections.abc import Mapping

# This file is /opt/python/penstock_adapter/layer/extension.py.
_PYTHON_FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_MAX_HEAD_BYTES = 64 * 1024


def is_proxy(variables: Mapping[str, str]) -> bool:
    """Behind /opt/bootstrap, and behind /opt/penstock where the handler is a file all the same. Without a mount
    namespace the wrapper is in another folder, and called the same.
    """
    from penstock_adapter.hand_over import is_wanted

    wrapper = os.path.basename(variables.get("AWS_LAMBDA_EXEC_WRAPPER", ""))
    return wrapper == "bootstrap" or (wrapper == "penstock" and is_wanted(variables))


def main() -> int:
    """Runs until it is stopped; returns the exit code. What is wrong is one line and 1."""
    version = "python{}.{}".format(*sys.version_info[:2])
    sys.path[:0] = [os.path.join(_PYTHON_FOLDER, "lib", version, "site-packages"), _PYTHON_FOLDER]
    if is_proxy(os.environ):
        from penstock_adapter.__main__ import main as run_proxy

        return run_proxy()
    return _idle(os.environ.get("AWS_LAMBDA_RUNTIME_API", ""))


def _idle(address: str) -> int:
    from penstock_adapter.endpoint import OptionError, read_endpoint
    from penstock_adapter.registration import RegistrationError, send_registration

    try:
        api = read_endpoint("AWS_LAMBDA_RUNTIME_API", address)
        with send_registration(api) as registration:
            identifier = _identifier(_read_head(registration))
        with socket.create_connection((api.host, api.port)) as waiting:
            waiting.sendall(
                f"GET /2020-01-01/extension/event/next HTTP/1.1\r\nhost: {api.netloc}\r\n"
                f"lambda-extension-identifier: {identifier}\r\n\r\n".encode()
            )
            # With no events asked for there is no answer for as long as the environment lives.
            waiting.recv(1)
    except (OptionError, RegistrationError, OSError) as error:
        sys.stdout.write(f"ERROR {error}\n")
        return 1
    return 0


def _read_head(connection: socket.socket) -> bytes:
    connection.setblocking(True)
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _MAX_HEAD_BYTES and (data := connection.recv(4096)):
        head += data
    return head


def _identifier(head: bytes) -> str:
    from penstock_adapter.registration import RegistrationError

    status_line, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    identifier = fields.get("lambda-extension-identifier", "")
    if " 200 " not in f"{status_line} " or not identifier:
        raise RegistrationError(f"the Extensions API refused to register us: {status_line or 'no answer'}")
    return identifier


if __name__ == "__main__":
    sys.exit(main())
