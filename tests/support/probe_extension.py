"""An external extension for tests: standard library only. PROBE_<its name in capitals> says what it does.

What it hears it prints, and so does what it ends by.
"""

import http.client
import json
import os
import signal
import sys
import time
from types import FrameType
from typing import NoReturn

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
NAME = os.path.basename(sys.argv[0])
PREFIX = "/2020-01-01/extension/"


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
    event = json.loads(request("GET", "event/next", identifier).read())
    say(got=event, at=time.time())
    if wish == "ignore":
        hang()
    say(leaves=True)


main()
