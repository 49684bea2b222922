"""The other examples, to an endpoint that asks for signatures: an ordinary handler, and a layer that is built."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.packaging import adapter_layer, python_runtime
from support.aws_doors import KEY, STRANGER
from support.clients import need_client, need_program
from support.package_index import need_packages
from support.sam_serve import serving
from support.sam_site import HostCall
from support.sam_tools import Tools, copy_example, make_tools
from support.up import PENSTOCK, shared_cache

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def tools(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    need_client("sam-cli")
    user = need_packages(python_runtime.REQUIREMENTS)
    access_key_id, secret_access_key = KEY
    keys = tmp_path / "keys"
    keys.write_text(f"[default]\naws_access_key_id = {access_key_id}\naws_secret_access_key = {secret_access_key}\n")
    keys.chmod(0o600)
    place = tmp_path / "serve"
    place.mkdir()
    with serving(place, shared_cache(tmp_path_factory), uuid.uuid4().hex, "--keys", str(keys), user=user) as serve:
        yield replace(
            make_tools(serve.endpoint, tmp_path / "home"), key=KEY, more={"UV_CACHE_DIR": user["UV_CACHE_DIR"]}
        )


def deploy(tools: Tools, example: Path) -> str:
    """Built and deployed under the example's name; its Function URL."""
    tools.sam(example, "build")
    places = (f"SubnetIds={','.join(tools.subnets()[:3])}", f"SecurityGroupIds={','.join(tools.groups())}")
    name = ("--stack-name", example.name)
    tools.sam(
        example, "deploy", "--resolve-s3", *name, "--capabilities", "CAPABILITY_IAM", "--parameter-overrides", *places
    )
    return tools.output(example.name, "FunctionUrl")


def test_an_ordinary_handler(tools: Tools, tmp_path: Path) -> None:
    for key, code in ((STRANGER, "InvalidClientTokenId"), ((KEY[0], "wrong"), "SignatureDoesNotMatch")):
        refused = replace(tools, key=key).aws("sts", "get-caller-identity", code=255)
        assert f"An error occurred ({code})" in refused
    example = copy_example(tmp_path, "handler")
    url = deploy(tools, example)
    answers = [json.loads(HostCall(url, "/").rest().body) for _ in range(3)]
    assert len({answer["requestId"] for answer in answers}) == 3
    refused = replace(tools, key=(KEY[0], "wrong")).sam(
        example, "delete", "--stack-name", example.name, "--no-prompts", "--region", "us-east-1", code=1
    )
    assert "SignatureDoesNotMatch" in refused
    tools.sam(example, "delete", "--stack-name", example.name, "--no-prompts", "--region", "us-east-1")
    assert tools.ask("lambda", "list_functions")["Functions"] == []


def test_a_layer_that_sam_builds(tools: Tools, tmp_path: Path) -> None:
    need_program("make")
    example = copy_example(tmp_path, "fastapi-inprocess")
    need_packages(example / "app" / "requirements.txt")
    need_packages(adapter_layer.REQUIREMENTS)
    # The layer's Makefile calls it.
    (tools.home / "bin" / "penstock").symlink_to(*PENSTOCK)
    url = deploy(tools, example)
    assert HostCall(url, "/").rest().text.endswith("] one process answers many requests at the same time\n")
    [layer] = tools.ask("lambda", "list_layers")["Layers"]
    assert layer["LatestMatchingVersion"]["CompatibleRuntimes"] == ["python3.13"]
    tools.sam(example, "delete", "--stack-name", example.name, "--no-prompts", "--region", "us-east-1")
