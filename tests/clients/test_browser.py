"""A page in Chromium that reads a Function URL: its text grows while the stream is open."""

import pytest

from support.browser import Browser
from support.clients_site import NAMES, Site
from support.gate import Gate


@pytest.mark.parametrize(
    ("page", "first", "second"),
    [("fetch-page", "begin\n", "end\n"), ("events-page", "1 begin\n", "2 end\n")],
    ids=["fetch", "EventSource"],
)
def test_the_text_grows_while_the_stream_is_open(
    browser: Browser, stream_url: str, gate: Gate, visitor: str, page: str, first: str, second: str
) -> None:
    tab = browser.open(f"{stream_url}/{page}?{visitor}")
    assert tab.text_with(first) == first
    gate.next(visitor).release()
    assert tab.text_with("closed") == f"{first}{second}closed\n"


def test_a_web_socket_is_refused_and_told(browser: Browser, site: Site, stream_url: str) -> None:
    tab = browser.open(stream_url)
    script = "new Promise((resolve) => { new WebSocket(%r).onclose = (event) => resolve(event.code); })"
    assert tab.evaluate(script % f"{stream_url.replace('http', 'ws')}/socket") == 1006  # abnormal, as it never opened
    assert "WebSocket" in site.up.wait_for("request", path="/socket", status=400)["note"]


@pytest.mark.parametrize(
    ("page", "text"), [("fetch-page", "begin\nend\nclosed\n"), ("events-page", "1 begin\n2 end\nclosed\n")]
)
def test_a_buffered_answer_shows_at_its_end(
    browser: Browser, site: Site, gate: Gate, visitor: str, page: str, text: str
) -> None:
    tab = browser.open(f"{site.url(NAMES['BUFFERED'])}/{page}?{visitor}")
    visit = gate.next(visitor)
    assert tab.evaluate("document.body.innerText") == ""
    visit.release()
    assert tab.text_with("closed") == text
