"""The `AWS_LWA_*` variables and Lambda's own: names, defaults, deprecated names. Pure: a mapping in, values out.

Names and rules are Lambda Web Adapter's (https://github.com/aws/aws-lambda-web-adapter, README and src/lib.rs), so
that a template written for it works unchanged. Where it takes a default for a bad value without a word, so do
we, with a warning. Values are not trimmed; an empty string counts as set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from penstock_adapter.endpoint import Endpoint, OptionError, read_endpoint, read_port

DEFAULT_PORT = "8080"
DEFAULT_HOST = "127.0.0.1"
# Below uvicorn's keep-alive of 5 s, so that we close an idle connection before the app does.
DEFAULT_POOL_IDLE_S = 4.0
DEFAULT_HEALTHY = frozenset(range(100, 500))

_DEPRECATED = {
    "AWS_LWA_HOST": "HOST",
    "AWS_LWA_READINESS_CHECK_PORT": "READINESS_CHECK_PORT",
    "AWS_LWA_READINESS_CHECK_PATH": "READINESS_CHECK_PATH",
    "AWS_LWA_READINESS_CHECK_PROTOCOL": "READINESS_CHECK_PROTOCOL",
    "AWS_LWA_REMOVE_BASE_PATH": "REMOVE_BASE_PATH",
    "AWS_LWA_ASYNC_INIT": "ASYNC_INIT",
}
_SNAPSTART_HOOKS = ("AWS_LWA_SNAPSTART_BEFORE_CHECKPOINT_PATH", "AWS_LWA_SNAPSTART_AFTER_RESTORE_PATH")


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
    warnings: tuple[str, ...]


def read_statuses(variable: str, text: str, warnings: list[str]) -> frozenset[int]:
    """A list such as `500,502-504`: inclusive ranges, no spaces around a dash; what cannot be read is skipped."""
    statuses: set[int] = set()
    for part in (piece.strip() for piece in text.split(",")):
        bounds = part.split("-")
        if not part:
            continue
        if len(bounds) > 2 or not all(_is_u16(bound) for bound in bounds):
            warnings.append(f"{variable}: skipped {part!r}: expected a status such as 500 or a range such as 502-504")
            continue
        statuses.update(range(int(bounds[0]), int(bounds[-1]) + 1))
    return frozenset(statuses)


def _is_u16(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < 65536


class _Reader:
    """Looks variables up under their new and old names and gathers warnings."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.warnings: list[str] = []

    def get(self, name: str) -> str | None:
        if name in self._environ:
            return self._environ[name]
        old = _DEPRECATED.get(name)
        if old is None or old not in self._environ:
            return None
        self.warnings.append(f"{old} is deprecated and goes away in Lambda Web Adapter 2.0: use {name}")
        return self._environ[old]

    def flag(self, name: str) -> bool:
        text = self.get(name)
        if text not in (None, "true", "false"):
            self.warnings.append(f"{name}={text!r} counts as false: expected exactly true or false")
        return text == "true"

    def choice(self, name: str, allowed: type[StrEnum], default: str) -> str:
        text = self.get(name)
        if text is None:
            return default
        if text.lower() in list(allowed):
            return text.lower()
        self.warnings.append(f"{name}={text!r} counts as {default}: expected {' or '.join(allowed)}")
        return default

    def seconds(self, name: str) -> float | None:
        text = self.get(name)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if 0 <= value < float("inf"):
            return value
        self.warnings.append(f"{name}={text!r} is ignored: expected seconds such as 4 or 0.5")
        return None

    def whole(self, name: str, default: int) -> int:
        text = self.get(name)
        if text is None:
            return default
        if text.isascii() and text.isdigit():
            return int(text)
        self.warnings.append(f"{name}={text!r} counts as {default}: expected a whole number")
        return default


def read_options(environ: Mapping[str, str]) -> Options:
    """All options out of `environ`. Raises `OptionError` where LWA would refuse to start."""
    read = _Reader(environ)
    runtime_api = environ.get("AWS_LAMBDA_RUNTIME_API")
    if not runtime_api:
        raise OptionError("AWS_LAMBDA_RUNTIME_API is not set: expected host:port of the Lambda Runtime API")
    extensions_api = read_endpoint("AWS_LAMBDA_RUNTIME_API", runtime_api)
    # Registration keeps the original address: https://github.com/aws/aws-lambda-web-adapter/pull/737
    proxy = environ.get("AWS_LWA_LAMBDA_RUNTIME_API_PROXY")
    app = _read_app(read, environ)
    mode = InvokeMode(read.choice("AWS_LWA_INVOKE_MODE", InvokeMode, InvokeMode.BUFFERED))
    return Options(
        runtime_api=read_endpoint("AWS_LWA_LAMBDA_RUNTIME_API_PROXY", proxy) if proxy else extensions_api,
        extensions_api=extensions_api,
        app=app,
        readiness=_read_readiness(read, app),
        rules=_read_rules(read),
        facts=_read_facts(read),
        invoke_mode=mode,
        error_statuses=_read_error_statuses(read),
        async_init=read.flag("AWS_LWA_ASYNC_INIT"),
        compression=_read_compression(read, mode),
        pool_idle_s=_read_pool_idle(read, environ),
        concurrency=max(1, read.whole("AWS_LAMBDA_MAX_CONCURRENCY", 1)),
        log_level=environ.get("AWS_LAMBDA_LOG_LEVEL") or environ.get("RUST_LOG") or "INFO",
        log_as_json=environ.get("AWS_LAMBDA_LOG_FORMAT", "").lower() == "json",
        polls_ahead=environ.get("PENSTOCK_POLLS_AHEAD") == "1",
        warnings=tuple(read.warnings),
    )


def _read_app(read: _Reader, environ: Mapping[str, str]) -> Endpoint:
    variable = "AWS_LWA_PORT" if "AWS_LWA_PORT" in environ else "PORT"
    port = read_port(variable, environ.get(variable, DEFAULT_PORT))
    text = read.get("AWS_LWA_HOST")
    host = DEFAULT_HOST if text is None else text
    bare = host.strip("[]")
    if not bare or not bare.isascii() or not all(char.isalnum() or char in ".-_:" for char in bare):
        raise OptionError(f"AWS_LWA_HOST={host!r} is not a host: expected a name or an address such as 127.0.0.1")
    return Endpoint(bare, port)


def _read_readiness(read: _Reader, app: Endpoint) -> Readiness:
    port = read.get("AWS_LWA_READINESS_CHECK_PORT")
    path = read.get("AWS_LWA_READINESS_CHECK_PATH")
    if path is not None and (not path.startswith("/") or not path.isprintable() or " " in path):
        raise OptionError(f"AWS_LWA_READINESS_CHECK_PATH={path!r} is not a path: expected /something")
    healthy = read.get("AWS_LWA_READINESS_CHECK_HEALTHY_STATUS")
    name = "AWS_LWA_READINESS_CHECK_HEALTHY_STATUS"
    statuses = DEFAULT_HEALTHY if healthy is None else read_statuses(name, healthy, read.warnings)
    if not statuses:
        read.warnings.append(f"{name}={healthy!r} holds no status: the app can never become ready")
    return Readiness(
        protocol=ReadinessProtocol(
            read.choice("AWS_LWA_READINESS_CHECK_PROTOCOL", ReadinessProtocol, ReadinessProtocol.HTTP)
        ),
        port=app.port if port is None else read_port("AWS_LWA_READINESS_CHECK_PORT", port),
        path=path or "/",
        healthy=statuses,
        timeout_s=read.seconds("AWS_LWA_READINESS_CHECK_TIMEOUT_SECONDS") or None,
    )


def _read_rules(read: _Reader) -> EventRules:
    base = (read.get("AWS_LWA_REMOVE_BASE_PATH") or "").strip("/")
    path = read.get("AWS_LWA_PASS_THROUGH_PATH")
    return EventRules(
        base_path=f"/{base}" if base else "",
        pass_through_path="/events" if path is None else f"/{path.removeprefix('/')}",
        authorization_source=(read.get("AWS_LWA_AUTHORIZATION_SOURCE") or "").lower(),
    )


def _read_facts(read: _Reader) -> FunctionFacts:
    # LWA aborts without the first three. Nothing here needs them, so an app run by hand still works.
    return FunctionFacts(
        function_name=read.get("AWS_LAMBDA_FUNCTION_NAME") or "",
        memory=read.whole("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 0),
        version=read.get("AWS_LAMBDA_FUNCTION_VERSION") or "",
        log_stream=read.get("AWS_LAMBDA_LOG_STREAM_NAME") or "",
        log_group=read.get("AWS_LAMBDA_LOG_GROUP_NAME") or "",
    )


def _read_error_statuses(read: _Reader) -> frozenset[int]:
    text = read.get("AWS_LWA_ERROR_STATUS_CODES") or ""
    return read_statuses("AWS_LWA_ERROR_STATUS_CODES", text, read.warnings)


def _read_compression(read: _Reader, mode: InvokeMode) -> bool:
    wanted = read.flag("AWS_LWA_ENABLE_COMPRESSION")
    if wanted and mode is InvokeMode.RESPONSE_STREAM:
        read.warnings.append("AWS_LWA_ENABLE_COMPRESSION has no effect with AWS_LWA_INVOKE_MODE=response_stream")
        return False
    if wanted:
        read.warnings.append("AWS_LWA_ENABLE_COMPRESSION is not implemented yet: responses go out as they are")
    return wanted


def _read_pool_idle(read: _Reader, environ: Mapping[str, str]) -> float:
    read.warnings.extend(f"{name} is not implemented" for name in _SNAPSTART_HOOKS if name in environ)
    if environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        return 0.0  # a connection kept over a snapshot is dead after the restore
    idle = read.seconds("AWS_LWA_POOL_IDLE_TIMEOUT_SECONDS")
    return DEFAULT_POOL_IDLE_S if idle is None else idle
