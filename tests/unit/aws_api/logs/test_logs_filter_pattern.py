"""Which messages a filter pattern matches: AWS's examples first.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import re
import string
import time

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.aws_api.logs.filter_pattern import PatternError, parse
from penstock.aws_api.logs.filter_pattern.regex import Regex, RegexError
from support.fuzzing import examples


@pytest.mark.parametrize(
    ("pattern", "message", "matches"),
    [
        ("", "anything", True),
        ("  ", "anything", True),
        ("ERROR", "[ERROR 400] BAD REQUEST", True),
        ("ERROR", "[error 400] BAD REQUEST", False),
        ("ERROR", "ERRORCODE", True),
        ("ERROR ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", True),
        ("ARGUMENTS ERROR", "[ERROR 419] MISSING ARGUMENTS", True),
        ("ERROR ARGUMENTS", "[ERROR 401] UNAUTHORIZED", False),
        ("?ERROR ?ARGUMENTS", "[ERROR 401] UNAUTHORIZED", True),
        ("?ERROR ?ARGUMENTS", "[INFO] ARGUMENTS", True),
        ("?ERROR ?ARGUMENTS", "[INFO]", False),
        ("ERROR ?ARGUMENTS", "[ERROR]", True),
        ("ERROR -ARGUMENTS", "[ERROR 401] UNAUTHORIZED", True),
        ("ERROR -ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", False),
        ("-ERROR", "fine", True),
        ('"INTERNAL SERVER ERROR"', "[ERROR 500] INTERNAL SERVER ERROR", True),
        ('"INTERNAL SERVER ERROR"', "[ERROR 500] INTERNAL  SERVER ERROR", False),
        (r'"a \"b\" c"', 'x a "b" c y', True),
        ('-"not found"', "was not found", False),
        ("%AUTHORIZED%", "[ERROR 401] UNAUTHORIZED REQUEST", True),
        ("%[Ee]rror|[Ff]ail%", "It failed", True),
        ("%[Ee]rror|[Ff]ail%", "FAIL", False),
        ("%^[hc]at%", "the cat", False),
        ("%[hc]at$%", "the cat", True),
        (r"%10\.10\.0\.1%", "from 10.10.0.1", True),
        (r"%10\.10\.0\.1%", "from 10x10.0.1", False),
        (r"%\d{1,3}\.\d{1,3}%", "v 12.345", True),
        ("ERROR -%4[0-9][0-9]%", "ERROR 404", False),
        ("ERROR -%4[0-9][0-9]%", "ERROR 504", True),
        ("request-id.1", "the request-id.1 is", True),
    ],
)
def test_words(pattern: str, message: str, matches: bool) -> None:
    assert parse(pattern)(message) is matches


EVENT = orjson.dumps(
    {
        "eventType": "UpdateTrail",
        "sourceIPAddress": "111.111.111.111",
        "arrayKey": ["value", "another value"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
        "SomeObject": None,
        "cluster.name": "c",
        "ok": True,
        "latency": 125.5,
        "code": "500",
        "user": {"id": 1, "email": "John.Stiles@example.com"},
    }
).decode()


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ('{ $.eventType = "UpdateTrail" }', True),
        ("{$.eventType=UpdateTrail}", True),
        ('{ $.eventType = "updateTrail" }', False),
        ("{ $.sourceIPAddress != 123.123.* }", True),
        ("{ $.sourceIPAddress = 111.111.* }", True),
        ('{ $.arrayKey[0] = "value" }', True),
        ('{ $.arrayKey[1] = "value" }', False),
        ('{ $.arrayKey[9] = "value" }', False),
        ("{ $.objectList[1].id = 2 }", True),
        ("{ $.objectList[*].id = 2 }", True),
        ("{ $.objectList[*].id > 2 }", False),
        ("{ $.SomeObject IS NULL }", True),
        ("{ $.SomeOtherObject NOT EXISTS }", True),
        ("{ $.SomeObject NOT EXISTS }", False),
        ("{ $.ok IS TRUE }", True),
        ("{ $.ok is false }", False),
        ("{ $.ok = true }", True),
        ("{ $.['cluster.name'] = \"c\" }", True),
        ("{ $['cluster.name'] = \"c\" }", True),
        ("{ $.eventType = %Trail% }", True),
        ("{ $.eventType != %Trail% }", False),
        ("{ $.latency > 125 }", True),
        ("{ $.latency >= 1.255e2 }", True),
        ("{ $.latency < 125.5 }", False),
        ("{ $.latency = 125.5 }", True),
        ("{ $.latency != 1 }", True),
        ("{ $.latency = 12* }", True),
        ("{ $.code = 500 }", True),
        ("{ $.user = * }", False),
        ("{ $.nothing != 1 }", False),
        ('{ $.latency = "*" }', True),
        ('{ ($.user.id = 1) && ($.user.email = "John.Stiles@example.com") }', True),
        ("{ $.user.id = 2 && $.user.id = 3 || $.ok IS TRUE }", True),
        ("{ $.user.id = 2 && ($.user.id = 3 || $.ok IS TRUE) }", False),
    ],
)
def test_fields_of_json(pattern: str, matches: bool) -> None:
    assert parse(pattern)(EVENT) is matches


def test_what_is_no_json_object_has_no_fields() -> None:
    matches = parse("{ $.a NOT EXISTS }")
    assert [matches(message) for message in ("plain", "[1]", '{"b": 1', '{"b": 1}')] == [False, False, False, True]


LINE = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("[ip, user, username, timestamp, request, status, bytes]", True),
        ("[ip, user, username, timestamp, request]", False),
        ("[ip, user, username, timestamp, request =*.html*, status_code = 4*, bytes]", True),
        ("[ip, user, username, timestamp, request =*.png*, status_code = 4*, bytes]", False),
        ("[..., status_code=404, bytes]", True),
        ("[ip, ..., bytes > 1000]", True),
        ("[ip, ..., bytes > 2000]", False),
        ("[..., status = 4* || status = 5*, bytes]", True),
        ("[..., status >= 400 && status < 500, bytes]", True),
        ("[..., status != 404, bytes]", False),
        ("[ip != %127.*%, ...]", False),
        ('[ip="127.0.0.1", ...]', True),
        ("[...]", True),
        ("[a, b, c, d, e, f, g, h, ...]", False),
    ],
)
def test_fields_between_spaces(pattern: str, matches: bool) -> None:
    assert parse(pattern)(LINE) is matches


@pytest.mark.parametrize(
    "pattern",
    [
        '"open',
        "%open",
        "{ $.a }",
        "{ $.a = }",
        "{ a = 1 }",
        "{ $ = 1 }",
        "{ $.a = 1",
        "{ $.a = 1 } x",
        "{ $.a > text }",
        "{ $.a = 1 && }",
        "{ ($.a = 1 }",
        "{ $.a[x] = 1 }",
        "{" + "(" * 100 + "$.a = 1" + ")" * 100 + "}",
        "[a, b",
        "[a b]",
        "[..., a, ...]",
        "[a] x",
        "[a > text]",
        "[a = 1 || b = 2]",
        "%%",
        "%something!%",
        "%(a)%",
        "%a**%",
        "%a{3,2}%",
        "%a{2000}%",
        "%[a%",
        "%*a%",
        "%a% %b% %c%",
        "-",
        "?",
        "x" * 1025,
    ],
)
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(PatternError):
        parse(pattern)


def test_a_hostile_expression_takes_no_longer_than_its_text() -> None:
    began = time.monotonic()
    assert not parse("%a*a*a*a*a*a*a*a*a*b%")("a" * 200_000)
    assert not parse("{ $.a = a*a*a*a*a*a*a*a*b }")('{"a": "' + "a" * 200_000 + 'c"}')
    assert time.monotonic() - began < 2


_FUZZED = settings(max_examples=examples(200), deadline=None)
_CHARACTERS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", "1", r"\.", " "])
_REPEATS = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,2}", "{0,}"])
_ROW = st.lists(st.tuples(_CHARACTERS, _REPEATS), min_size=1, max_size=4).map(
    lambda row: "".join(character + repeat for character, repeat in row)
)
_WHOLE = st.tuples(st.sampled_from(["", "^"]), _ROW, st.sampled_from(["", "$"])).map("".join)
_SOURCES = st.lists(_WHOLE, min_size=1, max_size=2).map("|".join)


@_FUZZED
@given(_SOURCES, st.text("ab1. ", max_size=8))
def test_regular_expressions_find_what_pythons_find(source: str, text: str) -> None:
    python = re.compile(source.replace("$", r"\Z"), re.DOTALL | re.ASCII)
    assert Regex(source).search(text) is (python.search(text) is not None)


@_FUZZED
@given(st.text(string.printable, max_size=12))
def test_any_text_is_a_regular_expression_or_is_refused(source: str) -> None:
    try:
        found = Regex(source)
    except RegexError:
        return
    found.search("some text")


@_FUZZED
@given(st.text(st.sampled_from('{}[]()$.=!<>&|*?-%"\\ ,a1ISNULexit'), max_size=20))
def test_any_text_is_a_pattern_or_is_refused(pattern: str) -> None:
    try:
        matches = parse(pattern)
    except PatternError:
        return
    for message in ("a", EVENT, LINE, ""):
        assert matches(message) in (True, False)
