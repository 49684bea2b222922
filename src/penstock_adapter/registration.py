"""Registering as an external extension, begun before anything heavy is loaded.

The platform starts the user's app only once every external extension has registered, so the request leaves on a
plain socket while the rest of the adapter is still being imported. `extension` reads the answer.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

import socket

from penstock_adapter.endpoint import Endpoint

# The platform knows an external extension by its file's name, so this is the name of the file in /opt/extensions.
EXTENSION_NAME = "lambda-adapter"
# No events: its presence alone earns the app a SIGTERM at the end. The bytes are LWA's own.
_BODY = b'{ "events": [] }'
# A loopback connect either works at once or never; `assumed`.
_CONNECT_TIMEOUT_S = 5.0


class RegistrationError(Exception):
    """The Extensions API did not take us; without it the environment cannot live."""


def send_registration(api: Endpoint, name: str = EXTENSION_NAME) -> socket.socket:
    """Connects to `api`, sends the register request of `name`, and hands back the socket the answer will come on.

    Raises `RegistrationError` when nothing listens there.
    """
    request = (
        f"POST /2020-01-01/extension/register HTTP/1.1\r\nhost: {api.netloc}\r\nconnection: close\r\n"
        f"lambda-extension-name: {name}\r\ncontent-length: {len(_BODY)}\r\n\r\n"
    )
    try:
        connection = socket.create_connection((api.host, api.port), timeout=_CONNECT_TIMEOUT_S)
    except OSError as error:
        raise RegistrationError(f"cannot reach the Extensions API at {api.netloc}: {error}") from error
    try:
        connection.sendall(request.encode() + _BODY)
    except OSError as error:
        connection.close()
        raise RegistrationError(f"the Extensions API at {api.netloc} hung up: {error}") from error
    connection.setblocking(False)
    return connection
