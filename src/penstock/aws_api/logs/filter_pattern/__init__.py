"""Filter patterns: which events FilterLogEvents and Live Tail let through. Pure.

Three kinds: words (`ERROR -health "not found" %4[0-9]{2}%`), fields of JSON events (`{ $.level = "ERROR" }`), and
events split at spaces (`[host, ..., status = 4*, bytes]`).
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from collections.abc import Callable
from typing import Final

from penstock.aws_api.logs.filter_pattern.delimited import parse_delimited
from penstock.aws_api.logs.filter_pattern.json_fields import parse_json_fields
from penstock.aws_api.logs.filter_pattern.scanner import PatternError
from penstock.aws_api.logs.filter_pattern.words import parse_words

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
MAX_LENGTH: Final = 1024

__all__ = ["MAX_LENGTH", "PatternError", "parse"]


def parse(pattern: str) -> Callable[[str], bool]:
    """Tells of a message whether it matches. Raises PatternError."""
    if len(pattern) > MAX_LENGTH:
        raise PatternError(f"longer than {MAX_LENGTH} characters")
    text = pattern.strip()
    if text.startswith("{"):
        return parse_json_fields(text)
    if text.startswith("["):
        return parse_delimited(text)
    return parse_words(text)
