"""What is shown of the errors that runtimes post."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.runtime_api.error_body import ErrorBody, read


def body(**fields: object) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("posted", "text"),
    [
        (body(errorType="ValueError", errorMessage="no luck"), "ValueError: no luck"),
        (body(errorType="Runtime.Unknown", errorMessage="no luck"), "no luck"),
        (body(errorType="ValueError", errorMessage=""), "ValueError"),
        (body(errorMessage="no luck"), "no luck"),
        (body(errorMessage=7, errorType=None), ""),
        (b"plain words", "plain words"),
        (b'["a list"]', '["a list"]'),
        (b"\xff", "\N{REPLACEMENT CHARACTER}"),
        (b"", ""),
    ],
)
def test_text(posted: bytes, text: str) -> None:
    assert read(posted, "Runtime.Unknown") == ErrorBody(text, None)


def test_stack_trace_in_lines() -> None:
    frames = ['  File "/var/task/app.py", line 1, in <module>\n    fail()\n', "  ^^^"]
    told = read(body(errorMessage="x", stackTrace=frames), "")
    assert told.stack == ('  File "/var/task/app.py", line 1, in <module>', "    fail()", "  ^^^")


def test_an_empty_stack_trace_is_one() -> None:
    assert read(body(errorMessage="x", stackTrace=[]), "").stack == ()


@given(
    st.binary()
    | st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner)).map(json.dumps).map(str.encode)
)
def test_any_body_can_be_shown(posted: bytes) -> None:
    assert isinstance(read(posted, "").text, str)
