"""Clients end with their tests, with all that they started, also when nobody asked them to."""

from pathlib import Path

import psutil

from support.browser import browsing
from support.clients import need_client, talking
from support.up import eventually

ORPHANING = "sleep 1000 & echo $!; sleep 1000 & echo $!"


def has_ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)  # nobody may be there to reap it
    except psutil.NoSuchProcess:
        return True


def all_ended(processes: list[psutil.Process]) -> bool:
    return all(map(has_ended, processes))


def test_what_a_client_left_behind_ends(tmp_path: Path) -> None:
    with talking(tmp_path, "sh", "-c", ORPHANING) as conversation:
        left = [psutil.Process(int(conversation.line())) for _ in range(2)]
        assert conversation.ended() == 0
        assert not all_ended(left)
    eventually(lambda: all_ended(left), "the end of what a client left behind")


def test_a_browser_ends_with_all_its_processes(tmp_path: Path) -> None:
    here = psutil.Process()
    before = here.children()
    with browsing(need_client("chromium"), tmp_path) as browser:
        assert browser.open("data:text/html,<p>hello").text_with("hello") == "hello"
        [shell] = [child for child in here.children() if child not in before]
        processes = [shell, *shell.children(recursive=True)]
        assert len(processes) > 1
    eventually(lambda: all_ended(processes), "the end of the browser's processes")
