"""The web app that real clients call. It is copied into a function's code and runs on the standard library alone.

`GATE` is the port of the test's gate: a stream writes its first part, visits the gate under the name in its query, and
writes its second part when the test lets it go on.
"""

import gzip
import json
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ALL_BYTES = bytes(range(256)) * 256
GREETING = "naïve ☃"
# The web adapter is told to take it for an error of the function.
ERROR_STATUS = 555

# Appends what comes to the visible text of the page.
PAGE = """\
<!doctype html><meta charset="utf-8"><title>page</title><pre id="text"></pre>
<script>
const show = (words) => { document.getElementById("text").textContent += words; };
const name = location.search.slice(1);
%s
</script>
"""
FETCH = """\
(async () => {
  const reader = (await fetch("stream?" + name)).body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    show(decoder.decode(value, { stream: true }));
  }
  show("closed\\n");
})();
"""
EVENTS = """\
const source = new EventSource("feed?" + name);
source.onmessage = (event) => show(`${event.lastEventId} ${event.data}\\n`);
source.addEventListener("end", () => { source.close(); show("closed\\n"); });
"""


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path, _, self.query = self.path.partition("?")
        self.body = self.rfile.read(int(self.headers.get("content-length", "0")))
        with suppress(ConnectionError):
            ROUTES.get(path, greet)(self)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET

    def begin(self, *headers: tuple[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def answer(self, body: bytes, content_type: str, *headers: tuple[str, str], status: int = 200) -> None:
        self.begin(("content-type", content_type), ("content-length", str(len(body))), *headers, status=status)
        if self.command != "HEAD":
            self.wfile.write(body)

    def stream(self, content_type: str, first: str, second: str, visitor: str = "") -> None:
        self.begin(("content-type", content_type), ("transfer-encoding", "chunked"))
        self.send(first.encode())
        wait_at_gate(visitor or self.query)
        self.send(second.encode())
        self.send(b"")

    def send(self, data: bytes) -> None:
        """One chunk; an empty one ends the body."""
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def log_message(self, format: str, *args: object) -> None:
        pass


def wait_at_gate(name: str) -> None:
    with socket.create_connection(("127.0.0.1", int(os.environ["GATE"]))) as connection:
        environment = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"][-32:]
        said = {"name": name, "environment": environment, "pid": os.getpid()}
        connection.sendall(json.dumps(said).encode() + b"\n")
        connection.recv(1)


def greet(app: App) -> None:
    app.answer(GREETING.encode(), "text/plain; charset=utf-8")


def stream(app: App) -> None:
    app.stream("text/plain", "begin\n", "end\n")


def feed(app: App) -> None:
    app.stream("text/event-stream", "id: 1\ndata: begin\n\n", "id: 2\ndata: end\n\nevent: end\ndata:\n\n")


def echo(app: App) -> None:
    app.answer(app.body, app.headers.get("content-type", "application/octet-stream"))


def request(app: App) -> None:
    """The request as it came here."""
    seen = {"method": app.command, "path": app.path, "headers": app.headers.items(), "length": len(app.body)}
    app.answer(json.dumps(seen).encode(), "application/json")


def all_bytes(app: App) -> None:
    app.answer(ALL_BYTES, "application/octet-stream")


def zipped(app: App) -> None:
    app.answer(gzip.compress(ALL_BYTES), "application/octet-stream", ("content-encoding", "gzip"))


def cookies(app: App) -> None:
    """Sets two, and answers with those that came."""
    came = app.headers.get("cookie", "").encode()
    app.answer(came, "text/plain", ("set-cookie", "one=1; Path=/"), ("set-cookie", "two=2; HttpOnly"))


def event(app: App) -> None:
    """An invocation whose event is not a request: `do` says what with, `name` who comes to the gate."""
    payload = json.loads(app.body)
    sys.stdout.write(f"event {payload['name']}\n")
    sys.stdout.flush()
    if payload["do"] == "stream":
        app.stream("text/plain", "begin\n", "end\n", payload["name"])
        return
    if payload["do"] == "visit":
        wait_at_gate(payload["name"])
    status = ERROR_STATUS if payload["do"] == "fail" else 200
    app.answer(app.body, "application/json", status=status)


def fetch_page(app: App) -> None:
    app.answer((PAGE % FETCH).encode(), "text/html")


def events_page(app: App) -> None:
    app.answer((PAGE % EVENTS).encode(), "text/html")


ROUTES: dict[str, Callable[[App], None]] = {
    "/stream": stream,
    "/feed": feed,
    "/events": event,
    "/echo": echo,
    "/request": request,
    "/bytes": all_bytes,
    "/gzip": zipped,
    "/cookies": cookies,
    "/fetch-page": fetch_page,
    "/events-page": events_page,
}

if __name__ == "__main__":
    Server(("127.0.0.1", int(os.environ["PORT"])), App).serve_forever()
