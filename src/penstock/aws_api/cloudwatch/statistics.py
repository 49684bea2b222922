"""The statistics of a distribution, by their names."""

import re
from collections.abc import Callable
from typing import Final

from penstock.aws_api.cloudwatch import errors
from penstock.control_plane.distribution import Distribution

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
SIMPLE: Final = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_PERCENTILE: Final = re.compile(r"p(\d{1,3}(?:\.\d{0,10})?)")
_OTHERS: Final = re.compile(r"(?:tm|wm|tc|ts|TM|WM|PR|TC|TS)\S*|IQM")

Statistic = Callable[[Distribution], float | None]


def statistic(name: str, place: str) -> Statistic:
    """`place` is the parameter it stands in. None is the answer where single values are not known. Raises
    ServiceError.
    """
    match name:
        case "SampleCount":
            return lambda values: values.count
        case "Average":
            return lambda values: values.sum / values.count
        case "Sum":
            return lambda values: values.sum
        case "Minimum":
            return lambda values: values.minimum
        case "Maximum":
            return lambda values: values.maximum
    found = _PERCENTILE.fullmatch(name)
    if found is not None and float(found[1]) <= 100:
        percent = float(found[1])
        return lambda values: values.percentile(percent)
    if _OTHERS.fullmatch(name):
        raise errors.not_offered(f"The statistic {name}")
    raise errors.invalid_value(f"The value {name} for parameter {place} is invalid.")
