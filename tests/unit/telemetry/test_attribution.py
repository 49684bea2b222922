"""Which invocation wrote a line."""

import pytest

from penstock.telemetry.attribution import request_id_of

A = "8f5b2c1e-0d3a-4b7c-9e1f-2a3b4c5d6e7f"
B = "11111111-2222-4333-8444-555555555555"
C = "99999999-2222-4333-8444-555555555555"
RUNNING = {A, B}


@pytest.mark.parametrize("key", ["requestId", "request_id", "AWSRequestId", "aws_request_id"])
def test_json_that_names_its_request_is_believed(key: str) -> None:
    assert request_id_of(f'{{"level": "INFO", "{key}": "{C}", "message": "of {A}"}}', RUNNING) == C


@pytest.mark.parametrize(
    ("line", "only", "expected"),
    [
        (f"[INFO] {A} hello", None, A),
        (f"{A} then {A} again", None, A),
        (f"{A} called {B}", None, None),
        (f"{A} called {B}", A, None),
        (f"{A} called {C}", None, A),
        (f"trace {C}", None, None),
        (f"trace {C}", B, B),
        ("hello", None, None),
        ("hello", A, A),
        ("", None, None),
        (f'{{"message": "{A}"}}', None, A),
        ('{"requestId": 7}', A, A),
        ('{"requestId": ""}', None, None),
        (f'{{"requestId": "{A}" broken', None, A),
        (f'["requestId", "{A}"]', None, A),
        (f'  {{"requestId": "{C}"}}', None, C),
        (f"x{A}y", None, A),
    ],
)
def test_text(line: str, only: str | None, expected: str | None) -> None:
    assert request_id_of(line, RUNNING, only) == expected
