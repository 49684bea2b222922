"""A page in Chromium that reads a Function URL of another origin, where the template's Cors lets it."""

import json

import pytest

from support.aws_doors import Doors
from support.browser import Browser, Page, ScriptError
from support.clients_app import GREETING
from support.clients_site import NAMES, InvokeMode
from support.gate import Gate

# A method and a header that a browser asks for beforehand.
PUT: dict[str, object] = {
    "method": "PUT",
    "headers": {"x-word": "word", "content-type": "text/plain; charset=utf-8"},
    "body": GREETING,
}


@pytest.fixture
def page(browser: Browser, doors: Doors) -> Page:
    """From a third origin."""
    return browser.open(f"{doors.site.url('Streaming')}/")


def fetched(page: Page, url: str, options: dict[str, object] | None = None) -> object:
    """The text of the answer. Raises ScriptError when the browser keeps it from the page."""
    return page.evaluate(f"fetch({json.dumps(url)}, {json.dumps(options or {})}).then((answer) => answer.text())")


def test_a_page_reads_what_is_shared(page: Page, doors: Doors, mode: InvokeMode) -> None:
    assert fetched(page, doors.site.url(f"Shared{NAMES[mode]}")) == GREETING


def test_a_page_asks_beforehand(page: Page, doors: Doors, mode: InvokeMode) -> None:
    url = doors.site.url(f"Shared{NAMES[mode]}")
    assert fetched(page, f"{url}/echo", PUT) == GREETING
    with pytest.raises(ScriptError, match="Failed to fetch"):
        fetched(page, f"{url}/echo", {**PUT, "method": "DELETE"})
    with pytest.raises(ScriptError, match="Failed to fetch"):
        fetched(page, f"{url}/echo", {**PUT, "headers": {"x-other": "word"}})


def test_a_page_sees_the_headers_that_are_exposed(page: Page, doors: Doors, mode: InvokeMode) -> None:
    url = json.dumps(doors.site.url(f"Shared{NAMES[mode]}"))
    names = page.evaluate(f"fetch({url}).then((answer) => [...answer.headers.keys()])")
    assert isinstance(names, list)
    assert "x-amzn-requestid" in names


def test_a_page_is_kept_from_what_is_not_shared(page: Page, doors: Doors) -> None:
    with pytest.raises(ScriptError, match="Failed to fetch"):
        fetched(page, doors.site.url("Buffered"))


def test_a_shared_stream_is_read_as_it_is_written(page: Page, doors: Doors, gate: Gate, visitor: str) -> None:
    url = json.dumps(f"{doors.site.url('SharedStreaming')}/stream?{visitor}")
    page.evaluate(
        f"fetch({url}).then((answer) => {{ globalThis.reader = answer.body.pipeThrough(new TextDecoderStream())"
        ".getReader(); })"
    )
    assert page.evaluate("reader.read()") == {"done": False, "value": "begin\n"}
    gate.next(visitor).release()
    assert page.evaluate("reader.read()") == {"done": False, "value": "end\n"}
    assert page.evaluate("reader.read().then((last) => last.done)") is True
