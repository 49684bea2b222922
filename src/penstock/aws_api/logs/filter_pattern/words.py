"""Patterns of words: all of them, in any order; `-word` must not be there; of `?word`s one is enough.

Case counts, and a word may be part of a longer one. A `?` beside other words says nothing: AWS ignores it there.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/matching-terms-unstructured-log-events.html
"""

import re
from collections.abc import Callable
from typing import Final

from penstock.aws_api.logs.filter_pattern.scanner import PatternError, Scanner, Test

# Anything else must be quoted: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html.
# A dot, colon and the like have been seen to be taken; assumed.
_WORD: Final = re.compile(r"[^\s\"%?\-{}\[\]()|&<>=*$][^\s\"{}\[\]()|&<>*$]*")


def parse_words(text: str) -> Callable[[str], bool]:
    """Raises PatternError. Without any word everything matches."""
    scanner = Scanner(text)
    needed: list[Test] = []
    excluded: list[Test] = []
    optional: list[Test] = []
    scanner.skip_spaces()
    while not scanner.done:
        kind = needed
        if scanner.peek("-"):
            scanner.at += 1
            kind = excluded
        elif scanner.peek("?"):
            scanner.at += 1
            kind = optional
        kind.append(_term(scanner))
        scanner.skip_spaces()
    if needed or excluded:
        optional = []

    def matches(message: str) -> bool:
        if optional:
            return any(test(message) for test in optional)
        return all(test(message) for test in needed) and not any(test(message) for test in excluded)

    return matches


def _term(scanner: Scanner) -> Test:
    pattern = scanner.regex()
    if pattern is not None:
        return pattern.search
    quoted = scanner.quoted()
    if quoted is not None:
        return _contains(quoted)
    start = scanner.at
    found = _WORD.match(scanner.text, start)
    if found is None:
        what = scanner.text[start : start + 1] or "the end"
        raise PatternError(f"{what!r} at character {start + 1}: a term with such a character needs double quotes")
    scanner.at = found.end()
    if not scanner.done and not scanner.text[scanner.at].isspace():
        raise PatternError(f"{scanner.text[scanner.at]!r}: a term with such a character needs double quotes")
    return _contains(found[0])


def _contains(word: str) -> Test:
    return lambda message: word in message
