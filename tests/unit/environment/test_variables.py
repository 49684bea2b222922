"""The environment variables of the runtime and of extensions, and paths where there are no mount namespaces."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.environment.variables import (
    OVERRIDABLE,
    RESERVED,
    EnvironmentIdentity,
    extension_variables,
    rewrite_paths,
    runtime_variables,
)
from penstock.model.function import Function
from support.functions import function

IDENTITY = EnvironmentIdentity("127.0.0.1:40123", "2026/11/23/app[1]aa", "eu-west-1", 20_001)
RUNTIME_ONLY = {
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_AWS_XRAY_DAEMON_ADDRESS",
    "_AWS_XRAY_DAEMON_PORT",
    "_HANDLER",
}


def made(environment: Mapping[str, str] | None = None, log_level: str | None = None) -> Function:
    base = function(Path("/code"))
    return replace(base, log_group="/aws/lambda/app", environment=environment or {}, log_level=log_level)


def variables(environment: Mapping[str, str] | None = None, app_port: int | None = 20_001) -> dict[str, str]:
    return runtime_variables(made(environment), replace(IDENTITY, app_port=app_port))


def test_whole_set_of_a_runtime() -> None:
    assert variables() == {
        "AWS_ACCESS_KEY_ID": "AKIAPENSTOCKLOCAL000",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048",
        "AWS_LAMBDA_FUNCTION_NAME": "app",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "lambda-managed-instances",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/app",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/23/app[1]aa",
        "AWS_LAMBDA_MAX_CONCURRENCY": "64",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:40123",
        "PENSTOCK_LINK": "1",
        "PENSTOCK_POLLS_AHEAD": "1",
        "AWS_LWA_PORT": "20001",
        "AWS_REGION": "eu-west-1",
        "AWS_SECRET_ACCESS_KEY": "penstock-placeholder",
        "AWS_SESSION_TOKEN": "penstock-placeholder",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": (
            "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
        ),
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "PORT": "20001",
        "TZ": ":UTC",
        "_AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
        "_HANDLER": "run.sh",
    }


def test_rt_206_extension_has_the_same_but_what_is_the_runtimes_alone() -> None:
    runtime, extension = variables(), extension_variables(made(), IDENTITY)
    assert runtime.keys() - extension.keys() == RUNTIME_ONLY
    assert {name: runtime[name] for name in extension} == extension
    assert extension["AWS_LAMBDA_MAX_CONCURRENCY"] == "64"


def test_nothing_of_the_host_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "HOME", "PATH", "USER", "SECRET"):
        monkeypatch.setenv(name, "of the host")
    assert "of the host" not in variables().values()
    assert "of the host" not in extension_variables(made(), IDENTITY).values()


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_reserved_names_cannot_be_set(name: str) -> None:
    assert variables({name: "mine"}).get(name) != "mine"


@pytest.mark.parametrize("name", sorted(OVERRIDABLE | {"MY_OWN", "AWS_LAMBDA_EXEC_WRAPPER", "AWS_LWA_INVOKE_MODE"}))
def test_other_names_can(name: str) -> None:
    assert variables({name: "mine"})[name] == "mine"


@pytest.mark.parametrize("name", ["_HANDLER", "_X_AMZN_TRACE_ID", "_MINE"])
def test_leading_underscore_is_dropped(name: str) -> None:
    assert variables({name: "mine"}).get(name) != "mine"


def test_log_level_of_the_template_gives_way_to_the_variable() -> None:
    assert "AWS_LAMBDA_LOG_LEVEL" not in variables()
    assert runtime_variables(made(log_level="DEBUG"), IDENTITY)["AWS_LAMBDA_LOG_LEVEL"] == "DEBUG"
    own = made({"AWS_LAMBDA_LOG_LEVEL": "WARN"}, log_level="DEBUG")
    assert runtime_variables(own, IDENTITY)["AWS_LAMBDA_LOG_LEVEL"] == "WARN"


@pytest.mark.parametrize(
    ("declared", "moved"),
    [
        ({}, {"PORT", "AWS_LWA_PORT"}),
        ({"PORT": "8000"}, {"PORT", "AWS_LWA_PORT"}),
        ({"AWS_LWA_PORT": "8000", "PORT": "8000"}, {"PORT", "AWS_LWA_PORT"}),
        (
            {"PORT": "8000", "AWS_LWA_READINESS_CHECK_PORT": "8000"},
            {"PORT", "AWS_LWA_PORT", "AWS_LWA_READINESS_CHECK_PORT"},
        ),
        ({"PORT": "8000", "AWS_LWA_READINESS_CHECK_PORT": "9000"}, {"PORT", "AWS_LWA_PORT"}),
        ({"AWS_LWA_PORT": "8000", "READINESS_CHECK_PORT": "8000"}, {"PORT", "AWS_LWA_PORT", "READINESS_CHECK_PORT"}),
        ({"READINESS_CHECK_PORT": "8080"}, {"PORT", "AWS_LWA_PORT", "READINESS_CHECK_PORT"}),
    ],
)
def test_variables_that_name_the_apps_port_move_with_it(declared: dict[str, str], moved: set[str]) -> None:
    """Every environment's app has a port of its own, though each believes it has the declared one."""
    result = variables(declared)
    assert {name for name, value in result.items() if value == "20001"} == moved
    assert all(result[name] == value for name, value in declared.items() if name not in moved)


def test_app_keeps_its_port_in_a_network_of_its_own() -> None:
    assert variables({"PORT": "8000"}, app_port=None)["PORT"] == "8000"
    assert "AWS_LWA_PORT" not in variables({"PORT": "8000"}, app_port=None)
    assert "PORT" not in variables({}, app_port=None)


PLACES = {"/var/task": "/w/task", "/opt": "/w/opt", "/tmp": "/w/tmp", "/var/lang": "/w/lang"}


@pytest.mark.parametrize(
    ("value", "rewritten"),
    [
        ("/opt", "/w/opt"),
        ("/opt/bootstrap", "/w/opt/bootstrap"),
        ("/var/task/lib:/opt/lib:/lib64", "/w/task/lib:/w/opt/lib:/lib64"),
        ("a=/opt,/tmp;/opt", "a=/w/opt,/w/tmp;/w/opt"),
        ("--dir /tmp", "--dir /w/tmp"),
        ("/optional", "/optional"),
        ("/opt2/x", "/opt2/x"),
        ("/usr/opt/x", "/usr/opt/x"),
        ("http://host/opt/x", "http://host/opt/x"),
        ("./opt", "./opt"),
        ("/var/tasks", "/var/tasks"),
        ("/var", "/var"),
        ("/var/language:/var/lang/bin", "/var/language:/w/lang/bin"),
        ("", ""),
    ],
)
def test_paths_are_rewritten_only_as_whole_leading_segments(value: str, rewritten: str) -> None:
    assert rewrite_paths(value, PLACES) == rewritten


@given(st.text(alphabet="abc/.:", max_size=20))
def test_values_without_such_paths_stay(value: str) -> None:
    assert rewrite_paths(value, PLACES) == value


def test_places_may_hold_what_a_pattern_would_read() -> None:
    assert rewrite_paths("/a+b/x:/aab", {"/a+b": r"/w/\1"}) == r"/w/\1/x:/aab"
