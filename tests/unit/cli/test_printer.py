"""Printing from a thread: nothing that happens to stdout reaches the event loop."""

import threading
from collections.abc import Callable

import pytest

from penstock.cli import printer as printer_module
from penstock.cli.printer import Printer


class Screen:
    """A stdout that can be held; `seen` is what was written."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.entered = threading.Event()
        self.free = threading.Event()
        self.free.set()

    def write(self, text: str) -> None:
        self.entered.set()
        assert self.free.wait(20)
        self.seen.append(text)


def line(text: str) -> Callable[[], str]:
    return lambda: f"{text}\n"


def test_everything_is_printed_in_order() -> None:
    screen = Screen()
    printer = Printer(screen.write)
    for number in range(1000):
        printer.put(line(str(number)))
    printer.close(20)
    assert "".join(screen.seen) == "".join(f"{number}\n" for number in range(1000))


def test_rendering_happens_in_the_thread() -> None:
    threads: list[int] = []

    def render() -> str:
        threads.append(threading.get_ident())
        return ""

    printer = Printer(Screen().write)
    printer.put(render)
    printer.close(20)
    assert threads != [threading.get_ident()]
    assert len(threads) == 1


def test_stuck_stdout_holds_up_nobody_and_what_is_left_out_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printer_module, "_MOST_WAITING", 3)
    screen = Screen()
    screen.free.clear()
    printer = Printer(screen.write)
    printer.put(line("first"))
    assert screen.entered.wait(20)
    for number in range(10):
        printer.put(line(str(number)))
    printer.close(0.01)  # gives up waiting
    screen.free.set()
    printer.close(20)
    assert "".join(screen.seen) == "first\n0\n1\n2\n... 7 lines left out: stdout was not read\n"


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("I/O operation on closed file")])
def test_stdout_that_is_gone_is_no_error(error: Exception) -> None:
    def write(text: str) -> None:
        raise error

    printer = Printer(write)
    printer.put(line("lost"))
    printer.close(20)
    printer.put(line("also lost"))
    printer.close(20)


def test_letters_that_stdout_does_not_have_are_shown_by_number() -> None:
    seen: list[str] = []

    def write(text: str) -> None:
        text.encode("ascii")
        seen.append(text)

    printer = Printer(write)
    printer.put(line("caf\xe9"))
    printer.close(20)
    assert seen == ["caf\\xe9\n"]


def test_stdout_itself(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer()
    printer.put(line("hello"))
    printer.close(20)
    assert capsys.readouterr().out == "hello\n"
