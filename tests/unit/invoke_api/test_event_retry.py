"""When an asynchronous event is tried again, and when it is given up."""

import pytest

from penstock.invoke_api.retry import Condition, Discard, Retry, RetrySettings, decide, expired
from penstock.model.errors import FunctionError, InvocationError, PlatformError, ThrottleError
from penstock.model.function import EventInvokeConfig

FUNCTION_ERROR = FunctionError("ValueError")


def decided(
    error: InvocationError,
    *,
    attempts: int = 0,
    refusals: int = 0,
    age: float = 0.0,
    config: EventInvokeConfig | None = None,
    settings: RetrySettings | None = None,
) -> Retry | Discard:
    return decide(
        config or EventInvokeConfig(),
        settings or RetrySettings(),
        attempts=attempts,
        refusals=refusals,
        accepted=1000.0,
        error=error,
        now=1000.0 + age,
    )


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [(1, Retry(60.0)), (2, Retry(120.0)), (3, Discard(Condition.RETRIES_EXHAUSTED))],
)
def test_a_function_error_is_retried_twice(attempts: int, expected: Retry | Discard) -> None:
    assert decided(FUNCTION_ERROR, attempts=attempts) == expected


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2), (2, 3)])
def test_the_template_says_how_often(retries: int, attempts: int) -> None:
    config = EventInvokeConfig(max_retry_attempts=retries)
    assert decided(FUNCTION_ERROR, attempts=attempts, config=config) == Discard(Condition.RETRIES_EXHAUSTED)
    if retries:
        assert isinstance(decided(FUNCTION_ERROR, attempts=attempts - 1, config=config), Retry)


def test_a_retry_that_would_come_too_late_is_not_waited_for() -> None:
    config = EventInvokeConfig(max_age_s=60)
    assert decided(FUNCTION_ERROR, attempts=1, age=0.5, config=config) == Discard(Condition.EVENT_AGE_EXCEEDED)
    # The last attempt failed: that is the reason, whatever the age.
    assert decided(FUNCTION_ERROR, attempts=3, age=70, config=config) == Discard(Condition.RETRIES_EXHAUSTED)


@pytest.mark.parametrize("error", [ThrottleError(), PlatformError("Client.ExecutionEnvironmentShutDown")])
def test_throttles_and_platform_errors_back_off_to_five_minutes(error: InvocationError) -> None:
    waits = [decided(error, refusals=count, attempts=9) for count in range(1, 12)]
    assert waits[:5] == [Retry(1.0), Retry(2.0), Retry(4.0), Retry(8.0), Retry(16.0)]
    assert waits[-2:] == [Retry(300.0), Retry(300.0)]
    assert decided(error, refusals=1_000_000) == Retry(300.0)


def test_a_throttled_event_keeps_its_whole_age() -> None:
    assert decided(ThrottleError(), refusals=20, age=21_500) == Retry(100.0)
    assert decided(ThrottleError(), refusals=20, age=21_600) == Discard(Condition.EVENT_AGE_EXCEEDED)


def test_an_event_expires_after_its_age() -> None:
    config = EventInvokeConfig(max_age_s=60)
    assert not expired(config, 10.0, 70.0)
    assert expired(config, 10.0, 70.1)


@pytest.mark.parametrize(
    ("delay", "waits", "longest"),
    [(60.0, (60.0, 120.0), 300.0), (2.0, (2.0, 4.0), 10.0), (0.0, (0.0, 0.0), 1.0), (600.0, (600.0, 1200.0), 300.0)],
)
def test_waits_can_be_shortened_in_proportion(delay: float, waits: tuple[float, float], longest: float) -> None:
    settings = RetrySettings.of_delay(delay)
    assert settings.function_error_waits == waits
    assert (settings.first_backoff, settings.max_backoff) == (1.0, longest)
    assert decided(FUNCTION_ERROR, attempts=2, settings=settings) == Retry(waits[1])
