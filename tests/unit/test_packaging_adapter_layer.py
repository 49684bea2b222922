"""The adapter's layer: what it holds, when it is supplied, and an archive that is the same on every machine."""

import os
import stat
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.model.errors import Place, UserError
from penstock.model.function import Architecture, Function, LayerVersion
from penstock.packaging import adapter_layer, child, interpreter, python_runtime, tree
from penstock.packaging.adapter_layer import archive
from penstock.packaging.layers import merge
from penstock.packaging.store import Entry, Store
from penstock_adapter.layer.extension import is_proxy
from penstock_adapter.layer.start import search_path
from support.functions import function

# Stands in for uv: "installs" a module, and keeps what it was asked for.
_UV = """\
#!/bin/sh
echo "$@" >> {folder}/calls
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/httptools"
echo > "$2/httptools/__init__.py"
echo > "$2/httptools/parser.pyx"
exit {status}
"""
PYTHON = interpreter.own()
WHEELS = f"python/lib/{PYTHON.name}/site-packages"


def play_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int = 0) -> None:
    uv = tmp_path / "uv"
    uv.write_text(_UV.format(folder=tmp_path, status=status))
    uv.chmod(0o755)
    monkeypatch.setattr(child, "uv", lambda: str(uv))


def calls(tmp_path: Path) -> list[str]:
    file = tmp_path / "calls"
    return file.read_text().splitlines() if file.exists() else []


def layer(tmp_path: Path, **files: str) -> LayerVersion:
    for name, text in files.items():
        path = tmp_path / "layer" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return LayerVersion("arn:layer", tmp_path / "layer")


def in_process(*layers: LayerVersion, runtime: str = "python3.13") -> Function:
    environment = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/penstock"}
    return replace(function(Path("code"), *layers, runtime=runtime), environment=environment)


async def supplied(tmp_path: Path, which: Function) -> tuple[Entry, Entry, str | None]:
    """The merged layers, what they became, and the warning."""
    opts, installs = Store(tmp_path / "opt", keep=5), Store(tmp_path / "installs", keep=5)
    merged = await merge(which, {}, opts)
    opt, told = await adapter_layer.supply(which, PYTHON, merged, opts, installs, lambda _: None)
    return merged, opt, told


class TestSupplying:
    async def test_where_no_layer_holds_the_wrapper(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        play_uv(tmp_path, monkeypatch)
        merged, opt, told = await supplied(tmp_path, in_process(layer(tmp_path, file="mine")))
        assert opt.path != merged.path
        assert (opt.path / "file").read_text() == "mine"
        for script in ("penstock", "bootstrap", "extensions/lambda-adapter"):
            assert os.access(opt.path / script, os.X_OK)
        assert (opt.path / "python" / "penstock_adapter" / "in_process.py").is_file()
        assert (opt.path / WHEELS / "httptools" / "__init__.py").is_file()
        assert list((opt.path / "python" / "penstock_adapter" / "__pycache__").glob("in_process.*.pyc"))
        assert told is not None
        assert told.startswith("App: no layer holds /opt/penstock: it is supplied here; on AWS ")
        assert "\n" not in told

    async def test_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        play_uv(tmp_path, monkeypatch)
        first = await supplied(tmp_path, in_process())
        second = await supplied(tmp_path, replace(in_process(), logical_id="Other"))
        assert first[1].path == second[1].path
        assert len(calls(tmp_path)) == 1
        assert "--require-hashes --no-deps --only-binary :all:" in calls(tmp_path)[0]

    async def test_other_layers_are_not_written_to(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        play_uv(tmp_path, monkeypatch)
        which = in_process(layer(tmp_path, bootstrap="theirs", **{"extensions__lambda-adapter": "theirs"}))
        merged, opt, _ = await supplied(tmp_path, which)
        for name in ("bootstrap", "extensions/lambda-adapter"):
            assert (merged.path / name).read_text() == "theirs"
            assert "#!/bin/sh" in (opt.path / name).read_text()

    async def test_a_layer_that_holds_the_wrapper_stays_as_it_is(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        play_uv(tmp_path, monkeypatch)
        merged, opt, told = await supplied(tmp_path, in_process(layer(tmp_path, penstock="mine")))
        assert (opt, told, calls(tmp_path)) == (merged, None, [])

    @pytest.mark.parametrize("wrapper", ["/opt/bootstrap", "/opt/penstock2", "penstock", ""])
    async def test_other_wrappers(self, tmp_path: Path, wrapper: str) -> None:
        which = replace(in_process(), environment={"AWS_LAMBDA_EXEC_WRAPPER": wrapper})
        merged, opt, told = await supplied(tmp_path, which)
        assert (opt, told) == (merged, None)

    async def test_other_languages_are_refused(self, tmp_path: Path) -> None:
        which = replace(in_process(runtime="nodejs24.x"), place=Place(Path("template.yaml"), 7))
        with pytest.raises(UserError) as caught:
            await supplied(tmp_path, which)
        told = "template.yaml:7: App: /opt/penstock runs Python apps, and the runtime is nodejs24.x"
        assert str(caught.value) == told

    async def test_failed_install_is_one_line_and_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        play_uv(tmp_path, monkeypatch, status=3)
        with pytest.raises(UserError, match="cannot install Penstock's adapter for App: uv ended with status 3"):
            await supplied(tmp_path, in_process())
        assert os.listdir(tmp_path / "installs") == [".locks"]

    @pytest.mark.parametrize(("system", "needed"), [("linux", True), ("darwin", False)])
    def test_the_boto3_beside_the_runtime_stays(
        self, monkeypatch: pytest.MonkeyPatch, system: str, needed: bool
    ) -> None:
        monkeypatch.setattr(sys, "platform", system)
        assert python_runtime.is_needed(in_process()) is needed


WEB_ADAPTER = LayerVersion("arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86:26")


def hooked(*layers: LayerVersion, runtime: str = "python3.13", wrapper: str = "/opt/bootstrap") -> Function:
    environment = {"AWS_LAMBDA_EXEC_WRAPPER": wrapper, "PENSTOCK_UVICORN_HOOK": "1"}
    return replace(function(Path("code"), *layers, runtime=runtime), environment=environment)


class TestSupplyingForTheHook:
    async def test_in_place_of_the_web_adapter(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        play_uv(tmp_path, monkeypatch)
        merged, opt, told = await supplied(tmp_path, hooked(WEB_ADAPTER))
        assert opt.path != merged.path
        for script in ("bootstrap", "extensions/lambda-adapter"):
            assert "penstock_adapter/layer/" in (opt.path / script).read_text()
            assert "penstock_adapter/layer/" not in (merged.path / script).read_text()
        assert told == (
            "App: PENSTOCK_UVICORN_HOOK=1: Penstock's layer is supplied here; on AWS put the one that "
            "`penstock layer build` makes in the web adapter's place"
        )

    async def test_where_no_layer_has_a_wrapper(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        play_uv(tmp_path, monkeypatch)
        _, opt, told = await supplied(tmp_path, hooked())
        assert os.access(opt.path / "bootstrap", os.X_OK)
        assert told is not None
        assert told.startswith("App: no layer holds /opt/bootstrap: it is supplied here; on AWS ")

    async def test_what_uvicorn_finds_lies_alone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        play_uv(tmp_path, monkeypatch)
        _, opt, _ = await supplied(tmp_path, hooked(WEB_ADAPTER))
        base = opt.path / "python" / "penstock_adapter" / "layer" / "found"
        found = {path.relative_to(base).as_posix() for path in base.rglob("*") if not path.is_dir()}
        assert {name for name in found if "__pycache__" not in name} == {
            f"lib/{PYTHON.name}/site-packages/penstock_uvicorn.py"
        }

    async def test_a_layer_that_was_built_stays_as_it_is(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        play_uv(tmp_path, monkeypatch)
        (tmp_path / "layer").mkdir()
        await archive.build(Architecture.X86_64, "3.13", tmp_path / "layer")
        merged, opt, told = await supplied(tmp_path, hooked(LayerVersion("arn:layer", tmp_path / "layer")))
        assert (opt, told) == (merged, None)

    async def test_another_adapter_has_no_hook(self, tmp_path: Path) -> None:
        theirs = layer(tmp_path, bootstrap="theirs", **{"extensions__lambda-adapter": "theirs"})
        merged, opt, told = await supplied(tmp_path, hooked(theirs))
        assert opt == merged
        assert told == (
            "App: PENSTOCK_UVICORN_HOOK=1 has no effect: the layer that holds /opt/bootstrap is not Penstock's"
        )

    async def test_other_languages_have_no_hook(self, tmp_path: Path) -> None:
        merged, opt, told = await supplied(tmp_path, hooked(WEB_ADAPTER, runtime="nodejs24.x"))
        assert opt == merged
        assert told == (
            "App: PENSTOCK_UVICORN_HOOK=1 has no effect: it is for Python apps, and the runtime is nodejs24.x"
        )

    @pytest.mark.parametrize(
        "environment",
        [
            {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap", "PENSTOCK_UVICORN_HOOK": "yes"},
            {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap"},
            {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/run.sh", "PENSTOCK_UVICORN_HOOK": "1"},
            {"PENSTOCK_UVICORN_HOOK": "1"},
        ],
    )
    async def test_not_asked_for(self, tmp_path: Path, environment: dict[str, str]) -> None:
        merged, opt, told = await supplied(tmp_path, replace(hooked(WEB_ADAPTER), environment=environment))
        assert (opt, told) == (merged, None)

    def test_the_runtimes_own_command_is_not_needed(self) -> None:
        assert not python_runtime.is_needed(hooked())


def test_all_that_is_installed_is_pinned_and_hashed() -> None:
    lines = [line for line in adapter_layer.REQUIREMENTS.read_text().splitlines() if line and line[0] != "#"]
    pins = [line for line in lines if not line.startswith("    --hash=sha256:")]
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert {pin.split("==")[0] for pin in pins} == {"a2wsgi", "httptools", "orjson", "uvloop"}


class TestBuilding:
    async def test_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What `sam build` wants: the content in the folder it names. What is there already stays."""
        play_uv(tmp_path, monkeypatch)
        folder = tmp_path / "artifacts"
        folder.mkdir()
        (folder / "Makefile").write_text("")
        built = await archive.build(Architecture.ARM64, "3.13", folder)
        assert os.access(folder / "penstock", os.X_OK)
        assert os.listdir(folder / "python" / "lib" / "python3.13" / "site-packages" / "httptools") == ["__init__.py"]
        assert {"Makefile", "bootstrap", "extensions", "penstock", "python"} == set(os.listdir(folder))
        assert built.unzipped_size == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        assert (built.size, built.sha256) == (0, "")
        (call,) = calls(tmp_path)
        assert "--python-platform aarch64-manylinux_2_34 --python-version 3.13 " in call
        assert "--require-hashes --no-deps --only-binary :all:" in call

    async def test_no_bytecode_and_nothing_left_beside_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        play_uv(tmp_path, monkeypatch)
        place = tmp_path / "out" / "layer.zip"
        place.parent.mkdir()
        place.write_text("what was there before")
        await archive.build(Architecture.X86_64, "3.13", place)
        assert os.listdir(place.parent) == ["layer.zip"]
        names = zipfile.ZipFile(place).namelist()
        assert names
        assert not [name for name in names if name.endswith((".pyc", ".pyx")) or "__pycache__" in name]

    async def test_failed_install_leaves_the_last_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        play_uv(tmp_path, monkeypatch, status=3)
        place = tmp_path / "layer.zip"
        place.write_text("before")
        with pytest.raises(UserError, match=r"cannot install the adapter's wheels for Python 3\.13 on x86_64"):
            await archive.build(Architecture.X86_64, "3.13", place)
        assert place.read_text() == "before"

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("layer", "--output: {}/layer is neither the name of a .zip archive nor a folder"),
            ("layer.tar", "--output: {}/layer.tar is neither the name of a .zip archive nor a folder"),
            ("none/layer.zip", "--output: the folder {}/none does not exist"),
        ],
    )
    def test_output_that_cannot_be(self, tmp_path: Path, name: str, told: str) -> None:
        with pytest.raises(UserError) as caught:
            archive.check_output(tmp_path / name)
        assert str(caught.value) == told.format(tmp_path)


class TestArchive:
    def written(self, folder: Path, *, mode: int, time: int) -> bytes:
        """An archive of the same files, made by someone else at another time."""
        content = folder / "content"
        for name in ("penstock", "python/b.py", "python/a.py", "python/A.py"):
            path = content / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
            path.chmod(mode)
            os.utime(path, (time, time))
        place = folder / "layer.zip"
        archive.write_zip(tree.scan(content), place)
        return place.read_bytes()

    def test_same_bytes_whoever_makes_it(self, tmp_path: Path) -> None:
        (tmp_path / "second").mkdir()
        assert self.written(tmp_path, mode=0o600, time=1) == self.written(
            tmp_path / "second", mode=0o777, time=1_700_000_000
        )

    def test_modes_and_order(self, tmp_path: Path) -> None:
        self.written(tmp_path, mode=0o600, time=1)
        entries = zipfile.ZipFile(tmp_path / "layer.zip").infolist()
        modes = {entry.filename: entry.external_attr >> 16 for entry in entries}
        assert list(modes) == ["penstock", "python/A.py", "python/a.py", "python/b.py"]
        assert modes["penstock"] == stat.S_IFREG | 0o755
        assert modes["python/a.py"] == stat.S_IFREG | 0o644


class TestInside:
    STANDARD = ("/var/lang/lib/python313.zip", "/var/lang/lib/python3.13")
    OWN = "/var/lang/lib/python3.13/site-packages"
    HOST = "/usr/lib/python3.13/site-packages"

    def found(self, *found: str, wheels: str = "3.13", **variables: str) -> list[str]:
        site_packages = f"/opt/python/lib/python{wheels}/site-packages"
        return search_path(variables, "/opt/python", site_packages, found, [self.OWN, self.HOST])

    def test_order_of_aws(self) -> None:
        variables = {
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "LAMBDA_TASK_ROOT": "/var/task",
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
        }
        layers = ["/opt/python/lib/python3.13/site-packages", "/opt/python"]
        expected = ["/var/task", *layers, "/var/runtime", *self.STANDARD, self.OWN]
        assert self.found(*self.STANDARD, self.OWN, **variables) == expected

    def test_what_is_installed_on_this_machine_is_not_on_aws(self) -> None:
        assert self.HOST not in self.found(*self.STANDARD, self.HOST)

    def test_own_paths_come_right_after_the_task_root(self) -> None:
        assert self.found(PYTHONPATH="/var/task/src::/opt/x")[:3] == ["/var/task", "/var/task/src", "/opt/x"]

    def test_another_version_has_the_wheels_of_its_own(self) -> None:
        found = self.found(AWS_EXECUTION_ENV="AWS_Lambda_python3.13", wheels="3.14")
        assert found[1:3] == [f"/opt/python/lib/python3.{minor}/site-packages" for minor in (13, 14)]

    @pytest.mark.parametrize(
        ("wrapper", "proxy"),
        [
            ("/opt/bootstrap", True),
            ("/tmp/elsewhere/opt/bootstrap", True),
            ("/opt/penstock", False),
            ("/opt/other", False),
            ("", False),
        ],
    )
    def test_the_extension_is_the_proxy_behind_its_wrapper_alone(self, wrapper: str, proxy: bool) -> None:
        assert is_proxy({"AWS_LAMBDA_EXEC_WRAPPER": wrapper}) is proxy
        assert not is_proxy({})

    @pytest.mark.parametrize(("hook", "proxy"), [("1", True), ("0", False), ("yes", False)])
    def test_a_handler_that_is_a_file_has_a_proxy_behind_either_wrapper(self, hook: str, proxy: bool) -> None:
        assert is_proxy({"AWS_LAMBDA_EXEC_WRAPPER": "/opt/penstock", "PENSTOCK_UVICORN_HOOK": hook}) is proxy
        assert not is_proxy({"AWS_LAMBDA_EXEC_WRAPPER": "/opt/other", "PENSTOCK_UVICORN_HOOK": "1"})
