"""`penstock layer build` as a user runs it, and what it built at work without a platform."""

import asyncio
import hashlib
import json
import os
import signal
import sys
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from penstock.model.function import Architecture
from penstock.packaging import adapter_layer, interpreter
from penstock.packaging.adapter_layer.archive import build
from penstock.packaging.archive import MAX_UNZIPPED_BYTES, unzip
from support.app_server import AppServer
from support.events import url_event
from support.package_index import need_packages
from support.runtime_server import RuntimeServer
from support.streams import within
from support.up import PENSTOCK

# "Layer: 50 MB zipped, direct upload": https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_ZIPPED_BYTES = 50 * 1024 * 1024
PYTHON = interpreter.own()
APP = """\
import json, sys

async def app(scope, receive, send):
    assert scope["type"] == "http"
    body = json.dumps({"path": scope["path"], "modules": sys.path, "orjson": __import__("orjson").__file__}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.fixture(scope="module")
def user() -> dict[str, str]:
    """Variables to run uv with; the module is skipped where there are no wheels to be had."""
    return need_packages(adapter_layer.REQUIREMENTS)


async def penstock(user: Mapping[str, str], folder: Path, *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        *PENSTOCK, *words, cwd=folder, env=user, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await within(process.communicate(), 100.0)
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


async def test_same_bytes_every_time_and_what_a_template_needs(user: dict[str, str], tmp_path: Path) -> None:
    digests = set()
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        code, out, errors = await penstock(user, folder, "layer", "build")
        assert (code, errors) == (0, "")
        assert os.listdir(folder) == ["penstock-layer-python3.13-x86_64.zip"]
        content = (folder / "penstock-layer-python3.13-x86_64.zip").read_bytes()
        digests.add(hashlib.sha256(content).hexdigest())
        assert f"# SHA-256 {hashlib.sha256(content).hexdigest()}\n" in out
        assert f" {len(content):,} bytes, " in out
        assert len(content) < MAX_ZIPPED_BYTES
    assert len(digests) == 1
    resources = yaml.load(out.replace("!Ref ", ""), yaml.SafeLoader)["Resources"]
    layer, used = resources["PenstockLayer"], resources["YourFunction"]["Properties"]
    assert layer["Properties"] == {
        "ContentUri": "penstock-layer-python3.13-x86_64.zip",
        "CompatibleRuntimes": ["python3.13"],
        "CompatibleArchitectures": ["x86_64"],
    }
    assert used["Layers"] == ["PenstockLayer"]
    assert used["Environment"]["Variables"]["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/penstock"


@pytest.mark.parametrize(("arch", "tag"), [("x86_64", "x86_64"), ("arm64", "aarch64")])
async def test_wheels_are_for_the_function_and_not_for_this_machine(
    user: dict[str, str], tmp_path: Path, arch: str, tag: str
) -> None:
    words = ("layer", "build", "--arch", arch, "--python", "3.14", "--output", "layer.zip")
    code, out, errors = await penstock(user, tmp_path, *words)
    assert (code, errors) == (0, "")
    assert f"CompatibleArchitectures: [{arch}]" in out
    assert "CompatibleRuntimes: [python3.14]" in out
    unzip(tmp_path / "layer.zip", tmp_path / "layer")
    entries = zipfile.ZipFile(tmp_path / "layer.zip").infolist()
    assert sum(entry.file_size for entry in entries) < MAX_UNZIPPED_BYTES
    wheels = tmp_path / "layer" / "python" / "lib" / "python3.14" / "site-packages"
    assert {"a2wsgi", "httptools", "orjson", "uvloop"} <= set(os.listdir(wheels))
    extensions = [path.name for path in wheels.rglob("*.so")]
    assert extensions
    assert all(name.endswith(f".cpython-314-{tag}-linux-gnu.so") for name in extensions)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--python", "3.9"), "'3.9' is not one of '3.12', '3.13', '3.14'"),
        (("--arch", "sparc"), "'sparc' is not one of 'x86_64', 'arm64'"),
        (("--output", "layer"), "--output: layer is neither the name of a .zip archive nor a folder"),
        (("--output", "none/layer.zip"), "--output: the folder none does not exist"),
        (("--output", "/proc/layer.zip"), "--output: /proc/layer.zip cannot be written: "),
        (("extra",), "Got unexpected extra argument"),
    ],
)
async def test_bad_input_is_one_line(user: dict[str, str], tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    code, out, errors = await penstock(user, tmp_path, "layer", "build", *words)
    assert (code, out) == (2, "")
    assert errors.startswith("penstock: ")
    assert told in errors
    assert errors.count("\n") == 1
    assert os.listdir(tmp_path) == []


async def test_no_index_is_one_line(tmp_path: Path) -> None:
    offline = {**os.environ, "UV_CACHE_DIR": str(tmp_path / "cache"), "UV_OFFLINE": "1"}
    folder = tmp_path / "folder"
    folder.mkdir()
    code, out, errors = await penstock(offline, folder, "layer", "build")
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert "cannot install the adapter's wheels for Python 3.13 on x86_64: " in errors
    assert os.listdir(folder) == []


# --- the content at work, for the Python of these tests, on something like ordinary Lambda ---


@pytest.fixture(scope="module")
def opt(user: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unzipped layer."""
    folder = tmp_path_factory.mktemp("layer")
    architecture = Architecture.ARM64 if os.uname().machine == "aarch64" else Architecture.X86_64
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_CACHE_DIR", user["UV_CACHE_DIR"])
        asyncio.run(build(architecture, "{}.{}".format(*PYTHON.version), folder / "layer.zip"))
    unzip(folder / "layer.zip", folder / "opt")
    # The first python3 on PATH, as in a managed runtime.
    (folder / "bin").mkdir()
    (folder / "bin" / "python3").symlink_to(PYTHON.executable)
    return folder / "opt"


@pytest.fixture
def task(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "main.py").write_text(APP)
    return folder


def lambda_variables(server: RuntimeServer, wrapper: Path) -> dict[str, str]:
    """Of a function without AWS_LAMBDA_MAX_CONCURRENCY, as extensions get them."""
    return {
        "AWS_LAMBDA_RUNTIME_API": server.address,
        "AWS_LAMBDA_EXEC_WRAPPER": str(wrapper),
        "AWS_LWA_INVOKE_MODE": "response_stream",
        "PATH": f"{wrapper.parent.parent / 'bin'}:/usr/bin:/bin",
    }


@asynccontextmanager
async def process(*command: str | Path, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    started = await asyncio.create_subprocess_exec(*command, env=variables, stdout=asyncio.subprocess.PIPE)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def test_in_process_with_one_slot(opt: Path, task: Path) -> None:
    async with RuntimeServer() as server:
        variables = {
            **lambda_variables(server, opt / "penstock"),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{PYTHON.name}",
            "LAMBDA_TASK_ROOT": str(task),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "_HANDLER": "main.app",
        }
        command = (opt / "penstock", PYTHON.executable, "/var/runtime/bootstrap.py")
        async with process(*command, **variables) as runtime:
            for number in range(2):
                post = await server.invoke(url_event(path=f"/{number}"), f"request-{number}")
                assert post.headers["lambda-runtime-function-response-mode"] == "streaming"
                prelude, _, body = (await post.complete()).partition(bytes(8))
                assert b'"statusCode":200' in prelude
                said = json.loads(body)
                assert said["path"] == f"/{number}"
                first = [str(task), f"{opt}/python/lib/{PYTHON.name}/site-packages", f"{opt}/python", "/var/runtime"]
                assert list(dict.fromkeys(said["modules"]))[:4] == first
                assert not set(said["modules"]) & {entry for entry in sys.path if "site-packages" in entry}
                assert said["orjson"].startswith(str(opt))
            await server.poll()
            assert server.polls_open == 1
            runtime.send_signal(signal.SIGTERM)
            assert await within(runtime.wait()) == 0


async def test_modules_of_the_function_win(opt: Path, task: Path) -> None:
    (task / "orjson.py").write_text(
        "import json\nloads = json.loads\ndef dumps(value): return json.dumps(value).encode()\n"
    )
    async with RuntimeServer() as server:
        variables = {
            **lambda_variables(server, opt / "penstock"),
            "LAMBDA_TASK_ROOT": str(task),
            "_HANDLER": "main.app",
        }
        async with process(opt / "penstock", PYTHON.executable, "bootstrap.py", **variables):
            post = await server.invoke(url_event())
            assert str(task / "orjson.py").encode() in await post.complete()


async def test_the_extension_sleeps_beside_it(opt: Path) -> None:
    async with RuntimeServer() as server:
        variables = lambda_variables(server, opt / "penstock")
        async with process(opt / "extensions" / "lambda-adapter", **variables) as sleeping:
            await within(server.event_next_asked.wait())
            ((headers, body),) = server.registrations
            assert headers["lambda-extension-name"] == "lambda-adapter"
            assert body == b'{ "events": [] }'
            assert sleeping.returncode is None
            assert server.polls_open == 0
            server.release_event_next.set()
            assert await within(sleeping.wait()) == 0


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "refused to register us: HTTP/1.1 403 Forbidden"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "refused to register us: HTTP/1.1 200 OK"),
    ],
)
async def test_refused_registration_is_one_line(opt: Path, reply: bytes, told: str) -> None:
    async with RuntimeServer() as server:
        server.register_reply = reply
        variables = lambda_variables(server, opt / "penstock")
        async with process(opt / "extensions" / "lambda-adapter", **variables) as refused:
            assert refused.stdout is not None
            said = (await within(refused.stdout.read())).decode()
            assert await within(refused.wait()) == 1
    assert told in said
    assert said.count("\n") == 1


async def test_proxy_mode_in_the_same_layer(opt: Path) -> None:
    async with RuntimeServer() as server, AppServer(lambda request: request.respond(b"proxy")) as app:
        variables = {**lambda_variables(server, opt / "bootstrap"), "AWS_LWA_PORT": str(app.port)}
        async with process(opt / "extensions" / "lambda-adapter", **variables):
            post = await server.invoke(url_event())
            assert (await post.complete()).endswith(bytes(8) + b"proxy")


async def test_the_uvicorn_hook_in_the_same_layer(opt: Path, task: Path) -> None:
    """Two processes that share nothing but the machine: the extension registers, the other one polls."""
    for name in ("uvicorn", "click", "h11"):
        (task / name).symlink_to(Path(str(find_spec(name).origin)).parent)  # type: ignore[union-attr]
    (task / "main.py").write_text(APP)
    handler = task / "run.sh"
    handler.write_text('cd "$LAMBDA_TASK_ROOT"\nexec python3 -m uvicorn --port "$PORT" main:app\n')
    handler.chmod(0o755)
    async with RuntimeServer() as server:
        common = {**lambda_variables(server, opt / "bootstrap"), "PENSTOCK_UVICORN_HOOK": "1", "PORT": "1"}
        async with process(opt / "extensions" / "lambda-adapter", **common) as extension:
            await within(server.registered.wait())
            inside = {**common, "LAMBDA_TASK_ROOT": str(task), "_HANDLER": "run.sh"}
            async with process(opt / "bootstrap", PYTHON.executable, "bootstrap.py", **inside) as runtime:
                post = await server.invoke(url_event(path="/here"))
                _, _, body = (await post.complete()).partition(bytes(8))
                said = json.loads(body)
                assert said["path"] == "/here"
                assert said["modules"][-2:] == [f"{opt}/python/lib/{PYTHON.name}/site-packages", f"{opt}/python"]
                await server.poll()
                assert server.polls_open == 1
                runtime.send_signal(signal.SIGTERM)
                assert await within(runtime.wait()) == -signal.SIGTERM
            assert extension.returncode is None
            assert server.polls_open == 0


async def test_bootstrap_starts_the_handler_file(opt: Path, task: Path) -> None:
    handler = task / "run.sh"
    handler.write_text('#!/bin/sh\necho "started with $# arguments"\n')
    handler.chmod(0o755)
    variables = {"LAMBDA_TASK_ROOT": str(task), "_HANDLER": "run.sh", "PATH": "/usr/bin:/bin"}
    async with process(opt / "bootstrap", "/var/lang/bin/python3.13", "bootstrap.py", **variables) as started:
        out, _ = await within(started.communicate())
    assert out == b"started with 0 arguments\n"


async def test_another_pythons_layer_is_one_line(opt: Path, tmp_path: Path, task: Path) -> None:
    other = tmp_path / uuid4().hex
    (other / "python").mkdir(parents=True)
    (other / "penstock").symlink_to(opt / "penstock")
    (other / "python" / "penstock_adapter").symlink_to(opt / "python" / "penstock_adapter")
    variables = {"LAMBDA_TASK_ROOT": str(task), "_HANDLER": "main.app", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}
    async with process(other / "penstock", PYTHON.executable, "bootstrap.py", **variables) as refused:
        out, _ = await within(refused.communicate())
    assert refused.returncode == 1
    version = "{}.{}".format(*PYTHON.version)
    told = f"has no wheels for Python {version}: build it with `penstock layer build --python {version}`"
    assert told in out.decode()
    assert out.count(b"\n") == 1
