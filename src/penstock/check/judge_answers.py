"""Answers mixed between requests, changed, or failed where they do not one at a time. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from penstock.check.answers import Answer
from penstock.check.findings import Finding, Kind
from penstock.check.measured import Level, Measured

_SHOWN = 3
_KEEP = (
    "keep what belongs to a request in local variables, arguments or a contextvars.ContextVar, not in anything that "
    "all requests share"
)
_LEFT_BEHIND = "something that one request leaves behind is answered to another: look for a cache or a global"
_LOGS = "penstock logs shows what the function wrote"


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What answers to one target are like with one request at a time. `echoes`: each holds its request's token;
    `holds_none`: there are some, and none holds any. `digests` is empty where they differ from each other anyway.
    """

    echoes: bool
    holds_none: bool
    statuses: frozenset[int]
    digests: frozenset[bytes]

    def is_mixed(self, answer: Answer) -> bool:
        return bool(answer.foreign) or (self.echoes and answer.is_ok and not answer.echoed)

    def is_new_failure(self, answer: Answer) -> bool:
        """Whether its status is an error that none had."""
        return not answer.is_ok and answer.status not in self.statuses

    def is_changed(self, answer: Answer) -> bool:
        known = not self.digests or answer.digest in self.digests
        return answer.is_ok and not known and not self.is_mixed(answer)

    def is_sound(self, answer: Answer) -> bool:
        return not (self.is_mixed(answer) or self.is_new_failure(answer) or is_broken(answer))


def is_broken(answer: Answer) -> bool:
    return answer.status == 0 or answer.status >= 500


def take_yardsticks(measured: Measured) -> list[Yardstick]:
    """One for each target, from the first level."""
    return [_take(list(_of_target(measured.levels[0], target))) for target in range(len(measured.targets))]


def _take(answers: Sequence[Answer]) -> Yardstick:
    fine = [answer for answer in answers if answer.is_ok]
    digests = frozenset(answer.digest for answer in fine)
    return Yardstick(
        echoes=bool(fine) and all(answer.echoed for answer in fine),
        holds_none=bool(fine) and not any(answer.echoed or answer.foreign for answer in fine),
        statuses=frozenset(answer.status for answer in answers),
        digests=digests if len(fine) > 1 and len(digests) == 1 else frozenset(),
    )


def is_sound(level: Level, yardsticks: Sequence[Yardstick]) -> bool:
    """Whether every answer of a level is its own, and none failed."""
    return all(yardsticks[answer.target].is_sound(answer) for answer in level.answers)


def judge_answers(measured: Measured, yardsticks: Sequence[Yardstick]) -> list[Finding]:
    """One finding for each target and kind."""
    found: list[Finding] = []
    for target, (name, yardstick) in enumerate(zip(measured.targets, yardsticks, strict=True)):
        levels = [(level.concurrency, list(_of_target(level, target))) for level in measured.levels]
        # What fails because the environment has died is told with that.
        lived = [one for one, level in zip(levels, measured.levels, strict=True) if not level.died]
        found += _mixed(levels, name, yardstick)
        found += _failed(lived, name, yardstick)
        found += _changed(levels, name, yardstick)
    return found


_Levels = Sequence[tuple[int, Sequence[Answer]]]


def _of_target(level: Level, target: int) -> Iterator[Answer]:
    return (answer for answer in level.answers if answer.target == target)


def _mixed(levels: _Levels, name: str, yardstick: Yardstick) -> Iterator[Finding]:
    if alone := _told(levels[:1], yardstick.is_mixed):
        yield Finding(Kind.MIXED, f"{name}: {alone} held the token of a request before them", _LEFT_BEHIND)
    if together := _told(levels[1:], yardstick.is_mixed):
        yield Finding(Kind.MIXED, f"{name}: answers mixed between requests: {together} were another request's", _KEEP)


def _failed(levels: _Levels, name: str, yardstick: Yardstick) -> Iterator[Finding]:
    alone, together = levels[:1], levels[1:]
    if told := _told(alone, is_broken):
        yield Finding(Kind.ERRORS, f"{name}: {told} failed: {_reasons(alone, is_broken)}", _LOGS)
    if told := _told(together, yardstick.is_new_failure):
        reasons = _reasons(together, yardstick.is_new_failure)
        yield Finding(Kind.ERRORS, f"{name}: fails as it does not one at a time: {told}: {reasons}", _LOGS)


def _changed(levels: _Levels, name: str, yardstick: Yardstick) -> Iterator[Finding]:
    if together := _told(levels[1:], yardstick.is_changed):
        text = f"{name}: answers that are the same one at a time differ: {together}"
        yield Finding(Kind.CHANGED, text, "look for module state that requests read while others change it")


def _told(levels: _Levels, fits: Callable[[Answer], bool]) -> str:
    """`37 of 128 answers at 8 at once, ...`, empty when there are none."""
    counts = [(concurrency, sum(map(fits, answers)), len(answers)) for concurrency, answers in levels]
    return ", ".join(
        f"{number} of {total} answers {'one at a time' if concurrency == 1 else f'at {concurrency} at once'}"
        for concurrency, number, total in counts
        if number
    )


def _reasons(levels: _Levels, fits: Callable[[Answer], bool]) -> str:
    """`500 (12), the answer broke off after 10 bytes (1)`."""
    failed = (answer for _, answers in levels for answer in answers if fits(answer))
    counts = Counter(answer.error or f"status {answer.status}" for answer in failed)
    return ", ".join(f"{reason} ({number})" for reason, number in counts.most_common(_SHOWN))
