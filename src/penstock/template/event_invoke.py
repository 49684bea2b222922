"""What the template says about asynchronous invocations: AWS::Lambda::EventInvokeConfig and dead-letter queues.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventinvokeconfig.html
"""

import re
from typing import Final

from penstock.model.function import EventInvokeConfig
from penstock.template.intrinsics import Pseudo, UnresolvableError
from penstock.template.properties import Path, Properties

# botocore's service model lambda/2015-03-31 (MaximumEventAgeInSeconds, MaximumRetryAttempts, DestinationArn).
_MIN_AGE_S: Final = 60
_MAX_AGE_S: Final = 21_600
_MAX_RETRIES: Final = 2
_MAX_ARN: Final = 350
_ARN: Final = re.compile(r"arn:aws[a-zA-Z0-9-]*:([a-zA-Z0-9-]+):[a-z0-9-]*:(\d{12})?:[!-~]+")
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
_DESTINATIONS: Final = {
    "OnSuccess": ("sqs", "sns", "lambda", "events"),
    "OnFailure": ("sqs", "sns", "lambda", "events", "s3"),
}
# https://docs.aws.amazon.com/lambda/latest/api/API_DeadLetterConfig.html
_DEAD_LETTERS: Final = ("sqs", "sns")


def read_event_invoke(properties: Properties) -> EventInvokeConfig:
    """`properties` are an EventInvokeConfig's. Raises UserError for a number out of range and for a destination of an
    unknown kind.
    """
    default = EventInvokeConfig()
    age = properties.integer("MaximumEventAgeInSeconds", low=_MIN_AGE_S, high=_MAX_AGE_S)
    retries = properties.integer("MaximumRetryAttempts", low=0, high=_MAX_RETRIES)
    return EventInvokeConfig(
        max_age_s=default.max_age_s if age is None else age,
        max_retry_attempts=default.max_retry_attempts if retries is None else retries,
        on_success=_destination(properties, "OnSuccess"),
        on_failure=_destination(properties, "OnFailure"),
    )


def read_dead_letter(properties: Properties) -> str | None:
    """The ARN in a function's DeadLetterConfig."""
    return _arn(properties, ("DeadLetterConfig", "TargetArn"), _DEAD_LETTERS, "DeadLetter")


def _destination(properties: Properties, name: str) -> str | None:
    return _arn(properties, ("DestinationConfig", name, "Destination"), _DESTINATIONS[name], name)


def _arn(properties: Properties, path: Path, services: tuple[str, ...], stand_in: str) -> str | None:
    try:
        arn = properties.text(*path)
    except UnresolvableError:
        # It lives in another stack. Records are kept all the same, under a name that says whose they are.
        return _queue_arn(properties.resolver.pseudo, f"{properties.owner}-{stand_in}")
    if not arn:
        return None
    match = _ARN.fullmatch(arn)
    if match is None or len(arn) > _MAX_ARN or match[1] not in services:
        rule = f"allowed: an ARN of {', '.join(services)}, such as !GetAtt Queue.Arn"
        raise properties.bad_value(path, arn, rule)
    return arn


def _queue_arn(pseudo: Pseudo, name: str) -> str:
    return f"arn:{pseudo.partition}:sqs:{pseudo.region}:{pseudo.account_id}:{name}"
