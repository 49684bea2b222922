"""The AWS-compatible port, apart from invocations: what the functions that run look like through the Lambda API."""

from penstock.control_plane.aws_api.door import AwsApi
from penstock.control_plane.aws_api.guard import guarded

__all__ = ["AwsApi", "guarded"]
