"""Environment variables: the template's, with what the command line puts in their place."""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from penstock.model.errors import UserError
from penstock.template.hints import did_you_mean, words
from penstock.template.intrinsics import text_of
from penstock.template.properties import Properties

EnvVars: TypeAlias = Mapping[str, Mapping[str, str]]
# SAM CLI's key for variables of every function.
# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-using-invoke.html
_EVERY_FUNCTION: Final = "Parameters"
# botocore's service model lambda/2015-03-31 (EnvironmentVariableName).
_NAME: Final = re.compile(r"[a-zA-Z]([a-zA-Z0-9_])+")
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
_RESERVED: Final = words(
    "AWS_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_DEFAULT_REGION AWS_EXECUTION_ENV "
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_VERSION "
    "AWS_LAMBDA_INITIALIZATION_TYPE AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME "
    "AWS_LAMBDA_RUNTIME_API AWS_REGION AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN LAMBDA_RUNTIME_DIR "
    "LAMBDA_TASK_ROOT"
)


def read_environment(properties: Properties, name: str, env_vars: EnvVars) -> dict[str, str]:
    """The function's variables as text. As in SAM CLI, only variables the template declares are replaced;
    what is meant for this function alone wins over what is meant for all.
    """
    overrides = {
        **env_vars.get(_EVERY_FUNCTION, {}),
        **env_vars.get(name, {}),
        **env_vars.get(properties.owner, {}),
    }
    variables = {}
    for key, value in properties.map("Environment", "Variables").items():
        path = ("Environment", "Variables", key)
        if key in _RESERVED:
            raise properties.error(path, "is a name that Lambda keeps for itself")
        if not _NAME.fullmatch(key):
            raise properties.error(path, f"is not a name Lambda takes; it must match {_NAME.pattern}")
        text = text_of(overrides.get(key, value))
        if text is None:
            raise properties.error(path, "must be text, a number or a boolean")
        variables[key] = text
    return variables


def ignored_env_vars(env_vars: EnvVars, functions: Mapping[str, tuple[str, Mapping[str, str]]]) -> list[str]:
    """A warning for every entry of `--env-vars` that reaches nothing. `functions`: id -> name and variables."""
    warnings = []
    for key, values in env_vars.items():
        if not isinstance(values, Mapping):
            raise UserError(f"--env-vars: {key} must be a map of variables")
        if key == _EVERY_FUNCTION:
            continue
        found = [item for logical_id, item in functions.items() if key in (logical_id, item[0])]
        if not found:
            warnings.append(f"--env-vars: no function {key}{did_you_mean(key, functions)}")
            continue
        warnings.extend(
            f"--env-vars: {key}.{name} is ignored: the template does not declare it"
            for name in values
            if name not in found[0][1]
        )
    return warnings
