"""AWS::CloudFormation::WaitConditionHandle: an address and nothing behind it; templates use it to hold nothing.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-waitconditionhandle.html
"""

from penstock.aws_api.cloudformation.handlers.base import Handler, Job
from penstock.aws_api.cloudformation.handlers.schema import Schema


class WaitConditionHandleHandler(Handler):
    type = "AWS::CloudFormation::WaitConditionHandle"
    schema = Schema()

    async def draft(self, job: Job) -> str:
        return f"{job.context.endpoint}/waitconditionhandle/{job.generated_name(128)}"

    async def create(self, job: Job) -> None:
        job.initiated(job.physical_id)

    async def update(self, job: Job) -> None:
        """It has no properties."""

    async def delete(self, job: Job) -> None:
        """Nothing is behind it."""
