"""The `AWS_LWA_*` variables and Lambda's own: names, defaults, deprecated names. Pure: a mapping in, values out.

Names and rules are Lambda Web Adapter's (https://github.com/aws/aws-lambda-web-adapter, README and src/lib.rs), so
that a template written for it works unchanged. Where it takes a default for a bad value without a word, so do
we, with a warning; PENSTOCK_STRICT=1 refuses to start instead. Values are not trimmed; an empty string counts as set.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from penstock_adapter import hand_over
from penstock_adapter.endpoint import Endpoint, OptionError, read_endpoint, read_port
from penstock_adapter.hook_paths import NO_HOOKS, HookPaths, read_hook_paths
from penstock_adapter.variables import Variables, read_statuses

DEFAULT_PORT = "8080"
DEFAULT_HOST = "127.0.0.1"
# Below uvicorn's keep-alive of 5 s, so that we close an idle connection before the app does.
DEFAULT_POOL_IDLE_S = 4.0
DEFAULT_HEALTHY = frozenset(range(100, 500))

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
# Initializations without the limit of 10 s, which leave async init nothing to win (LWA 1.1).
_UNHURRIED = ("snap-start", "provisioned-concurrency")
_INITIALIZATION = "AWS_LAMBDA_INITIALIZATION_TYPE"


class InvokeMode(StrEnum):
    BUFFERED = "buffered"
    RESPONSE_STREAM = "response_stream"


class ReadinessProtocol(StrEnum):
    HTTP = "http"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class Readiness:
    """How to tell that the app is up. `timeout_s` bounds the whole wait; None waits for ever."""

    protocol: ReadinessProtocol
    port: int
    path: str
    healthy: frozenset[int]
    timeout_s: float | None


@dataclass(frozen=True, slots=True)
class EventRules:
    """How an event becomes an HTTP request. `base_path` has a leading and no trailing slash, or is empty."""

    base_path: str = ""
    pass_through_path: str = "/events"
    authorization_source: str = ""


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """What Lambda's variables say about the function; `memory` in MiB. The `env_config` of the Lambda context."""

    function_name: str = ""
    memory: int = 0
    version: str = ""
    log_stream: str = ""
    log_group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything the adapter can be told. `concurrency` is the number of slots, at least 1."""

    runtime_api: Endpoint
    extensions_api: Endpoint
    app: Endpoint
    readiness: Readiness
    rules: EventRules
    facts: FunctionFacts
    invoke_mode: InvokeMode
    error_statuses: frozenset[int]
    async_init: bool
    compression: bool
    pool_idle_s: float
    concurrency: int
    log_level: str
    log_as_json: bool
    polls_ahead: bool
    """The Runtime API is Penstock's, which takes a poll together with the end of an answer."""
    linked: bool = False
    """The Runtime API is Penstock's, and carries all slots on one connection."""
    uvicorn_hook: bool = False
    """Invocations may reach uvicorn in its own process, in place of its port."""
    snap_start: bool = False
    """Init ends with a snapshot of the environment, from which others are restored."""
    hooks: HookPaths = NO_HOOKS
    warnings: tuple[str, ...] = ()


def read_options(environ: Mapping[str, str]) -> Options:
    """All options out of `environ`.

    Raises `OptionError` where LWA would refuse to start. With PENSTOCK_STRICT=1 it does so for every value that is none
    of those allowed, its text one line for each.
    """
    read = Variables(environ)
    runtime_api = environ.get("AWS_LAMBDA_RUNTIME_API")
    if not runtime_api:
        raise OptionError("AWS_LAMBDA_RUNTIME_API is not set: expected host:port of the Lambda Runtime API")
    extensions_api = read_endpoint("AWS_LAMBDA_RUNTIME_API", runtime_api)
    # Registration keeps the original address: https://github.com/aws/aws-lambda-web-adapter/pull/737
    proxy = environ.get("AWS_LWA_LAMBDA_RUNTIME_API_PROXY")
    app = _read_app(read, environ)
    mode = InvokeMode(read.choice("AWS_LWA_INVOKE_MODE", InvokeMode, InvokeMode.BUFFERED))
    rules = _read_rules(read)
    options = Options(
        runtime_api=read_endpoint("AWS_LWA_LAMBDA_RUNTIME_API_PROXY", proxy) if proxy else extensions_api,
        extensions_api=extensions_api,
        app=app,
        readiness=_read_readiness(read, app),
        rules=rules,
        facts=_read_facts(read),
        invoke_mode=mode,
        error_statuses=_read_error_statuses(read),
        async_init=_read_async_init(read),
        compression=_read_compression(read, mode),
        pool_idle_s=_read_pool_idle(read),
        concurrency=max(1, read.whole("AWS_LAMBDA_MAX_CONCURRENCY", 1)),
        log_level=environ.get("AWS_LAMBDA_LOG_LEVEL") or environ.get("RUST_LOG") or "INFO",
        log_as_json=environ.get("AWS_LAMBDA_LOG_FORMAT", "").lower() == "json",
        polls_ahead=environ.get("PENSTOCK_POLLS_AHEAD") == "1",
        linked=environ.get("PENSTOCK_LINK") == "1" and not proxy,  # which is there to see what passes
        uvicorn_hook=_read_hook(read),
        snap_start=environ.get(_INITIALIZATION) == "snap-start",
        hooks=read_hook_paths(environ, rules.pass_through_path),
    )
    if _is_strict(read) and read.wrong:
        raise OptionError("\n".join(read.wrong))
    return replace(options, warnings=(*read.notes, *read.wrong))


def _is_strict(read: Variables) -> bool:
    text = read.environ.get("PENSTOCK_STRICT", "0")
    if text not in ("0", "1"):
        read.notes.append(f"PENSTOCK_STRICT={text!r} counts as 0: expected 0 or 1")
    return text == "1"


def _read_hook(read: Variables) -> bool:
    text = read.environ.get(hand_over.VARIABLE, "0")
    if text not in ("0", "1"):
        read.wrong.append(f"{hand_over.VARIABLE}={text!r} counts as 0: expected 0 or 1")
    return hand_over.is_wanted(read.environ)


def _read_app(read: Variables, environ: Mapping[str, str]) -> Endpoint:
    variable = "AWS_LWA_PORT" if "AWS_LWA_PORT" in environ else "PORT"
    port = read_port(variable, environ.get(variable, DEFAULT_PORT))
    text = read.get("AWS_LWA_HOST")
    host = DEFAULT_HOST if text is None else text
    bare = host.strip("[]")
    if not bare or not bare.isascii() or not all(char.isalnum() or char in ".-_:" for char in bare):
        name = read.name("AWS_LWA_HOST")
        raise OptionError(f"{name}={host!r} is not a host: expected a name or an address such as 127.0.0.1")
    return Endpoint(bare, port)


def _read_readiness(read: Variables, app: Endpoint) -> Readiness:
    port = read.get("AWS_LWA_READINESS_CHECK_PORT")
    path = read.get("AWS_LWA_READINESS_CHECK_PATH")
    if path is not None and (not path.startswith("/") or not path.isprintable() or " " in path):
        name = read.name("AWS_LWA_READINESS_CHECK_PATH")
        raise OptionError(f"{name}={path!r} is not a path: expected /something")
    return Readiness(
        protocol=ReadinessProtocol(
            read.choice("AWS_LWA_READINESS_CHECK_PROTOCOL", ReadinessProtocol, ReadinessProtocol.HTTP)
        ),
        port=app.port if port is None else read_port(read.name("AWS_LWA_READINESS_CHECK_PORT"), port),
        path=path or "/",
        healthy=_read_healthy(read),
        timeout_s=read.seconds("AWS_LWA_READINESS_CHECK_TIMEOUT_SECONDS") or None,
    )


def _read_healthy(read: Variables) -> frozenset[int]:
    name = "AWS_LWA_READINESS_CHECK_HEALTHY_STATUS"
    text = read.get(name)
    if text is None:
        return DEFAULT_HEALTHY
    statuses = read_statuses(name, text, read.wrong)
    if not statuses:
        read.wrong.append(f"{name}={text!r} holds no status: the app can never become ready")
    return statuses


def _read_async_init(read: Variables) -> bool:
    wanted = read.flag("AWS_LWA_ASYNC_INIT")
    kind = read.environ.get(_INITIALIZATION)
    if wanted and kind in _UNHURRIED:
        read.notes.append(f"AWS_LWA_ASYNC_INIT has no effect with an initialization of type {kind}")
        return False
    return wanted


def _read_rules(read: Variables) -> EventRules:
    base = (read.get("AWS_LWA_REMOVE_BASE_PATH") or "").strip("/")
    path = read.get("AWS_LWA_PASS_THROUGH_PATH")
    source = read.get("AWS_LWA_AUTHORIZATION_SOURCE") or ""
    if source and not _HEADER_NAME.fullmatch(source):
        read.wrong.append(f"AWS_LWA_AUTHORIZATION_SOURCE={source!r} is ignored: expected the name of a header")
        source = ""
    return EventRules(
        base_path=f"/{base}" if base else "",
        pass_through_path="/events" if path is None else f"/{path.removeprefix('/')}",
        authorization_source=source.lower(),
    )


def _read_facts(read: Variables) -> FunctionFacts:
    # LWA aborts without the first three. Nothing here needs them, so an app run by hand still works.
    return FunctionFacts(
        function_name=read.get("AWS_LAMBDA_FUNCTION_NAME") or "",
        memory=read.whole("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 0),
        version=read.get("AWS_LAMBDA_FUNCTION_VERSION") or "",
        log_stream=read.get("AWS_LAMBDA_LOG_STREAM_NAME") or "",
        log_group=read.get("AWS_LAMBDA_LOG_GROUP_NAME") or "",
    )


def _read_error_statuses(read: Variables) -> frozenset[int]:
    text = read.get("AWS_LWA_ERROR_STATUS_CODES") or ""
    return read_statuses("AWS_LWA_ERROR_STATUS_CODES", text, read.wrong)


def _read_compression(read: Variables, mode: InvokeMode) -> bool:
    wanted = read.flag("AWS_LWA_ENABLE_COMPRESSION")
    if wanted and mode is InvokeMode.RESPONSE_STREAM:
        read.notes.append("AWS_LWA_ENABLE_COMPRESSION has no effect with AWS_LWA_INVOKE_MODE=response_stream")
        return False
    return wanted


def _read_pool_idle(read: Variables) -> float:
    # With SnapStart as well: no invocation, and so no connection for one, comes before the restore.
    idle = read.seconds("AWS_LWA_POOL_IDLE_TIMEOUT_SECONDS")
    return DEFAULT_POOL_IDLE_S if idle is None else idle
