"""When AWS's Python runtime is needed, and where modules are looked for in it."""

from dataclasses import replace
from pathlib import Path

import pytest

from penstock.model.function import Function, LayerVersion
from penstock.packaging.python_runtime import REQUIREMENTS, is_needed
from penstock.packaging.python_runtime.bootstrap import search_path
from support.functions import function

LWA = LayerVersion("arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86:26")
OWN = LayerVersion("arn:aws:lambda:us-east-1:123456789012:layer:own:1")
VARIABLES = {
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    "LAMBDA_TASK_ROOT": "/var/task",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
}
STANDARD = ["/usr/lib/python313.zip", "/usr/lib/python3.13", "/usr/lib/python3.13/lib-dynload"]
HOST = ["/usr/lib/python3.13/site-packages", "/home/me/.local/lib/python3.13/site-packages"]
LAYERS = ["/opt/python/lib/python3.13/site-packages", "/opt/python"]


def made(wrapper: str | None, *layers: LayerVersion, runtime: str = "python3.13") -> Function:
    environment = {} if wrapper is None else {"AWS_LAMBDA_EXEC_WRAPPER": wrapper}
    return replace(function(Path("/code"), *layers, runtime=runtime), environment=environment)


@pytest.mark.parametrize(
    ("which", "needed"),
    [
        (made(None), True),
        (made(""), True),
        (made(None, LWA), True),  # without its wrapper the layer is beside an ordinary handler
        (made("/opt/own", LWA), True),
        (made("/opt/bootstrap", OWN), True),
        (made("/opt/bootstrap", OWN, LWA), False),
        (made(None, runtime="provided.al2023"), False),
        (made(None, runtime="nodejs22.x"), False),
    ],
)
def test_needed_unless_the_web_adapter_drops_it(which: Function, needed: bool) -> None:
    assert is_needed(which) is needed


def test_all_that_is_installed_is_pinned_and_hashed() -> None:
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#")]
    pins = [line for line in lines if not line.startswith("    --hash=sha256:")]
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert {"awslambdaric", "boto3"} <= {pin.split("==")[0] for pin in pins}


class TestSearchPath:
    def test_order_of_aws(self) -> None:
        found = search_path(VARIABLES, ["/var/runtime", *STANDARD, HOST[0]], HOST)
        assert found == ["/var/task", *LAYERS, "/var/runtime", *STANDARD]

    def test_own_paths_come_right_after_the_task_root(self) -> None:
        variables = {**VARIABLES, "PYTHONPATH": "/var/task/src::/opt/vendored"}
        found = search_path(variables, ["/var/runtime", "/var/task/src", "/opt/vendored", *STANDARD], HOST)
        assert found == ["/var/task", "/var/task/src", "/opt/vendored", *LAYERS, "/var/runtime", *STANDARD]

    def test_layers_elsewhere(self) -> None:
        found = search_path({**VARIABLES, "PENSTOCK_OPT_ROOT": "/cache/opt"}, STANDARD, HOST)
        assert found[1:3] == ["/cache/opt/python/lib/python3.13/site-packages", "/cache/opt/python"]

    def test_nothing_twice(self) -> None:
        found = search_path(VARIABLES, ["/var/runtime", "/opt/python", *STANDARD, "/var/task"], HOST)
        assert len(found) == len(set(found))
