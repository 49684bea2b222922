"""Which requests would reach a SnapStart hook, and which paths no hook can have."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_adapter.endpoint import OptionError
from penstock_adapter.hook_paths import AFTER_RESTORE, BEFORE_CHECKPOINT, NO_HOOKS, read_hook_paths
from penstock_adapter.http_url import clean_path
from penstock_adapter.options import read_options

HOOKS = read_hook_paths({BEFORE_CHECKPOINT: "/snapstart/before", AFTER_RESTORE: "/SnapStart/%61fter"}, "/events")


def covers(path: str) -> bool:
    """As both modes ask: of a target made from the event's path."""
    return HOOKS.covers(f"{clean_path(path)}?x=1")


@pytest.mark.parametrize(
    "path",
    [
        "/snapstart/after",
        "/snapstart/before",
        "snapstart/before",
        "/snapstart/after/",
        "//snapstart///after",
        "/SNAPSTART/After",
        "/snapstart/%61%66ter",
        "/snapstart/%61FTER",
        "/snapstart%2Fafter",
        "/x/../snapstart/after",
        "/x/%2e%2E/snapstart/after",
        "/x%2F..%2Fsnapstart/after",
        "/snapstart/./after",
        "/../snapstart/after",
        "/snapstart\\after",
        "/snapstart%5Cafter",
        "/snapstart/after;x=1",
        "/snapstart;v=2/after;x",
        "/x/..;/snapstart/after",
        "/snapstart/after%3Bx",
        "/snapstart/after%0A",
        "/snap\tstart/after",
        "/snapstart/after%00",
    ],
)
def test_every_spelling_is_covered(path: str) -> None:
    assert covers(path)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/snapstart",
        "/snapstart/after/more",
        "/snapstart/afterwards",
        "/x/snapstart/after",
        "/snapstart/%2561fter",
        "/snapstart/after%",
        "/snapstart/after%zz",
        "/snapstart/after%25",
        "/snapstart/after%FF",
        "/snapstart/after?",
    ],
)
def test_other_routes_are_not(path: str) -> None:
    assert not covers(path)


@given(st.text(max_size=30))
def test_without_hooks_nothing_is(path: str) -> None:
    assert not NO_HOOKS.covers(path)
    covers(path)  # whatever it is, it can be read


def test_paths_are_what_a_request_line_can_hold() -> None:
    hooks = read_hook_paths({BEFORE_CHECKPOINT: "a b/ñ", AFTER_RESTORE: ""}, "/events")
    assert (hooks.before_checkpoint, hooks.after_restore) == ("/a%20b/%C3%B1", "")
    assert hooks.covers("/A%20b/%c3%91")
    assert read_hook_paths({}, "/events") == NO_HOOKS


@pytest.mark.parametrize("name", [BEFORE_CHECKPOINT, AFTER_RESTORE])
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/", "is the root of the app"),
        ("//", "is the root of the app"),
        ("/..", "is the root of the app"),
        ("/x/..", "is the root of the app"),
        ("/%2f", "is the root of the app"),
        ("/;x", "is the root of the app"),
        ("/after%25", "holds a percent sign when it is decoded"),
        ("/after%", "holds a percent sign when it is decoded"),
        ("/%zzafter", "holds a percent sign when it is decoded"),
        ("/after%ff", "holds a percent sign when it is decoded"),
        ("/Work/", "is where events that are not HTTP go"),
    ],
)
def test_a_path_that_cannot_be_guarded_is_refused(name: str, path: str, said: str) -> None:
    with pytest.raises(OptionError, match=f"^{re.escape(f'{name}={path!r} {said}')}.*: expected"):
        read_options(
            {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "AWS_LWA_PASS_THROUGH_PATH": "work", name: path},
        )
