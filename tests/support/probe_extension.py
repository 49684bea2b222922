"""An external extension for tests: standard library only. PROBE_<its name in capitals> says what it does.

What it hears it prints, and so does what it ends by.
"""

import http.client
import http.server
import json
import os
import signal
import socketserver
import sys
import threading
import time
from types import FrameType
from typing import NoReturn

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
NAME = os.path.basename(sys.argv[0])
PREFIX = "/2020-01-01/extension/"
RECEIVED: list[dict[str, object]] = []


def hang() -> NoReturn:
    while True:
        time.sleep(1000)


def say(**what: object) -> None:
    os.write(1, json.dumps({"extension": NAME, **what}).encode() + b"\n")


def leave(_signum: int, _frame: FrameType | None) -> None:
    say(got="SIGTERM")
    os._exit(0)


def request(method: str, path: str, headers: dict[str, str], body: str | None = None) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(API)
    connection.request(method, PREFIX + path, body, headers)
    return connection.getresponse()


class HttpListener(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        RECEIVED.extend(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line would be another event."""


class TcpListener(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while line := self.rfile.readline():
            RECEIVED.append(json.loads(line))


def subscribe(protocol: str, identifier: dict[str, str]) -> None:
    """To all events; those received are told in the end."""
    handler = HttpListener if protocol == "http" else TcpListener
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    where = {"URI": f"http://sandbox.localdomain:{port}"} if protocol == "http" else {"port": port}
    wish = {
        "schemaVersion": "2025-01-29",
        "types": ["platform", "function"],
        "buffering": {"timeoutMs": 25},
        "destination": {"protocol": protocol.upper(), **where},
    }
    connection = http.client.HTTPConnection(API)
    connection.request("PUT", "/2022-07-01/telemetry", json.dumps(wish), identifier)
    assert connection.getresponse().status == 200


def wait_for_report() -> list[object]:
    """The types of all events received, once the end of a request is among them, or after a while."""
    give_up = time.monotonic() + 1
    while "platform.report" not in (types := [event["type"] for event in RECEIVED]) and time.monotonic() < give_up:
        time.sleep(0.01)
    return types


def main() -> None:
    wish, _, argument = os.environ.get(f"PROBE_{NAME.upper()}", "").partition(" ")
    signal.signal(signal.SIGTERM, leave)
    if wish == "exit":  # before it registers
        sys.exit(int(argument))
    if wish == "silent":
        hang()
    events = [] if wish == "uninterested" else ["SHUTDOWN"]
    reply = request("POST", "register", {"Lambda-Extension-Name": NAME}, json.dumps({"events": events}))
    identifier = {"Lambda-Extension-Identifier": reply.headers["Lambda-Extension-Identifier"]}
    if wish == "error":
        request("POST", "init/error", {**identifier, "Lambda-Extension-Function-Error-Type": argument})
        sys.exit(0)
    if wish == "never-ready":
        hang()
    if wish == "variables":
        say(variables=dict(os.environ))
    if wish == "late":
        time.sleep(float(argument))
    if wish == "subscribe":
        subscribe(argument, identifier)
    event = json.loads(request("GET", "event/next", identifier).read())
    say(got=event, at=time.time())
    if wish == "ignore":
        hang()
    if wish == "subscribe":
        say(received=wait_for_report())
    say(leaves=True)


main()
