"""The AWS CLI at the AWS-compatible port: `aws lambda ...`."""

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.aws_doors import Doors, event, split_stream
from support.clients import PATIENCE_S, need_client
from support.clients_site import NAMES, InvokeMode
from support.gate import Gate

# `aws lambda WORDS...` in a folder of the test's own.
Aws = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def aws(doors: Doors, tmp_path: Path) -> Aws:
    command = need_client("aws-cli")
    variables = doors.variables(HOME=str(tmp_path), AWS_MAX_ATTEMPTS="1", AWS_PAGER="")

    def call(*words: str) -> "subprocess.CompletedProcess[str]":
        # Its address is given by word here, and by environment to the other clients.
        given: tuple[str | Path, ...] = (
            command,
            "--endpoint-url",
            doors.endpoint,
            "--output",
            "json",
            "lambda",
            *words,
        )
        return subprocess.run(
            given,
            cwd=tmp_path,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_S,
            check=False,
        )

    return call


def said(done: "subprocess.CompletedProcess[str]") -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_invoke_with_the_tail_of_the_log(aws: Aws, mode: InvokeMode, tmp_path: Path, visitor: str) -> None:
    payload = event("echo", visitor)
    words = ("--function-name", NAMES[mode], "--payload", payload, "--log-type", "Tail", "out")
    answer = said(aws("invoke", *words))
    assert answer["StatusCode"] == 200
    assert "REPORT RequestId: " in base64.b64decode(str(answer["LogResult"])).decode()
    came = (tmp_path / "out").read_bytes()
    body = split_stream(came)[1] if mode == "RESPONSE_STREAM" else came
    assert json.loads(body) == json.loads(payload)


def test_an_event(aws: Aws, gate: Gate, tmp_path: Path, visitor: str) -> None:
    words = ("--function-name", "Streaming", "--invocation-type", "Event", "--payload", event("visit", visitor), "out")
    assert said(aws("invoke", *words)) == {"StatusCode": 202}
    assert (tmp_path / "out").read_bytes() == b""
    gate.next(visitor).release()


def test_an_error_of_the_function(aws: Aws, tmp_path: Path, visitor: str) -> None:
    answer = said(aws("invoke", "--function-name", "Buffered", "--payload", event("fail", visitor), "out"))
    assert answer["FunctionError"] == "Unhandled"
    assert "errorMessage" in json.loads((tmp_path / "out").read_text())


def test_an_error_of_the_call(aws: Aws) -> None:
    done = aws("invoke", "--function-name", "nobody", "out")
    assert done.returncode == 255
    assert "(ResourceNotFoundException) when calling the Invoke operation: Function not found: " in done.stderr


def test_list_functions(aws: Aws, doors: Doors) -> None:
    listed = said(aws("list-functions"))["Functions"]
    assert isinstance(listed, list)
    assert [one["FunctionName"] for one in listed] == sorted(doors.site.urls)


def test_get_function_url_config(aws: Aws, doors: Doors, mode: InvokeMode) -> None:
    config = said(aws("get-function-url-config", "--function-name", NAMES[mode], "--qualifier", "live"))
    assert config["InvokeMode"] == mode
    assert str(config["FunctionUrl"]).rstrip("/") == doors.site.url(NAMES[mode])
