"""One `penstock up` for all tests here that a worker of pytest-xdist runs: its start is the most of what they take."""

import uuid
from collections.abc import Iterator

import pytest

from support.aws_doors import Doors, open_doors
from support.browser import Browser, browsing
from support.clients import need_client
from support.clients_site import MODES, NAMES, InvokeMode, Site
from support.gate import Gate
from support.up import shared_cache


@pytest.fixture(scope="session")
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate


@pytest.fixture(scope="session")
def doors(tmp_path_factory: pytest.TempPathFactory, gate: Gate) -> Iterator[Doors]:
    """Function URLs of every kind, and the AWS-compatible port."""
    with open_doors(tmp_path_factory.mktemp("clients") / "site", shared_cache(tmp_path_factory), gate) as doors:
        yield doors


@pytest.fixture(scope="session")
def site(doors: Doors) -> Site:
    """Function URLs: `Buffered` and `Streaming` are public, others begin with `Signed` and `Shared`."""
    return doors.site


@pytest.fixture(scope="session", params=MODES)
def mode(request: pytest.FixtureRequest) -> InvokeMode:
    mode: InvokeMode = request.param
    return mode


@pytest.fixture
def url(site: Site, mode: InvokeMode) -> str:
    """The Function URL of this mode, without a slash at its end."""
    return site.url(NAMES[mode])


@pytest.fixture
def stream_url(site: Site) -> str:
    return site.url(NAMES["RESPONSE_STREAM"])


@pytest.fixture
def visitor() -> str:
    """A name that nobody else comes to the gate with."""
    return uuid.uuid4().hex


@pytest.fixture(scope="session")
def running_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(need_client("chromium"), tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def browser(running_browser: Browser) -> Iterator[Browser]:
    """One for all tests; the pages are a test's own."""
    yield running_browser
    running_browser.close_pages()
