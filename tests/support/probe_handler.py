"""An ordinary Lambda handler that does what a test asks for by path. Copied into projects as `app.py`."""

import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

ENVIRONMENT = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"].rpartition("]")[2]

Event = dict[str, Any]
Answer = object


def greet(name: str) -> socket.socket:
    """A visit at the test's gate."""
    connection = socket.create_connection(("127.0.0.1", int(os.environ["GATE"])))
    connection.sendall(json.dumps({"name": name, "environment": ENVIRONMENT, "pid": os.getpid()}).encode() + b"\n")
    return connection


def wait(event: Event, context: Any) -> Answer:
    with greet("wait") as connection:
        connection.recv(1)
    return os.getpid()


def look(event: Event, context: Any) -> Answer:
    return {
        "path": sys.path,
        "utf8": sys.flags.utf8_mode,
        "cwd": os.getcwd(),
        "variables": dict(os.environ),
        "remaining": context.get_remaining_time_in_millis(),
        "requestId": context.aws_request_id,
        "arn": context.invoked_function_arn,
    }


def load(event: Event, context: Any) -> Answer:
    """The file of the module that the query names."""
    return str(__import__(event["rawQueryString"]).__file__)


def fail(event: Event, context: Any) -> Answer:
    raise ValueError("it broke")


def write(event: Event, context: Any) -> Answer:
    with greet("write") as connection:
        connection.recv(1)
    for number in range(200):
        print(f"{os.getpid()}:{number}:" + "x" * 40)  # noqa: T201
    return os.getpid()


def log(event: Event, context: Any) -> Answer:
    logging.getLogger("probe").warning("said by %s", "the handler")
    return "logged"


def die(event: Event, context: Any) -> Answer:
    os.kill(os.getpid(), signal.SIGKILL)
    return "dead"


ACTIONS: dict[str, Callable[[Event, Any], Answer]] = {
    action.__name__: action for action in (wait, look, load, fail, write, log, die)
}


def handler(event: Event, context: Any) -> Answer:
    result = ACTIONS[event["rawPath"].strip("/")](event, context)
    return {"statusCode": 200, "headers": {"x-environment": ENVIRONMENT}, "body": json.dumps(result)}
