"""What becomes of an asynchronous event whose attempt failed. Pure: no clock, no queue.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from penstock.model.errors import FunctionError, InvocationError
from penstock.model.function import EventInvokeConfig

# Twice this often is beyond every limit, and 2.0 ** 1024 is an error.
_MAX_DOUBLINGS: Final = 30


class Condition(StrEnum):
    """Why an event left the queue, as its invocation record says it."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    PLATFORM_STOPPED = "PlatformStopped"
    """Ours: Lambda's queue outlives everything, this one ends with the platform."""


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """Seconds. The defaults are Lambda's, from the page above.

    `function_error_waits`: after the function's first error, its second, and so on (the last one counts for all
    that follow). `first_backoff` to `max_backoff`: after a throttle or an error of the platform, doubled each time.
    """

    function_error_waits: tuple[float, ...] = (60.0, 120.0)
    first_backoff: float = 1.0
    max_backoff: float = 300.0

    @classmethod
    def of_delay(cls, delay: float) -> "RetrySettings":
        """Lambda's proportions with `delay` seconds after the first function error in place of a minute.

        The first backoff stays a second: what is overloaded is not helped by being asked more often.
        """
        usual = cls()
        return cls(
            function_error_waits=(delay, 2 * delay),
            max_backoff=min(max(usual.first_backoff, 5 * delay), usual.max_backoff),
        )


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again in `wait` seconds."""

    wait: float


@dataclass(frozen=True, slots=True)
class Discard:
    condition: Condition


def decide(
    config: EventInvokeConfig,
    settings: RetrySettings,
    *,
    attempts: int,
    refusals: int,
    accepted: float,
    error: InvocationError,
    now: float,
) -> Retry | Discard:
    """After an attempt that ended with `error`.

    `attempts`: how often the function itself failed, this time included; only these are limited by the template.
    `refusals`: how often in a row the function was throttled or the platform failed, this time included.
    `accepted` and `now` in seconds of one clock.
    """
    left = config.max_age_s - (now - accepted)
    if isinstance(error, FunctionError):
        return _after_function_error(config, settings, attempts, left)
    if left <= 0:
        return Discard(Condition.EVENT_AGE_EXCEEDED)
    backoff = settings.first_backoff * 2.0 ** min(max(refusals - 1, 0), _MAX_DOUBLINGS)
    # An event that no one had room for keeps its whole age (assumed): the last wait ends with it.
    return Retry(min(backoff, settings.max_backoff, left))


def expired(config: EventInvokeConfig, accepted: float, now: float) -> bool:
    """Whether an event waited too long to be tried at all."""
    return now - accepted > config.max_age_s


def _after_function_error(
    config: EventInvokeConfig, settings: RetrySettings, attempts: int, left: float
) -> Retry | Discard:
    if attempts > config.max_retry_attempts:
        return Discard(Condition.RETRIES_EXHAUSTED)
    waits = settings.function_error_waits
    wait = waits[min(attempts, len(waits)) - 1]
    # As observed: Lambda looks ahead, and sends the record at once when the next attempt would come too late.
    # https://github.com/localstack/localstack (tests/aws/services/lambda_/test_lambda_destinations.snapshot.json)
    return Retry(wait) if wait < left else Discard(Condition.EVENT_AGE_EXCEEDED)
