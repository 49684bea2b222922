"""curl at a Function URL."""

import json
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.aws_doors import REGION, Doors
from support.clients import PATIENCE_S, need_program, plain_variables, talking
from support.clients_app import ALL_BYTES, GREETING
from support.clients_site import InvokeMode
from support.gate import Gate

# Without the user's ~/.curlrc and proxies.
OPTIONS = ("--disable", "--silent", "--show-error", "--noproxy", "*", "--max-time", str(PATIENCE_S))


@pytest.fixture(scope="module")
def curl() -> str:
    return need_program("curl")


def output(curl: str, *words: str | Path, body: bytes = b"") -> bytes:
    """What it writes; `body` is its standard input."""
    done = subprocess.run(
        [curl, *OPTIONS, *words],
        env=plain_variables(),
        input=body,
        capture_output=True,
        timeout=2 * PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def head(text: bytes) -> tuple[str, dict[str, str]]:
    """The status line, and the headers with their names in lower case."""
    first, *lines = text.decode().replace("\r", "").strip().split("\n")
    return first, {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def test_a_stream_arrives_as_it_is_written(
    curl: str, stream_url: str, tmp_path: Path, gate: Gate, visitor: str
) -> None:
    with talking(tmp_path, curl, *OPTIONS, "--no-buffer", f"{stream_url}/stream?{visitor}") as conversation:
        assert conversation.line() == "begin"
        gate.next(visitor).release()
        assert conversation.rest() == b"end\n"
        assert conversation.ended() == 0


def test_a_buffered_answer_arrives_whole(curl: str, url: str, tmp_path: Path, gate: Gate, visitor: str) -> None:
    with talking(tmp_path, curl, *OPTIONS, f"{url}/stream?{visitor}") as conversation:
        gate.next(visitor).release()
        assert conversation.rest() == b"begin\nend\n"
        assert conversation.ended() == 0


def test_how_each_mode_frames_a_body(curl: str, url: str, mode: InvokeMode) -> None:
    _, headers = head(output(curl, "--dump-header", "-", "--output", "/dev/null", url))
    framing = {name: headers[name] for name in ("content-length", "transfer-encoding") if name in headers}
    length = str(len(GREETING.encode()))
    expected = {"BUFFERED": {"content-length": length}, "RESPONSE_STREAM": {"transfer-encoding": "chunked"}}
    assert framing == expected[mode]


def test_head_has_no_body_and_leaves_the_connection_sound(curl: str, url: str) -> None:
    status, headers = head(output(curl, "--head", url))
    assert status == "HTTP/1.1 200 OK"
    assert headers["content-type"] == "text/plain; charset=utf-8"
    again = output(curl, "--head", url, "--next", *OPTIONS, "--write-out", "%{num_connects}", url)
    assert again.decode().endswith(f"{GREETING}0")


def test_a_binary_upload_comes_back(curl: str, url: str) -> None:
    header = "content-type: application/octet-stream"
    assert output(curl, "--data-binary", "@-", "--header", header, f"{url}/echo", body=ALL_BYTES) == ALL_BYTES


def test_an_upload_in_chunks(curl: str, url: str) -> None:
    """From a pipe: its length is not known beforehand."""
    words = ("--upload-file", "-", "--header", "content-type: application/octet-stream")
    assert output(curl, *words, f"{url}/echo", body=ALL_BYTES) == ALL_BYTES


def test_expect_continue_is_answered(curl: str, url: str) -> None:
    """It sends the body at once when it has been asked for: else only after `--expect100-timeout`, here never."""
    words = ("--header", "Expect: 100-continue", "--expect100-timeout", "1000", "--dump-header", "-")
    said = output(curl, *words, "--data-binary", "@-", f"{url}/request", body=ALL_BYTES)
    assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert json.loads(said.rpartition(b"\r\n\r\n")[2])["length"] == len(ALL_BYTES)


def test_http_1_0(curl: str, url: str) -> None:
    """Which knows no chunks: the end of the connection is the end of the body."""
    said = output(curl, "--http1.0", "--include", f"{url}/bytes")
    first, _, body = said.partition(b"\r\n\r\n")
    _, headers = head(first)
    assert body == ALL_BYTES
    assert "transfer-encoding" not in headers


def test_a_compressed_answer(curl: str, url: str) -> None:
    assert output(curl, "--compressed", f"{url}/gzip") == ALL_BYTES
    assert output(curl, f"{url}/gzip")[:2] == b"\x1f\x8b"


def test_a_function_url_by_its_host(curl: str, url: str, doors: Doors) -> None:
    """One port, many Function URLs: the name of the host tells them apart, as on AWS."""
    seen = dict(json.loads(output(curl, f"{url}/request"))["headers"])
    host = f"{json.loads(seen['x-amzn-request-context'])['apiId']}.lambda-url.{REGION}.localhost"
    port = urlsplit(doors.endpoint).port
    resolve = ("--resolve", f"{host}:{port}:127.0.0.1")
    again = dict(json.loads(output(curl, *resolve, f"http://{host}:{port}/request"))["headers"])
    assert again["x-amzn-lambda-context"]
    assert json.loads(again["x-amzn-request-context"])["domainName"].split(":")[0] == host


def test_methods_paths_and_queries_come_through(curl: str, url: str) -> None:
    said = json.loads(output(curl, "--request", "PATCH", f"{url}/request?a=1&a=%202&b"))
    assert (said["method"], said["path"]) == ("PATCH", "/request?a=1&a=%202&b")
    assert ["user-agent", "curl"] in [[name.lower(), value.split("/")[0]] for name, value in said["headers"]]
