"""Files to and from the endpoint's S3, by both versions of the AWS CLI: in parts, as folders, by links."""

import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.clients import need_client
from support.sam_serve import serving
from support.sam_tools import Done, Tools
from support.up import shared_cache

Aws = Callable[..., Done]
# More than one part: https://docs.aws.amazon.com/cli/latest/topic/s3-config.html has the threshold of 8 MB.
LARGE = bytes(range(256)) * 80_000


@pytest.fixture
def tools(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    need_client("aws-cli")
    need_client("aws-cli-2")
    home = tmp_path / "home"
    home.mkdir()
    with serving(tmp_path, shared_cache(tmp_path_factory), uuid.uuid4().hex) as serve:
        yield Tools(serve.endpoint, home)


def test_files(tools: Tools) -> None:
    (tools.home / "large").write_bytes(LARGE)
    folder = tools.home / "folder"
    for name in ("a", "b c", "ä/+"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    versions: tuple[tuple[Aws, Aws], ...] = ((tools.aws, tools.aws_2), (tools.aws_2, tools.aws))
    for number, (up, down) in enumerate(versions):
        bucket = f"s3://both-versions-{number}"
        up("s3", "mb", bucket)
        up("s3", "cp", "large", f"{bucket}/large", "--no-progress")
        down("s3", "cp", f"{bucket}/large", f"back-{number}", "--no-progress")
        assert (tools.home / f"back-{number}").read_bytes() == LARGE
        up("s3", "sync", "folder", f"{bucket}/folder", "--no-progress")
        assert up("s3", "sync", "folder", f"{bucket}/folder", "--no-progress") == ""
        down("s3", "sync", f"{bucket}/folder", f"folder-{number}", "--no-progress")
        for name in ("a", "b c", "ä/+"):
            assert (tools.home / f"folder-{number}" / name).read_text() == name
        link = down("s3", "presign", f"{bucket}/folder/b c").output.strip()
        with urllib.request.urlopen(link) as answer:
            assert answer.read() == b"b c"
        missing = down("s3", "cp", f"{bucket}/nothing", "nowhere", code=1)
        assert "(404) when calling the HeadObject operation" in missing
        down("s3", "rb", bucket, "--force")
    assert tools.aws("s3", "ls") == ""
