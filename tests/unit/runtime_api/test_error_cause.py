"""Causes of errors as runtimes tell them for a trace (`rt-<number>` of AWS's own suites)."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.runtime_api.error_cause import MAX_BYTES, MAX_TEXT_BYTES, crop, normalise
from support.runtime_rig import RuntimeRig

WHOLE: dict[str, Any] = {
    "exceptions": [
        {"message": "no", "type": "ValueError", "stack": [{"path": "app.py", "line": 3, "label": "handler"}]}
    ],
    "working_directory": "/var/task",
    "paths": ["app.py"],
    "message": "it went wrong",
}
CAUSE = "lambda-runtime-function-xray-error-cause"


def read(value: object) -> Any:
    normalised = normalise(orjson.dumps(value))
    return normalised and orjson.loads(normalised)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(WHOLE, id="rt-123 all"),
        pytest.param({"exceptions": [{}]}, id="rt-123 exceptions"),
        pytest.param({"exceptions": [{"stack": [{}]}]}, id="rt-123 stack"),
        pytest.param({"paths": ["a"]}, id="rt-69 paths"),
        pytest.param({"message": "m"}, id="rt-69 message"),
        pytest.param({"working_directory": "/"}, id="rt-69 working directory"),
        pytest.param({"message": "m", "unknown": 1}, id="rt-123 unknown key"),
        pytest.param({"message": "m", "exceptions": None, "paths": None}, id="rt-123 null"),
    ],
)
def test_accepted(value: object) -> None:
    assert read(value) is not None


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="rt-67 empty"),
        pytest.param(b"{", id="rt-66 no json"),
        pytest.param(b"{}", id="rt-68 empty object"),
        pytest.param(b"null", id="rt-124 null"),
        pytest.param(b"[]", id="rt-124 list"),
        pytest.param(b'{"unknown":1}', id="rt-124 unknown key"),
        pytest.param(b'{"exceptions":[],"paths":[],"message":"","working_directory":""}', id="rt-124 empty parts"),
        pytest.param(b'{"message":1}', id="rt-124 wrong type"),
        pytest.param(b'{"exceptions":"x"}', id="rt-124 exceptions no list"),
        pytest.param(b'{"message":"\xff"}', id="rt-124 no text"),
    ],
)
def test_ignored(value: bytes) -> None:
    assert normalise(value) is None


def test_rt_125_what_is_kept() -> None:
    assert read({**WHOLE, "unknown": 1}) == WHOLE
    assert normalise(b'{"message":"m"}') == b'{"exceptions":null,"working_directory":"","paths":null,"message":"m"}'
    assert normalise(b'{"paths":["p"]}') == b'{"exceptions":null,"working_directory":"","paths":["p"]}'


def test_rt_126_nothing_is_cut_from_a_small_one() -> None:
    assert read({**WHOLE, "paths": []})["paths"] == []


def test_rt_127_texts_too_long_by_themselves() -> None:
    value = {"exceptions": [{}], "paths": ["p"], "message": "m" * MAX_BYTES, "working_directory": "/é" * MAX_BYTES}
    kept = read(value)
    assert (kept["exceptions"], kept["paths"]) == ([], [])
    assert len(kept["message"].encode()) == MAX_TEXT_BYTES == 30_720
    assert len(kept["working_directory"].encode()) <= MAX_TEXT_BYTES
    assert kept["message"].endswith("m...")


@pytest.mark.parametrize(
    ("overweight", "kept"), [(1.0, 10), (1.2, 8), (1.6, 6), (2.4, 4), (4.8, 2), (20.0, 0)], ids=lambda one: f"{one}"
)
def test_rt_128_lists_are_shortened_until_the_whole_fits(overweight: float, kept: int) -> None:
    one = "p" * int(MAX_BYTES * overweight / 10 - 30)
    found = read({"paths": [one] * 10, "exceptions": [{}] * 10})
    assert (len(found["paths"]), len(found["exceptions"])) == (kept, kept)


@pytest.mark.parametrize(
    ("text", "size", "cut"),
    [("abcdef", 5, "ab..."), ("abcde", 5, "abcde"), ("", 5, ""), ("ééé", 5, "é..."), ("éé", 4, "éé")],
)
def test_rt_129_texts_are_cut(text: str, size: int, cut: str) -> None:
    assert crop(text, size) == cut


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.fixed_dictionaries(
    {}, optional={"exceptions": inner, "paths": inner, "message": inner, "working_directory": inner, "stack": inner}
)))  # fmt: skip
def test_any_json_is_a_small_cause_or_none(value: object) -> None:
    try:
        sent = orjson.dumps(value)
    except orjson.JSONEncodeError:  # a number over 64 bits, a lone surrogate
        return
    normalised = normalise(sent)
    assert normalised is None or len(normalised) <= MAX_BYTES


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        pytest.param(orjson.dumps(WHOLE).decode(), orjson.dumps(WHOLE), id="rt-63"),
        pytest.param("nonsense", None, id="rt-66"),
        pytest.param("", None, id="rt-67"),
        pytest.param("{}", None, id="rt-68"),
    ],
)
def test_cause_of_an_error_is_told_with_its_end_and_never_refused(sent: str, told: bytes | None) -> None:
    rig = RuntimeRig()
    worker, _ = rig.run()
    headers = {"lambda-runtime-function-error-type": "Runtime.Custom", CAUSE: sent}
    assert worker.error("r1", b"{}", headers).status == 202
    [(_, outcome)] = rig.outcomes
    assert outcome.cause == told
