"""FunctionScalingConfig: the least and the most environments of a version, as the API reads and shows them.

https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionScalingConfig.html; ranges from botocore's service model
lambda/2015-03-31 (FunctionScalingConfig).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from penstock.invoke_api.refusal import RefusalError, validation_error
from penstock.model.limits import DEFAULT_MIN_ENVIRONMENTS, MAX_ENVIRONMENTS

_MIN = "MinExecutionEnvironments"
_MAX = "MaxExecutionEnvironments"


@dataclass(frozen=True, slots=True)
class ScalingConfig:
    """`maximum` None is no bound."""

    minimum: int = DEFAULT_MIN_ENVIRONMENTS
    maximum: int | None = None

    def shape(self) -> dict[str, int]:
        """As the API shows it."""
        return {_MIN: self.minimum} | ({} if self.maximum is None else {_MAX: self.maximum})


class Scalable(Protocol):
    """A version whose bounds can be changed while it runs."""

    @property
    def state(self) -> str:
        """Of the version, in AWS's words."""

    @property
    def applied(self) -> ScalingConfig: ...
    @property
    def requested(self) -> ScalingConfig | None:
        """What was asked for and is not reached yet."""

    def put(self, config: ScalingConfig) -> None: ...


def read_scaling_config(body: object) -> ScalingConfig:
    """From the body of PutFunctionScalingConfig; what it leaves out falls back to its default. Raises RefusalError."""
    given = body.get("FunctionScalingConfig", {}) if isinstance(body, Mapping) else None
    if not isinstance(given, Mapping):
        raise RefusalError(400, "SerializationException", "FunctionScalingConfig must be an object")
    minimum, maximum = _number(given, _MIN), _number(given, _MAX)
    config = ScalingConfig(DEFAULT_MIN_ENVIRONMENTS if minimum is None else minimum, maximum)
    # The texts are assumed: https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-scaling.html has the
    # rules alone.
    if config.minimum == 0 and config.maximum != 0:
        raise _invalid(f"{_MIN} can be 0 only together with {_MAX} 0")
    if config.maximum is not None and config.maximum < config.minimum:
        raise _invalid(f"{_MAX} must be at least {_MIN}, which is {config.minimum}")
    return config


def _number(given: Mapping[str, object], name: str) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise RefusalError(400, "SerializationException", f"{name} must be a whole number")
    member = f"functionScalingConfig.{name[0].lower()}{name[1:]}"
    if value < 0:
        raise validation_error(member, str(value), "Member must have value greater than or equal to 0")
    if value > MAX_ENVIRONMENTS:
        raise validation_error(member, str(value), f"Member must have value less than or equal to {MAX_ENVIRONMENTS}")
    return value


def _invalid(message: str) -> RefusalError:
    return RefusalError(400, "InvalidParameterValueException", message)
