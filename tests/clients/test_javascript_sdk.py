"""The AWS SDK for JavaScript at the AWS-compatible port."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from support.aws_doors import Doors, event, split_stream
from support.clients import Conversation, need_client, need_program, talking
from support.clients_site import NAMES, InvokeMode
from support.gate import Gate

SCRIPT = Path(__file__).with_name("javascript_sdk.cjs")
Line = dict[str, object]
# The SDK's name of a command, and its parameters.
Call = Callable[[str, dict[str, str]], AbstractContextManager[Conversation]]


@pytest.fixture
def call(doors: Doors, tmp_path: Path) -> Call:
    node, modules = need_program("node"), need_client("javascript-sdk") / "node_modules"
    variables = doors.variables(HOME=str(tmp_path), NODE_PATH=str(modules))

    def start(command: str, parameters: dict[str, str]) -> AbstractContextManager[Conversation]:
        return talking(tmp_path, node, SCRIPT, command, json.dumps(parameters), variables=variables)

    return start


def lines(conversation: Conversation) -> list[Line]:
    """Those it has yet to write."""
    found = [json.loads(line) for line in conversation.rest().decode().splitlines()]
    assert conversation.ended() == 0, conversation.errors
    return found


def test_invoke(call: Call, mode: InvokeMode, visitor: str) -> None:
    payload = event("echo", visitor)
    with call("Invoke", {"FunctionName": NAMES[mode], "Payload": payload}) as conversation:
        [line] = lines(conversation)
    assert (line["answer"], line["status"]) == ({"ExecutedVersion": "1", "StatusCode": 200}, 200)
    came = str(line["payload"]).encode()
    body = split_stream(came)[1] if mode == "RESPONSE_STREAM" else came
    assert json.loads(body) == json.loads(payload)


def test_chunks_leave_as_the_function_writes_them(call: Call, gate: Gate, visitor: str) -> None:
    parameters = {"FunctionName": NAMES["RESPONSE_STREAM"], "Payload": event("stream", visitor)}
    with call("InvokeWithResponseStream", parameters) as conversation:
        assert json.loads(conversation.line())["status"] == 200
        came = ""
        while not came.endswith("begin\n"):  # the prelude may come by itself
            came += json.loads(conversation.line())["chunk"]
        gate.next(visitor).release()
        *chunks, complete = lines(conversation)
    assert split_stream(came.encode()) == (200, b"begin\n")
    assert chunks == [{"chunk": "end\n"}]
    assert complete == {"InvokeComplete": {}}


def test_a_stream_of_a_buffered_function(call: Call, visitor: str) -> None:
    payload = event("echo", visitor)
    with call("InvokeWithResponseStream", {"FunctionName": NAMES["BUFFERED"], "Payload": payload}) as conversation:
        _, chunk, complete = lines(conversation)
    assert json.loads(str(chunk["chunk"])) == json.loads(payload)
    assert complete == {"InvokeComplete": {}}


def test_a_stream_tells_the_error_of_the_function(call: Call, mode: InvokeMode, visitor: str) -> None:
    parameters = {"FunctionName": NAMES[mode], "Payload": event("fail", visitor)}
    with call("InvokeWithResponseStream", parameters) as conversation:
        complete = lines(conversation)[-1]["InvokeComplete"]
    assert isinstance(complete, dict)
    assert complete["ErrorCode"] == "Unhandled"


def test_an_error_of_the_call(call: Call) -> None:
    with call("Invoke", {"FunctionName": "nobody"}) as conversation:
        [line] = lines(conversation)
    assert (line["error"], line["status"]) == ("ResourceNotFoundException", 404)
