"""Who may reach a function and how: AWS::Lambda::Url, Permission and EventInvokeConfig.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-url.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-permission.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventinvokeconfig.html
"""

from typing import Final

from penstock.aws_api.cloudformation.handlers.base import Handler, Job, already_exists
from penstock.aws_api.cloudformation.handlers.functions import function_and_qualifier
from penstock.aws_api.cloudformation.handlers.schema import Of, Plain, Schema
from penstock.aws_api.cloudformation.records import Json

# https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html (StatementId)
_LONGEST_STATEMENT: Final = 100


class UrlHandler(Handler):
    type = "AWS::Lambda::Url"
    schema = Schema(
        more={
            "TargetFunctionArn": Plain.TEXT,
            "Qualifier": Plain.TEXT,
            "AuthType": Plain.TEXT,
            "InvokeMode": Plain.TEXT,
            "Cors": Of("lambda", "Cors"),
        },
        required=("AuthType", "TargetFunctionArn"),
    )
    create_only = frozenset(("Qualifier", "TargetFunctionArn"))
    attributes = ("FunctionArn", "FunctionUrl")

    async def draft(self, job: Job) -> str:
        if await job.try_call("lambda", "GetFunctionUrlConfig", **_target(job)) is not None:
            raise already_exists(self.type, job.properties["TargetFunctionArn"])
        job.note["new"] = True
        return ""

    async def create(self, job: Job) -> None:
        answer = await job.call("lambda", "CreateFunctionUrlConfig", **_target(job), **_url(job.properties))
        arn = str(answer["FunctionArn"])
        job.initiated(arn, FunctionArn=arn, FunctionUrl=answer["FunctionUrl"])

    async def update(self, job: Job) -> None:
        given = {"InvokeMode": "BUFFERED", "Cors": {}, **_url(job.properties)}
        answer = await job.call("lambda", "UpdateFunctionUrlConfig", **_target(job), **given)
        job.attributes["FunctionUrl"] = answer["FunctionUrl"]

    async def delete(self, job: Job) -> None:
        name, qualifier = function_and_qualifier(job.physical_id)
        await job.try_call("lambda", "DeleteFunctionUrlConfig", FunctionName=name, Qualifier=qualifier)

    async def find(self, job: Job) -> list[str]:
        found = await job.try_call("lambda", "GetFunctionUrlConfig", **_target(job))
        return [str(found["FunctionArn"])] if found else []


def _target(job: Job) -> Json:
    name, qualifier = function_and_qualifier(job.properties["TargetFunctionArn"])
    return {"FunctionName": name, "Qualifier": job.properties.get("Qualifier", qualifier)}


def _url(properties: Json) -> Json:
    return {key: value for key, value in properties.items() if key not in ("Qualifier", "TargetFunctionArn")}


class PermissionHandler(Handler):
    """Its id is the statement's, which is ours to give."""

    type = "AWS::Lambda::Permission"
    schema = Schema(
        "lambda",
        "AddPermission",
        without=("Qualifier", "RevisionId", "StatementId"),
        required=("Action", "FunctionName", "Principal"),
    )
    # Every property of a permission makes a new one.
    create_only = frozenset(
        (
            "Action",
            "EventSourceToken",
            "FunctionName",
            "FunctionUrlAuthType",
            "InvokedViaFunctionUrl",
            "Principal",
            "PrincipalOrgID",
            "SourceAccount",
            "SourceArn",
        )
    )
    attributes = ("Id",)

    async def draft(self, job: Job) -> str:
        return job.generated_name(_LONGEST_STATEMENT)

    async def create(self, job: Job) -> None:
        name, qualifier = function_and_qualifier(job.properties["FunctionName"])
        given = {**job.properties, "FunctionName": name, "Qualifier": qualifier, "StatementId": job.physical_id}
        await job.call("lambda", "AddPermission", **given)
        job.initiated(job.physical_id, Id=job.physical_id)

    async def delete(self, job: Job) -> None:
        name, qualifier = function_and_qualifier(job.properties["FunctionName"])
        await job.try_call(
            "lambda", "RemovePermission", FunctionName=name, Qualifier=qualifier, StatementId=job.physical_id
        )


class EventInvokeConfigHandler(Handler):
    type = "AWS::Lambda::EventInvokeConfig"
    schema = Schema(
        "lambda", "PutFunctionEventInvokeConfig", more={"Qualifier": Plain.TEXT}, required=("FunctionName", "Qualifier")
    )
    create_only = frozenset(("FunctionName", "Qualifier"))

    async def draft(self, job: Job) -> str:
        # What `Ref` gives is called a unique identifier; its form is assumed.
        return f"{job.properties['FunctionName']}|{job.properties['Qualifier']}"

    async def create(self, job: Job) -> None:
        await job.call("lambda", "PutFunctionEventInvokeConfig", **job.properties)
        job.initiated(job.physical_id)

    async def update(self, job: Job) -> None:
        await job.call("lambda", "PutFunctionEventInvokeConfig", **job.properties)

    async def delete(self, job: Job) -> None:
        name, _, qualifier = job.physical_id.rpartition("|")
        await job.try_call("lambda", "DeleteFunctionEventInvokeConfig", FunctionName=name, Qualifier=qualifier)
