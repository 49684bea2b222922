"""`penstock serve` and `penstock env` as processes: what they take, and what a start costs."""

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from support.clients import PATIENCE_S
from support.sam_serve import Serve, serving
from support.up import PENSTOCK, shared_cache

MARK = "serve-command"
CONFIG = Config(read_timeout=PATIENCE_S, connect_timeout=PATIENCE_S, retries={"total_max_attempts": 1}, proxies={})
# A start is meant to take under 0.5 s and 100 MB. The bound is wider: it is of processor time, with one call and the
# end in it, on a machine that is not known.
MAX_CPU_S = 1.0
MAX_MEMORY_MIB = 100


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


@pytest.fixture
def serve(tmp_path: Path, cache: Path) -> Iterator[Serve]:
    with serving(tmp_path, cache, MARK) as serve:
        yield serve


def run(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """To its end."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    return subprocess.run(
        [*PENSTOCK, *words], env=kept | variables, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@contextmanager
def client(service: str, endpoint: str, key_id: str = "any", secret: str = "any") -> Iterator[Any]:
    make = cast("Callable[..., Any]", boto3.Session(key_id, secret, region_name="us-east-1").client)
    made = make(service, endpoint_url=endpoint, config=CONFIG)
    try:
        yield made
    finally:
        made.close()


def test_a_start_is_quick_and_small(serve: Serve) -> None:
    """The second one: the first may have had bytecode to write."""
    assert serve.stop() == 0
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    serve.start()
    with client("lambda", serve.endpoint) as asked:
        assert asked.list_functions()["Functions"] == []
    assert serve.memory_mib < MAX_MEMORY_MIB
    assert serve.stop() == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < MAX_CPU_S


def test_a_folder_is_one_processs(serve: Serve) -> None:
    second = run("serve", "--port", "0", "--state", str(serve.state))
    assert second.returncode == 2
    assert second.stderr == f"penstock: --state {serve.state}: is in use by another process\n"


def test_a_port_in_use_is_said_in_one_line(serve: Serve) -> None:
    second = run("serve", "--port", str(serve.port))
    assert second.returncode == 2
    (line,) = second.stderr.splitlines()
    assert f"port {serve.port}" in line
    assert "--port" in line


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--region", "nowhere"), "--region: bad value 'nowhere'; allowed: a region such as us-east-1"),
        (("--account", "12"), "--account: bad value '12'; allowed: 12 digits"),
        (("--launch-delay", "soon"), "--launch-delay: bad value 'soon'"),
        (("--layer", "x=y"), "--layer: 'x=y' is not ARN=PATH"),
        (("--state", "/dev/null/x"), "--state /dev/null/x: Not a directory"),
        (("--keys", "/nowhere"), "/nowhere"),
    ],
)
def test_bad_input_is_one_line(flags: tuple[str, ...], told: str, tmp_path: Path) -> None:
    done = run("serve", "--port", "0", *flags, TMPDIR=str(tmp_path))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert told in line
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_nothing_stays(tmp_path: Path, cache: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [*PENSTOCK, "serve", "--port", "0"],
        env={name: os.environ[name] for name in ("PATH", "HOME")}
        | {"TMPDIR": str(temporary), "XDG_CACHE_HOME": str(cache)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        with client("s3", line.split()[-1].rstrip("/")) as asked:
            asked.create_bucket(Bucket="some-bucket")
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert list(temporary.iterdir()) == []


def test_beyond_this_machine_requests_are_signed(tmp_path: Path, cache: Path) -> None:
    with serving(tmp_path, cache, MARK, "--host", "0.0.0.0") as serve:
        found = run("env", "--port", str(serve.port), "--state", str(serve.state))
        exports = dict(line.removeprefix("export ").split("=", 1) for line in found.stdout.splitlines())
        with client("sts", serve.endpoint) as stranger, pytest.raises(ClientError) as refused:
            stranger.get_caller_identity()
        key = (exports["AWS_ACCESS_KEY_ID"], exports["AWS_SECRET_ACCESS_KEY"])
        with client("sts", serve.endpoint, *key) as known:
            assert known.get_caller_identity()["Account"] == "123456789012"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_env_prints_what_awss_tools_need(tmp_path: Path) -> None:
    found = run("env", "--port", "4999", "--region", "eu-west-1")
    assert found.stdout.splitlines() == [
        "export AWS_ENDPOINT_URL=http://127.0.0.1:4999",
        "export AWS_ACCESS_KEY_ID=penstock",
        "export AWS_SECRET_ACCESS_KEY=penstock",
        "export AWS_DEFAULT_REGION=eu-west-1",
    ]
    wrong = run("env", "--state", str(tmp_path))
    assert wrong.returncode == 2
    assert "was penstock serve started with this folder?" in wrong.stderr
