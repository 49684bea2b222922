"""What `penstock` adds to pytest: fixtures that run an app as Lambda would, in this process or as `penstock up` does.

Every pytest run loads this module, so whatever weighs anything is imported when a test asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock.pytest_plugin.lambda_app import LambdaApps
    from penstock.pytest_plugin.managed_function import ManagedFunctions


def pytest_addoption(parser: pytest.Parser) -> None:
    """Settings of pytest's own configuration file."""
    parser.addini("penstock_up_options", "options of `penstock up` for every managed_function", type="args", default=[])
    parser.addini("penstock_start_timeout", "seconds that a managed_function may take to start", default="150")


@pytest.fixture
def lambda_app() -> Iterator[LambdaApps]:
    """`client = lambda_app(app)`: an httpx client whose requests are invocations of an ASGI app in this process."""
    try:
        import httpx  # noqa: F401
    except ImportError:
        pytest.fail("the fixture lambda_app needs httpx: pip install httpx", pytrace=False)
    from penstock.pytest_plugin.lambda_app import LambdaApps

    apps = LambdaApps()
    try:
        yield apps
    finally:
        apps.close()


@pytest.fixture(scope="session")
def managed_function(pytestconfig: pytest.Config) -> Iterator[ManagedFunctions]:
    """`function = managed_function("template.yaml", environments=1)`: a template brought up by `penstock up`."""
    from penstock.pytest_plugin.managed_function import ManagedFunctions, read_start_timeout

    functions = ManagedFunctions(
        pytestconfig.rootpath,
        tuple(pytestconfig.getini("penstock_up_options")),
        read_start_timeout(str(pytestconfig.getini("penstock_start_timeout"))),
    )
    try:
        yield functions
    finally:
        functions.close()
