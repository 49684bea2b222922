"""AWS::Logs::LogGroup.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html
"""

from typing import ClassVar, Final

from penstock.aws_api.cloudformation.handlers.base import Calls, Handler, Job, already_exists
from penstock.aws_api.cloudformation.handlers.schema import Plain, Schema
from penstock.template.intrinsics import partition

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html (logGroupName)
_LONGEST_NAME: Final = 512


class LogGroupHandler(Handler):
    type = "AWS::Logs::LogGroup"
    schema = Schema(
        more={
            "LogGroupClass": Plain.TEXT,
            "LogGroupName": Plain.TEXT,
            "RetentionInDays": Plain.WHOLE,
            "Tags": Plain.TAGS,
        }
    )
    name_property = "LogGroupName"
    create_only = frozenset(("LogGroupClass", "LogGroupName"))
    attributes = ("Arn",)
    taggable = True
    needs_operation: ClassVar[Calls] = {"RetentionInDays": ("logs", "PutRetentionPolicy")}

    async def draft(self, job: Job) -> str:
        name = job.properties.get("LogGroupName")
        if name:
            found = await job.call("logs", "DescribeLogGroups", logGroupNamePrefix=name)
            if any(item["logGroupName"] == name for item in found.get("logGroups", [])):
                raise already_exists(self.type, name)
        return name or job.generated_name(_LONGEST_NAME)

    async def create(self, job: Job) -> None:
        name, context = job.physical_id, job.context
        await job.call(
            "logs",
            "CreateLogGroup",
            logGroupName=name,
            logGroupClass=job.properties.get("LogGroupClass"),
            tags=job.tags or None,
        )
        arn = f"arn:{partition(context.region)}:logs:{context.region}:{context.account_id}:log-group:{name}"
        job.initiated(name, Arn=f"{arn}:*")
        await self._retain(job)

    async def update(self, job: Job) -> None:
        await self._retain(job)
        arn = str(job.attributes["Arn"]).removesuffix(":*")
        gone, new = job.tag_changes()
        if gone:
            await job.call("logs", "UntagResource", resourceArn=arn, tagKeys=gone)
        if new:
            await job.call("logs", "TagResource", resourceArn=arn, tags=new)

    async def _retain(self, job: Job) -> None:
        if "RetentionInDays" not in job.changed:
            return
        days = job.properties.get("RetentionInDays")
        if days is None:
            await job.try_call("logs", "DeleteRetentionPolicy", logGroupName=job.physical_id)
        else:
            await job.call("logs", "PutRetentionPolicy", logGroupName=job.physical_id, retentionInDays=days)

    async def delete(self, job: Job) -> None:
        await job.try_call("logs", "DeleteLogGroup", logGroupName=job.physical_id)
