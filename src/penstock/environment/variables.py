"""The environment variables of the runtime and of extensions. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
https://github.com/aws/aws-lambda-runtime-interface-emulator (lambda-managed-instances, rapidcore/env)
Nothing of the host's own environment is ever among them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from penstock.model.function import Function

INITIALIZATION_TYPE: Final = "lambda-managed-instances"

# A function may set these; any other reserved name it sets is dropped, and so is what starts with an underscore.
OVERRIDABLE: Final = frozenset(
    {
        "AWS_LAMBDA_LOG_FORMAT",
        "AWS_LAMBDA_LOG_LEVEL",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "LANG",
        "LD_LIBRARY_PATH",
        "PATH",
        "TZ",
    }
)
RESERVED: Final = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_XRAY_DAEMON_PORT",
        "AWS_XRAY_TRACE_ID",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)

# Not a secret and not valid anywhere: an SDK finds credentials, and a call that reaches AWS is refused there.
_PLACEHOLDER_CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "AKIAPENSTOCKLOCAL000",
    "AWS_SECRET_ACCESS_KEY": "penstock-placeholder",
    "AWS_SESSION_TOKEN": "penstock-placeholder",
}

_ZIP_DEFAULTS: Final = {
    "LANG": "en_US.UTF-8",
    "TZ": ":UTC",
    "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
}

# Where the daemon listens that a developer starts on a machine of their own.
# https://docs.aws.amazon.com/xray/latest/devguide/xray-daemon-configuration.html
_XRAY_DAEMON_HOST: Final = "127.0.0.1"
_XRAY_DAEMON_PORT: Final = "2000"

# Variables that name the port of the user's web server. All that agree with its port move together.
_PORT_VARIABLES: Final = ("AWS_LWA_PORT", "PORT", "AWS_LWA_READINESS_CHECK_PORT", "READINESS_CHECK_PORT")
_DEFAULT_APP_PORT: Final = "8080"  # the Web Adapter's


@dataclass(frozen=True, slots=True)
class EnvironmentIdentity:
    """What distinguishes one environment.

    `runtime_api` is host:port; `app_port` is None where the app keeps the port it was given.
    """

    runtime_api: str
    log_stream: str
    region: str
    app_port: int | None


def runtime_variables(function: Function, identity: EnvironmentIdentity) -> dict[str, str]:
    """All variables of the runtime process."""
    # AWS's Python client tries again after a failed poll only where it knows this name.
    provided = function.runtime.startswith("provided")
    execution_env = {} if provided else {"AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}"}
    return {
        **_common(function, identity),
        **execution_env,
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": identity.log_stream,
        **_xray_variables(function.environment),
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": "/var/task",
        "_HANDLER": function.handler,
    }


def _xray_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Those that name the X-Ray daemon. Nothing runs one here; a SDK's datagrams to nobody are lost in silence."""
    defaults = {
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": f"{_XRAY_DAEMON_HOST}:{_XRAY_DAEMON_PORT}",
    }
    return {
        **{name: environment.get(name, value) for name, value in defaults.items()},
        "_AWS_XRAY_DAEMON_ADDRESS": _XRAY_DAEMON_HOST,
        "_AWS_XRAY_DAEMON_PORT": _XRAY_DAEMON_PORT,
    }


def extension_variables(function: Function, identity: EnvironmentIdentity) -> dict[str, str]:
    """All variables of an extension process.

    AWS_LAMBDA_MAX_CONCURRENCY is among them, unlike in the emulator: the Web Adapter reads it there.
    """
    return _common(function, identity)


def _common(function: Function, identity: EnvironmentIdentity) -> dict[str, str]:
    variables = {
        **_ZIP_DEFAULTS,
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        **_customer_variables(function.environment, identity.app_port),
        **_PLACEHOLDER_CREDENTIALS,
        "AWS_REGION": identity.region,
        "AWS_DEFAULT_REGION": identity.region,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mib),
        "AWS_LAMBDA_INITIALIZATION_TYPE": INITIALIZATION_TYPE,
        "AWS_LAMBDA_MAX_CONCURRENCY": str(function.max_concurrency),
        "AWS_LAMBDA_RUNTIME_API": identity.runtime_api,
        # Not AWS's: they tell our adapter that this Runtime API takes a poll together with the end of an answer, and
        # carries all slots on one connection.
        "PENSTOCK_POLLS_AHEAD": "1",
        "PENSTOCK_LINK": "1",
    }
    if function.log_level:
        variables.setdefault("AWS_LAMBDA_LOG_LEVEL", function.log_level)
    return variables


def _customer_variables(environment: Mapping[str, str], app_port: int | None) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if name not in RESERVED and not name.startswith("_")}
    if app_port is None:
        return kept
    declared = kept.get("AWS_LWA_PORT") or kept.get("PORT") or _DEFAULT_APP_PORT
    moved = {name: str(app_port) for name in _PORT_VARIABLES if kept.get(name) == declared}
    return {**kept, **moved, "PORT": str(app_port), "AWS_LWA_PORT": str(app_port)}


def rewrite_paths(value: str, places: Mapping[str, str]) -> str:
    """`value` with each path of AWS's layout replaced by where it really is.

    `places` maps /var/task, /opt, ... to real directories. Only whole leading segments count, at the start of the
    value or after a separator, so that URLs and longer names stay as they are.
    """
    pattern = "|".join(re.escape(path) for path in sorted(places, key=len, reverse=True))
    return re.sub(rf"(?<![^:;,=\s])({pattern})(?=[/:;,\s]|$)", lambda found: places[found[1]], value)
