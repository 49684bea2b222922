"""The example behind the real Lambda Web Adapter: 64 streams at once in one environment."""

import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.calls import Call
from support.package_index import need_packages
from support.projects import Project
from support.up import Up, eventually, running, shared_cache
from support.web_adapter import BINARY, SLOTS, layer_flags

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi-streaming"
SENTENCE = "one process answers many requests at the same time"


@pytest.fixture
def up(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    flags = layer_flags()
    user = need_packages(EXAMPLE / "app" / "requirements.txt")
    folder = tmp_path / "fastapi-streaming"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".penstock", "__pycache__", ".aws-sam"))
    project = Project(folder, uuid.uuid4().hex)
    with running(project, shared_cache(tmp_path_factory), *flags, user=user) as up:
        up.wait_for("ready")
        yield up


def begin(up: Up) -> Call | None:
    """A stream that has begun. An environment is Ready with its first worker, and the others come a moment later, as on
    AWS: None for what is refused until then.
    """
    call = up.call("/")
    if call.response.status == 429:
        call.close()
        return None
    return call


def pieces(call: Call) -> list[bytes]:
    """The answer, as it arrives."""
    read = list(iter(lambda: call.read(1000), b""))
    call.close()
    return read


def test_64_streams_at_once_in_one_environment(up: Up) -> None:
    [environment] = up.environments
    assert up.adapter(environment).name() == BINARY
    calls = [eventually(lambda: begin(up), "a free slot") for _ in range(SLOTS)]
    with ThreadPoolExecutor(SLOTS) as pool:
        streams = list(pool.map(pieces, calls))
    ids = [call.response.getheader("x-amzn-requestid") for call in calls]
    assert len(set(ids)) == SLOTS
    assert [b"".join(stream).decode() for stream in streams] == [f"[{one}] {SENTENCE}\n" for one in ids]
    # Each character was written alone. A busy machine may join a few; one that waits for the end joins all.
    assert all(len(stream) > 0.5 * len(b"".join(stream)) for stream in streams)
    assert {up.wait_for("request", requestId=one)["environment"] for one in ids} == {environment}
