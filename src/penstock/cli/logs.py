"""`penstock logs`: what functions wrote, and what the platform did with them, one line each."""

import heapq
import io
import os
import select
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final, TextIO

import typer

from penstock.cli.settings import project_folder
from penstock.model.errors import UserError
from penstock.telemetry.log_reader import LogLine, LogReader, parse
from penstock.telemetry.log_writer import rotated

_SUFFIX: Final = ".jsonl"
_POLL_MS: Final = 200
_SHORT_ID: Final = 8
_COLOURS: Final = ("cyan", "magenta", "yellow", "green", "blue", "bright_red")


def show_logs(
    function: Annotated[
        str | None, typer.Argument(help="Logical id or name of a function; all of the stack by default.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more until Ctrl-C.")] = False,
    request_id: Annotated[
        str | None, typer.Option("--request-id", help="Only this request's lines; its first characters do.")
    ] = None,
    stack_name: Annotated[
        str | None, typer.Option("--stack-name", help="Needed only when there are several stacks.")
    ] = None,
    template: Annotated[
        Path, typer.Option("--template", help="The template, or its folder, that `penstock up` was given.")
    ] = Path("template.yaml"),
    json: Annotated[bool, typer.Option("--json", help="The lines as they are kept: one JSON object each.")] = False,
) -> None:
    """Show what functions wrote, with START, END and REPORT of each request."""
    folder = logs_folder(template, stack_name)
    names = _wanted(folder, function)
    readers = {name: LogReader(folder / f"{name}{_SUFFIX}", request_id) for name in names}
    width = max(map(len, names)) if len(names) > 1 else 0
    view = _View(json=json, name_width=width, coloured=_is_coloured(sys.stdout))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a function may write what the terminal has no letters for
    try:
        _print(readers, view, sys.stdout, follow=follow)
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        # `| head` has seen enough. Python would complain once more when it flushes stdout at exit.
        # https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        for reader in readers.values():
            reader.close()


def logs_folder(template: Path, stack_name: str | None) -> Path:
    """`<project folder>/.penstock/<stack name>/logs`. `template` may be the folder it is in.

    Raises UserError when the stack is unknown, or several have logs and none is named.
    """
    home = project_folder(template / "template.yaml" if template.is_dir() else template) / ".penstock"
    stacks = sorted(path.parent.parent.name for path in home.glob(f"*/logs/*{_SUFFIX}"))
    known = list(dict.fromkeys(stacks))
    if not known:
        raise UserError(f"no logs yet in {home}: start the template with `penstock up` first")
    if stack_name is None and len(known) > 1:
        raise UserError(f"several stacks have logs in {home}: choose one with --stack-name: {', '.join(known)}")
    if stack_name is not None and stack_name not in known:
        raise UserError(f"no logs of stack {stack_name!r} in {home}; there are: {', '.join(known)}")
    return home / (stack_name or known[0]) / "logs"


def _wanted(folder: Path, function: str | None) -> list[str]:
    """The logical ids to show."""
    names = sorted(path.name.removesuffix(_SUFFIX) for path in folder.glob(f"*{_SUFFIX}"))
    if function is None:
        return names
    if function in names:
        return [function]
    for name in names:
        if _physical_name(folder / f"{name}{_SUFFIX}") == function:
            return [name]
    raise UserError(f"no logs of function {function!r} in {folder}; there are: {', '.join(names)}")


def _physical_name(path: Path) -> str | None:
    """The function's name as its environments were started with."""
    for part in (rotated(path), path):
        if not part.exists():
            continue
        with part.open("rb") as file:
            for raw in file:
                line = parse(raw) if b'"platform.initStart"' in raw else None
                if line is not None and isinstance(line.record, dict):
                    return str(line.record.get("functionName"))
    return None


@dataclass(frozen=True, slots=True)
class _View:
    json: bool
    name_width: int
    """0 when one function is shown, whose name then need not stand in front."""
    coloured: bool


def _print(readers: dict[str, LogReader], view: _View, out: TextIO, *, follow: bool) -> None:
    while True:
        for name, line in _merged(readers):
            for text in _rendered(name, line, view):
                out.write(text + "\n")
        out.flush()
        if not follow:
            return
        _wait(out)


def _merged(readers: dict[str, LogReader]) -> Iterator[tuple[str, LogLine]]:
    """The new lines of all, by time."""

    def named(name: str, reader: LogReader) -> Iterator[tuple[str, LogLine]]:
        return ((name, line) for line in reader.new_lines())

    return heapq.merge(*(named(name, reader) for name, reader in readers.items()), key=lambda item: item[1].time)


def _wait(out: TextIO) -> None:
    """A moment, or until nobody reads `out` any more."""
    poll = select.poll()
    poll.register(out.fileno(), 0)
    if poll.poll(_POLL_MS):
        raise BrokenPipeError


def _rendered(name: str, line: LogLine, view: _View) -> Iterator[str]:
    if view.json:
        yield line.raw.decode(errors="backslashreplace")
        return
    paint = partial(typer.style, fg=_colour(line.environment)) if view.coloured else str
    request = (line.request_id or "-")[:_SHORT_ID].ljust(_SHORT_ID)
    front = f"{name.ljust(view.name_width)} " if view.name_width else ""
    for text in _texts(line):
        yield f"{front}{line.time} {paint(line.environment[:_SHORT_ID])} {request} {text}"


def _colour(environment: str) -> str:
    """The same for every line of one environment, so that the eye can follow it."""
    return _COLOURS[sum(environment.encode()) % len(_COLOURS)]


def _is_coloured(out: TextIO) -> bool:
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _texts(line: LogLine) -> Iterable[str]:
    """In the words of the Lambda console: https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html"""
    record = line.record
    if isinstance(record, str):
        return (record,)
    match line.type:
        case "platform.start":
            return (f"START RequestId: {record.get('requestId')} Version: {record.get('version')}",)
        case "platform.report":
            identity = f"RequestId: {record.get('requestId')}"
            return (f"END {identity}", f"REPORT {identity} Duration: {_duration(record)}{_outcome(record)}")
        case "platform.initStart":
            return (f"INIT_START Runtime Version: {record.get('runtimeVersion')}",)
        case "platform.initRuntimeDone":
            return (f"INIT_RUNTIME_DONE{_outcome(record)}",)
        case "platform.initReport":
            return (f"INIT_REPORT Init Duration: {_duration(record)}{_outcome(record)}",)
        case "platform.extension":
            events = record.get("events")
            told = ", ".join(map(str, events)) if isinstance(events, list) else ""
            return (
                f"EXTENSION Name: {record.get('name')} State: {record.get('state')} Events: [{told}]{_outcome(record)}",
            )
        case "penstock.workerDied":
            return (f"WORKER_DIED Slots: {record.get('slots')}/{record.get('maxConcurrency')}",)
        case _:
            told = " ".join(f"{key}: {value}" for key, value in record.items())
            return (f"{line.type.removeprefix('platform.')} {told}",)


def _duration(record: dict[str, object]) -> str:
    metrics = record.get("metrics")
    milliseconds = metrics.get("durationMs") if isinstance(metrics, dict) else None
    return f"{milliseconds:.3f} ms" if isinstance(milliseconds, int | float) else "-"


def _outcome(record: dict[str, object]) -> str:
    status, error_type = record.get("status"), record.get("errorType")
    return (f" Status: {status}" if status else "") + (f" Error Type: {error_type}" if error_type else "")
