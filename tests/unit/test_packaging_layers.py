"""Layers: where they come from, and which file wins."""

import os
import shutil
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from penstock.model.errors import Place, UserError
from penstock.model.function import LayerVersion
from penstock.packaging.layers import merge
from penstock.packaging.store import Entry, Store
from support.functions import function

LWA = "arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86:26"
OTHER = "arn:aws:lambda:us-east-1:123456789012:layer:tools:3"


async def merged(tmp_path: Path, *layers: LayerVersion, given: Mapping[str, Path] | None = None) -> dict[str, str]:
    entry = await merge_into(tmp_path, *layers, given=given)
    return {str(path.relative_to(entry.path)): path.read_text() for path in entry.path.rglob("*") if path.is_file()}


async def merge_into(tmp_path: Path, *layers: LayerVersion, given: Mapping[str, Path] | None = None) -> Entry:
    return await merge(function(Path("code"), *layers), given or {}, Store(tmp_path / "opt", keep=5))


def directory(tmp_path: Path, name: str, **files: str) -> LayerVersion:
    for file, content in files.items():
        path = tmp_path / name / file.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return LayerVersion(f"arn:{name}", tmp_path / name)


async def test_no_layers_is_an_empty_folder(tmp_path: Path) -> None:
    assert await merged(tmp_path) == {}


async def test_later_layers_win_whatever_their_kind(tmp_path: Path) -> None:
    first = directory(tmp_path, "first", python__a="1", python__b="1")
    with zipfile.ZipFile(tmp_path / "second.zip", "w") as out:
        out.writestr("python/b", "2")
        out.writestr("bootstrap", "2")
    second = LayerVersion("arn:second", tmp_path / "second.zip")
    third = directory(tmp_path, "third", bootstrap="3")
    assert await merged(tmp_path, first, second, third) == {"python/a": "1", "python/b": "2", "bootstrap": "3"}
    assert await merged(tmp_path, third, second, first) == {"python/a": "1", "python/b": "1", "bootstrap": "2"}


async def test_same_content_is_merged_once_and_a_change_is_seen(tmp_path: Path) -> None:
    layer = directory(tmp_path, "layer", file="1")
    first = (await merge_into(tmp_path, layer)).path
    assert (await merge_into(tmp_path, layer)).path == first
    directory(tmp_path, "layer", file="2")
    assert await merged(tmp_path, layer) == {"file": "2"}
    assert (first / "file").read_text() == "1"


async def test_temporary_folders_are_gone(tmp_path: Path) -> None:
    entry = await merge_into(tmp_path, LayerVersion(LWA))
    assert sorted(os.listdir(tmp_path / "opt")) == [".locks", entry.path.name]


@pytest.mark.parametrize(
    "arn",
    [
        LWA,
        "arn:aws:lambda:eu-central-1:753240598075:layer:LambdaAdapterLayerArm64:3",
        "arn:aws-cn:lambda:cn-north-1:753240598075:layer:LambdaAdapterLayerX86:26",
        "arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86",
    ],
)
async def test_web_adapter_needs_no_download(tmp_path: Path, arn: str) -> None:
    entry = await merge_into(tmp_path, LayerVersion(arn))
    for name in ("bootstrap", "extensions/lambda-adapter"):
        assert os.access(entry.path / name, os.X_OK)
    assert (
        f"exec {sys.executable} -I -m penstock_adapter\n" in (entry.path / "extensions" / "lambda-adapter").read_text()
    )


async def test_launcher_quotes_the_path_of_the_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "it's a path" / "python"
    monkeypatch.setattr(sys, "executable", str(python))
    files = await merged(tmp_path, LayerVersion(LWA))
    assert f"exec '{tmp_path}/it'\"'\"'s a path/python' -I" in files["extensions/lambda-adapter"]


async def test_real_web_adapter_binary(tmp_path: Path) -> None:
    binary = tmp_path / "lambda-adapter-x86"
    shutil.copyfile("/bin/sh", binary)
    entry = await merge_into(tmp_path, LayerVersion(LWA), given={LWA: binary})
    extension = entry.path / "extensions" / "lambda-adapter"
    assert extension.read_bytes() == binary.read_bytes()
    assert os.access(extension, os.X_OK)
    assert os.access(entry.path / "bootstrap", os.X_OK)


async def test_real_web_adapter_layer_as_archive(tmp_path: Path) -> None:
    path = tmp_path / "layer.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("extensions/lambda-adapter", "real")
    assert await merged(tmp_path, LayerVersion(LWA), given={LWA: path}) == {"extensions/lambda-adapter": "real"}


async def test_given_layer_goes_before_the_template(tmp_path: Path) -> None:
    layer = directory(tmp_path, "template", file="template")
    given = directory(tmp_path, "given", file="given").content
    assert given is not None
    assert await merged(tmp_path, layer, given={layer.arn: given}) == {"file": "given"}


async def test_unknown_layer_says_what_to_do(tmp_path: Path) -> None:
    layer = LayerVersion(OTHER, place=Place(Path("template.yaml"), 12))
    with pytest.raises(UserError) as caught:
        await merge_into(tmp_path, layer)
    told = str(caught.value)
    assert told.startswith("template.yaml:12: App: ")
    assert f"--layer {OTHER}=PATH" in told
    assert "\n" not in told


async def test_another_account_with_the_adapters_name_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not on this machine"):
        await merge_into(tmp_path, LayerVersion(LWA.replace("753240598075", "123456789012")))


async def test_given_path_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"App: layer .* does not exist"):
        await merge_into(tmp_path, LayerVersion(OTHER), given={OTHER: tmp_path / "none"})


async def test_file_that_is_no_archive(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("text")
    with pytest.raises(UserError, match="not a zip archive"):
        await merge_into(tmp_path, LayerVersion(OTHER), given={OTHER: file})
    assert os.listdir(tmp_path / "opt") == [".locks"]


async def test_more_than_five_layers(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="App has 6 layers; Lambda takes 5"):
        await merge_into(tmp_path, *(directory(tmp_path, f"l{number}", file="x") for number in range(6)))
