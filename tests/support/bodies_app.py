"""The web app behind the real web adapter: a server that keeps connections, reads bodies, and streams step by step.

It is copied into a function's code and runs there on the standard library alone. `GATE` is the port of the test's gate.
A stream visits the gate under its request's id; it sends the next character when it reads a byte there.
"""

import json
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ENVIRONMENT = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"][-32:]
WORDS = "any text"
PIECE = bytes(range(256)) * 256


def greet(name: str) -> socket.socket:
    """Tell the test that we are here."""
    connection = socket.create_connection(("127.0.0.1", int(os.environ["GATE"])))
    connection.sendall(json.dumps({"name": name, "environment": ENVIRONMENT, "pid": os.getpid()}).encode() + b"\n")
    return connection


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.body = self.rfile.read(int(self.headers.get("content-length", "0")))
        ROUTES.get(path, ok)(self, query)

    do_POST = do_GET

    @property
    def request_id(self) -> str:
        """None but the readiness check comes without."""
        context = json.loads(self.headers.get("x-amzn-request-context", "{}"))
        return str(context.get("requestId"))

    def begin(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (("x-environment", ENVIRONMENT), *headers):
            self.send_header(name, value)
        self.end_headers()

    def answer(self, body: bytes, content_type: str = "text/plain", status: int = 200) -> None:
        self.begin(status, ("content-type", content_type), ("content-length", str(len(body))))
        self.wfile.write(body)

    def begin_stream(self, content_type: str = "text/plain") -> None:
        self.begin(200, ("content-type", content_type), ("transfer-encoding", "chunked"))

    def send(self, data: bytes) -> None:
        """One chunk; an empty one ends the body."""
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def log_message(self, format: str, *args: object) -> None:
        pass


def ok(app: App, query: str) -> None:
    app.answer(WORDS.encode())


def characters(app: App, query: str) -> None:
    """The request's id, one character for each byte from the gate."""
    app.begin_stream()
    with greet(app.request_id) as gate:
        for character in app.request_id:
            if not gate.recv(1):
                break
            app.send(character.encode())
        app.send(b"")


def cut(app: App, query: str) -> None:
    """Sends a first chunk and, once let go, hangs up."""
    app.begin_stream()
    app.send(b"begin\n")
    with greet("cut") as gate:
        gate.recv(1)
    app.close_connection = True


def vanish(app: App, query: str) -> None:
    """Hangs up without a word."""
    app.close_connection = True


def wait(app: App, query: str) -> None:
    with greet("wait") as gate:
        gate.recv(1)
    ok(app, query)


def echo(app: App, query: str) -> None:
    app.answer(app.body, app.headers.get("content-type", "application/octet-stream"))


def pieces(app: App, query: str) -> None:
    """As many pieces as asked for, 64 KiB each."""
    app.begin_stream("application/octet-stream")
    for _ in range(int(query)):
        app.send(PIECE)
    app.send(b"")


def status(app: App, query: str) -> None:
    """That status, with a body where HTTP lets it have one."""
    if query in ("204", "304"):
        app.begin(int(query))
    else:
        app.answer(f"status {query}".encode(), status=int(query))


def cookies(app: App, query: str) -> None:
    """Two cookies, and those that came."""
    body = app.headers.get("cookie", "").encode()
    length = ("content-length", str(len(body)))
    app.begin(200, ("set-cookie", "one=1; Path=/"), ("set-cookie", "two=2"), ("content-type", "text/plain"), length)
    app.wfile.write(body)


ROUTES: dict[str, Callable[[App, str], None]] = {
    "/characters": characters,
    "/cut": cut,
    "/vanish": vanish,
    "/wait": wait,
    "/echo": echo,
    "/pieces": pieces,
    "/status": status,
    "/cookies": cookies,
}


def leave(signum: int, frame: object) -> None:
    with suppress(OSError):  # not from a network of its own
        greet("term")
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, leave)
    Server(("127.0.0.1", int(os.environ["PORT"])), App).serve_forever()
