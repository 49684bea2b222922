"""An extension for process tests: subscribes to telemetry and tells at SHUTDOWN what it was sent.

It is copied into a layer and runs in an execution environment, on the function's own Python. Its arguments are its
name, how it listens (`http`, `tcp`, or `deaf`: it listens but never answers) and the port, 0 for any.
"""

import http.client
import http.server
import json
import os
import select
import socket
import socketserver
import sys
import threading

NAME, KIND, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
# With a port of its own, in a network of its own, it listens as AWS's examples do.
HOST = "sandbox.localdomain" if PORT else "127.0.0.1"
received: list[dict[str, object]] = []
paths: set[str] = set()
listeners: list["TcpListener"] = []
taking = threading.Lock()


class HttpListener(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        paths.add(self.path)
        received.extend(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line would be another event."""


class TcpListener(socketserver.BaseRequestHandler):
    """Nobody answers for a batch over TCP: what has arrived when the end comes is taken then."""

    def setup(self) -> None:
        self.rest = b""
        self.ended = False
        listeners.append(self)

    def handle(self) -> None:
        while not self.ended:
            select.select([self.request], [], [])
            self.take()

    def take(self) -> bool:
        """What is there; False when that is nothing."""
        with taking:
            if self.ended or not select.select([self.request], [], [], 0)[0]:
                return False
            data = self.request.recv(65536)
            self.ended = not data
            *lines, self.rest = (self.rest + data).split(b"\n")
            received.extend(map(json.loads, lines))
            return not self.ended


def listen() -> int:
    """The port."""
    if KIND == "deaf":
        deaf.bind((HOST, PORT))
        deaf.listen()
        return int(deaf.getsockname()[1])
    handler = HttpListener if KIND == "http" else TcpListener
    server = socketserver.ThreadingTCPServer((HOST, PORT), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])


def call(method: str, path: str, headers: dict[str, str], body: object = None) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {answer.read()!r}")
    return answer


def destination(port: int) -> dict[str, object]:
    if KIND == "tcp":
        return {"protocol": "TCP", "port": port}
    return {"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{port}/telemetry?from={NAME}"}


def main() -> None:
    answer = call("POST", "/2020-01-01/extension/register", {"Lambda-Extension-Name": NAME}, {"events": ["SHUTDOWN"]})
    known = {"Lambda-Extension-Identifier": answer.headers["Lambda-Extension-Identifier"]}
    subscription = {
        "schemaVersion": "2025-01-29",
        "types": ["platform", "function", "extension"],
        "destination": destination(listen()),
        "buffering": {"timeoutMs": 25},
    }
    sys.stdout.write(f"hello from {NAME}\n")
    sys.stdout.flush()
    call("PUT", "/2022-07-01/telemetry", known, subscription)
    event = json.loads(call("GET", "/2020-01-01/extension/event/next", known).read())
    for listener in listeners:
        while listener.take():
            pass
    told = {"name": NAME, "event": event["eventType"], "paths": sorted(paths), "received": received}
    sys.stdout.write(f"TOLD {json.dumps(told)}\n")
    sys.stdout.flush()


deaf = socket.socket()
main()
