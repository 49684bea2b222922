"""Where a Lambda API listens. Imports nothing: read before anything heavy is loaded."""


class OptionError(Exception):
    """A variable that cannot be used: one line naming it, what it held and what is allowed."""


class Endpoint:
    """Host, port and path prefix of an HTTP API. `netloc` is what a `host` header says."""

    __slots__ = ("base", "host", "netloc", "port")

    def __init__(self, host: str, port: int, base: str = "") -> None:
        self.host = host
        self.port = port
        self.base = base
        shown = f"[{host}]" if ":" in host else host
        self.netloc = f"{shown}:{port}"


def read_port(variable: str, text: str) -> int:
    """A TCP port. Empty means 80, as in a URL, which is how LWA reads it. Raises `OptionError`."""
    if text == "":
        return 80
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
        raise OptionError(f"{variable}={text!r} is not a port: expected a number from 1 to 65535")
    return int(text)


def read_endpoint(variable: str, text: str) -> Endpoint:
    """`host:port` or `http://host:port[/base]`. Raises `OptionError`.

    The second form is what AWS_LWA_LAMBDA_RUNTIME_API_PROXY may hold:
    https://github.com/aws/aws-lambda-web-adapter/pull/737
    """
    address, _, base = text.removeprefix("http://").partition("/")
    host, _, port = address.rpartition(":")
    if not host:
        host, port = port, ""
    if not host or "://" in text.removeprefix("http://") or " " in host:
        raise OptionError(f"{variable}={text!r} is not an address: expected host:port")
    base = base.rstrip("/")
    return Endpoint(host.strip("[]"), read_port(variable, port), f"/{base}" if base else "")
