"""CloudWatch metrics."""

from penstock.aws_api.cloudwatch.service import CloudWatchService

__all__ = ["CloudWatchService"]
