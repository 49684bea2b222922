"""Headless Chromium, spoken to over its debugging pipe: https://chromedevtools.github.io/devtools-protocol/.

The pipe is two of its file descriptors, 3 to read from and 4 to write to; a zero byte ends each JSON message.
"""

import json
import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.clients import PATIENCE_S, end_group, plain_variables

# A shell turns the two pipes that Popen can make into the two that Chromium wants.
PIPES = 'exec "$@" 3<&0 4>&1 </dev/null >&2'
# Root has no sandbox in it; nothing is asked of anybody but the pages' own origin.
FLAGS = (
    *("--headless", "--no-sandbox", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-breakpad"),
    *("--no-proxy-server", "--disable-sync"),
)

Json = dict[str, object]


class ScriptError(Exception):
    """What a page threw; the text is the browser's."""


class Browser:
    """Use `browsing`."""

    def __init__(self, process: "subprocess.Popen[bytes]", errors: Path) -> None:
        self._process = process
        self._errors = errors
        self._calls = 0
        self._targets: list[object] = []
        self._life: list[Json] = []
        self._read = b""

    def open(self, url: str) -> "Page":
        """A new tab at that address."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._targets.append(target)
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = Page(self, str(session))
        self.call("Page.enable", {}, page.session)
        self.call("Page.setLifecycleEventsEnabled", {"enabled": True}, page.session)
        loader = self.call("Page.navigate", {"url": url}, page.session)["loaderId"]
        self._wait_for({"name": "DOMContentLoaded", "loaderId": loader})
        return page

    def close_pages(self) -> None:
        while self._targets:
            self.call("Target.closeTarget", {"targetId": self._targets.pop()})
        self._life.clear()

    def call(self, method: str, parameters: Json, session: str | None = None) -> Json:
        """The result of one command."""
        self._calls += 1
        message: Json = {"id": self._calls, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        self._process.stdin.flush()
        while (answer := self._receive()).get("id") != self._calls:
            self._note(answer)
        result = answer.get("result")
        assert isinstance(result, dict), answer
        return result

    def _note(self, message: Json) -> None:
        """Keeps the life of documents; other events are passed over."""
        if message.get("method") == "Page.lifecycleEvent" and isinstance(life := message.get("params"), dict):
            self._life.append(life)

    def _wait_for(self, wanted: Json) -> None:
        while not any(wanted.items() <= life.items() for life in self._life):
            self._note(self._receive())

    def _receive(self) -> Json:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\0" not in self._read:
            ready, _, _ = select.select([descriptor], [], [], PATIENCE_S)
            more = os.read(descriptor, 65536) if ready else b""
            if not more:
                pytest.fail(f"the browser is {'gone' if ready else 'silent'}; it said {self._errors.read_text()}")
            self._read += more
        message, _, self._read = self._read.partition(b"\0")
        answer: Json = json.loads(message)
        return answer


class Page:
    """A tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self.session = session

    def evaluate(self, expression: str) -> object:
        """Its value, waited for when it is a promise. Raises ScriptError."""
        parameters: Json = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        answer = self._browser.call("Runtime.evaluate", parameters, self.session)
        if "exceptionDetails" in answer:
            raise ScriptError(json.dumps(answer["exceptionDetails"]))
        result = answer["result"]
        assert isinstance(result, dict)
        return result.get("value")

    def text_with(self, words: str) -> str:
        """The text visible in the page, as soon as it has these words in it."""
        return str(self.evaluate(UNTIL_SHOWN % json.dumps(words)))


# Also for a page that is being loaded: its body is yet to come.
UNTIL_SHOWN = """\
new Promise((resolve) => {
  const look = () => {
    const text = document.body?.innerText ?? "";
    if (!text.includes(%s)) return;
    observer.disconnect();
    resolve(text);
  };
  const observer = new MutationObserver(look);
  observer.observe(document, { childList: true, subtree: true, characterData: true });
  look();
})"""


@contextmanager
def browsing(chromium: Path, folder: Path) -> Iterator[Browser]:
    """Start a browser whose profile is in `folder`. In the end nothing of its process group runs any more."""
    errors = folder / "chromium-stderr"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            ["/bin/sh", "-c", PIPES, "sh", str(chromium), *FLAGS, f"--user-data-dir={folder / 'profile'}"],
            env=plain_variables(HOME=str(folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        yield Browser(process, errors)
    finally:
        end_group(process)
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
