"""The example as a user runs it: `penstock up examples/fastapi-streaming/template.yaml`, from its requirements on."""

import shutil
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from support.calls import Call, Reply
from support.package_index import need_packages
from support.projects import Project
from support.up import Up, command, eventually, running

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi-streaming"
SENTENCE = "one process answers many requests at the same time"
SECONDS_PER_CHARACTER = 0.05
SLOTS = 3 * 64


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy, so that nothing is written into the repository."""
    folder = tmp_path_factory.mktemp("example") / "fastapi-streaming"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".penstock", "__pycache__", ".aws-sam"))
    return Project(folder, uuid.uuid4().hex)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of its own: the example is always installed anew."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def up(project: Project, cache: Path) -> Iterator[Up]:
    # Only Penstock's own cache is new: uv may have the packages already.
    user = need_packages(EXAMPLE / "app" / "requirements.txt")
    with running(project, cache, environments=None, user=user) as up:
        up.wait_for("ready")
        yield up


def text_of(reply: Reply) -> str:
    return f"[{reply.request_id}] {SENTENCE}\n"


def test_it_says_what_it_installs_and_where_it_serves(up: Up) -> None:
    ready = up.wait_for("ready")
    assert list(ready["urls"]) == ["FastAPIFunction"]
    assert set(ready["outputs"]) == {"FunctionUrl", "FunctionArn", "CapacityProviderArn"}
    assert ready["outputs"]["FunctionUrl"] == ready["urls"]["FastAPIFunction"]
    progress = [event["text"] for event in up.said("progress")]
    assert any(text.startswith("Installing ") and "FastAPIFunction" in text for text in progress)
    assert len(up.environments) == 3


def test_health(up: Up) -> None:
    reply = up.get("/health")
    assert (reply.status, reply.text) == (200, '{"status":"ok"}')
    assert reply.headers["content-type"] == "application/json"


class Streamed(NamedTuple):
    """An answer as it came: its pieces, and when each was there."""

    request_id: str
    content_type: str | None
    pieces: list[bytes]
    times: list[float]


@pytest.fixture(scope="module")
def streamed(up: Up) -> Streamed:
    call = up.call("/")
    pieces: list[bytes] = []
    times: list[float] = []
    while piece := call.read(1000):
        pieces.append(piece)
        times.append(time.monotonic())
    head = call.response
    call.close()
    return Streamed(str(head.getheader("x-amzn-requestid")), head.getheader("content-type"), pieces, times)


def test_the_answer_arrives_character_by_character(streamed: Streamed) -> None:
    text = f"[{streamed.request_id}] {SENTENCE}\n"
    assert b"".join(streamed.pieces).decode() == text
    assert streamed.content_type == "text/plain; charset=utf-8"
    # A busy machine may join a few; one that waits for the end joins all.
    assert len(streamed.pieces) > len(text) * 0.8
    took = streamed.times[-1] - streamed.times[0]
    assert took > (len(text) - 1) * SECONDS_PER_CHARACTER * 0.9
    steps = sorted(later - earlier for earlier, later in pairwise(streamed.times))
    assert steps[len(steps) // 2] > SECONDS_PER_CHARACTER * 0.5


def burst(up: Up) -> list[Reply] | None:
    """200 requests at once; None while not every worker waits yet: an environment is Ready with its first one, and a
    slot is free again a moment after its last answer, as on AWS. Never may more be answered than there are slots.
    """
    calls = [Call(up.url, "/") for _ in range(200)]
    with ThreadPoolExecutor(200) as pool:
        replies = list(pool.map(Call.rest, calls))
    counts = Counter(reply.status for reply in replies)
    assert set(counts) == {200, 429}
    assert counts[200] <= SLOTS
    return replies if counts[200] == SLOTS else None


def test_192_of_200_at_the_same_time_are_answered(up: Up) -> None:
    """Three environments of 64 slots; what is over is refused at once."""
    replies = eventually(lambda: burst(up), "192 answers and 8 refusals in one burst")
    assert len({reply.request_id for reply in replies}) == 200
    for reply in replies:
        assert reply.status == 429 or reply.text == text_of(reply)
    events = [up.wait_for("request", requestId=reply.request_id) for reply in replies]
    served = Counter(event["environment"] for event in events if event["status"] == 200)
    assert sorted(served.values()) == [64, 64, 64]


def test_logs_name_the_request_of_each_line(streamed: Streamed, project: Project, cache: Path) -> None:
    request_id = streamed.request_id

    def shown() -> list[str]:
        lines = command(project, cache, "logs", "--request-id", request_id).stdout.splitlines()
        return lines if "REPORT" in lines[-1] else []

    lines = eventually(shown, "the end of the request in the log")
    words = [line.split(maxsplit=3)[3].split(" Duration:")[0] for line in lines]
    assert [word for word in words if not word.startswith("INFO:")] == [  # uvicorn's own line of each request
        f"START RequestId: {request_id} Version: 1",
        f"streaming to request {request_id}",
        f"END RequestId: {request_id}",
        f"REPORT RequestId: {request_id}",
    ]
