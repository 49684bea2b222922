"""A port that stays free while nobody uses it."""

import random
import socket

# Below those that systems hand out to whoever asks for any port, and below those of environments:
# https://docs.kernel.org/networking/ip-sysctl.html#ip-variables (ip_local_port_range)
_RANGE = range(10_000, 20_000)


def port_of_nobody() -> int:
    """For a test that uses it more than once: none that runs beside it is given the same one in between."""
    for port in random.sample(_RANGE, 100):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise AssertionError(f"no free port among 100 of {_RANGE}")
