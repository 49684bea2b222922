"""The bootstrap of a function for tests: standard library only. It does what its variables and its events say.

PROBE_START says what to do instead of, or before, asking for invocations; see `main`. An event is JSON `{"do": what}`;
see `serve`.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType
from typing import NoReturn

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
PREFIX = "/2018-06-01/runtime/"


def post(path: str, body: str, headers: dict[str, str] | None = None) -> int:
    connection = http.client.HTTPConnection(API)
    connection.request("POST", PREFIX + path, body, headers or {})
    return connection.getresponse().status


def hang() -> NoReturn:
    while True:
        time.sleep(1000)


def hold(mib: int) -> bytearray:
    """Memory that is really there: each page is written to."""
    held = bytearray(mib << 20)
    for start in range(0, len(held), 4096):
        held[start] = 1
    return held


def leave(_signum: int, _frame: FrameType | None) -> None:
    os.write(1, b"runtime got SIGTERM\n")
    os._exit(0)


def answer(event: dict[str, str]) -> str:
    what, _, argument = event["do"].partition(" ")
    if what == "exit":
        os._exit(int(argument))
    if what == "signal":
        os.kill(os.getpid(), int(argument))
    if what == "hold":
        held = hold(int(argument))
        time.sleep(5)
        return str(len(held))
    if what == "child":  # the same in a process below this one
        return str(subprocess.run([sys.executable, "-ISc", _CHILD % int(argument)], check=False).returncode)
    if what == "burn":  # in two processes, for so long; how long both have worked
        burners = [subprocess.Popen([sys.executable, "-ISc", _BURN % argument], stdout=-1) for _ in range(2)]
        return str(sum(float(burner.communicate()[0]) for burner in burners))
    if what == "write":
        with open("/tmp/file", "wb") as file:
            for _ in range(int(argument)):
                file.write(bytes(1 << 20))
        return "written"
    if what == "room":  # what fits in /tmp, in MiB
        return str(os.statvfs("/tmp").f_bavail * os.statvfs("/tmp").f_bsize >> 20)
    if what == "variables":
        return json.dumps(dict(os.environ))
    if what == "hang":
        hang()
    return what


_CHILD = "import time\nheld = bytearray(b'x') * (%d << 20)\ntime.sleep(5)"

_BURN = """
import time
end = time.monotonic() + %s
while time.monotonic() < end:
    pass
print(time.process_time())
"""


def serve() -> None:
    connection = http.client.HTTPConnection(API)
    while True:
        connection.request("GET", PREFIX + "invocation/next")
        reply = connection.getresponse()
        event = json.loads(reply.read())
        request_id = reply.headers["Lambda-Runtime-Aws-Request-Id"]
        post(f"invocation/{request_id}/response", answer(event))


def main() -> None:
    start, _, argument = os.environ.get("PROBE_START", "serve").partition(" ")
    if start == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, leave)
    if start == "error":
        post("init/error", '{"errorMessage": "told"}', {"Lambda-Runtime-Function-Error-Type": argument})
        sys.exit(1)
    if start == "exit":
        sys.exit(int(argument))
    if start == "hold":
        _held = hold(int(argument))
        hang()
    if start == "hang":
        hang()
    for _ in range(int(os.environ["AWS_LAMBDA_MAX_CONCURRENCY"])):
        threading.Thread(target=serve, daemon=True).start()
    hang()


main()
