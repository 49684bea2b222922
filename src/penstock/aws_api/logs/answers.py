"""The members of answers, from what is known of groups, streams and events."""

from pathlib import Path
from typing import Any, Final

from penstock.aws_api.logs.catalogue import Group, Source
from penstock.aws_api.logs.tokens import event_id
from penstock.aws_api.logs.view import Event, StreamView
from penstock.aws_api.service import Context
from penstock.telemetry.log_writer import rotated

_PARTITIONS: Final = {"cn": "aws-cn", "us-gov": "aws-us-gov"}


def group_arn(context: Context, name: str) -> str:
    """Without the `:*` that some answers have behind it.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    """
    partition = next((value for key, value in _PARTITIONS.items() if context.region.startswith(f"{key}-")), "aws")
    return f"arn:{partition}:logs:{context.region}:{context.account_id}:log-group:{name}"


def group_answer(context: Context, group: Group, sources: list[Source]) -> dict[str, Any]:
    arn = group_arn(context, group.name)
    answer: dict[str, Any] = {
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "storedBytes": sum(_size(source.index.path) for source in sources),
        "logGroupClass": group.log_class,
        "logGroupArn": arn,
        "deletionProtectionEnabled": bool(group.record and group.record["protected"]),
    }
    if group.retention_days:
        answer["retentionInDays"] = group.retention_days
    if group.record and group.record["kmsKeyId"]:
        answer["kmsKeyId"] = group.record["kmsKeyId"]
    return answer


def summary(context: Context, group: Group) -> dict[str, Any]:
    """As ListLogGroups has it."""
    arn = group_arn(context, group.name)
    return {"logGroupName": group.name, "logGroupArn": arn, "logGroupClass": group.log_class}


def stream_answer(context: Context, group: str, stream: StreamView) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "logStreamName": stream.name,
        "creationTime": stream.created,
        "arn": f"{group_arn(context, group)}:log-stream:{stream.name}",
        # Always zero: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_LogStream.html
        "storedBytes": 0,
    }
    if stream.last is not None:
        answer |= {"firstEventTimestamp": stream.first, "lastEventTimestamp": stream.last}
        answer["lastIngestionTime"] = stream.ingested
    return answer


def event_answer(event: Event) -> dict[str, Any]:
    """As GetLogEvents has it."""
    return {"timestamp": event.key.time, "message": event.message, "ingestionTime": event.ingested}


def found_answer(event: Event) -> dict[str, Any]:
    """As FilterLogEvents has it."""
    return {"logStreamName": event.stream, **event_answer(event), "eventId": event_id(event.key)}


def _size(path: Path) -> int:
    return sum(part.stat().st_size for part in (rotated(path), path) if part.exists())
