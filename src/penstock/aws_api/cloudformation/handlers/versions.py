"""AWS::Lambda::Version and AWS::Lambda::Alias.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-version.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-alias.html
"""

from typing import ClassVar

from penstock.aws_api.cloudformation.handlers.base import Calls, Handler, Job, already_exists, handler_failure
from penstock.aws_api.cloudformation.handlers.functions import SCALING, function_and_qualifier
from penstock.aws_api.cloudformation.handlers.schema import Items, Members, Plain, Schema
from penstock.aws_api.cloudformation.handlers.waiting import function_settled, version_active
from penstock.aws_api.cloudformation.records import Json


class VersionHandler(Handler):
    """The service counts versions, so a version has no id before it is made. What there was is noted, so that one made
    just before a crash is found, and one that was there already is never taken for ours."""

    type = "AWS::Lambda::Version"
    schema = Schema(
        more={
            "FunctionName": Plain.TEXT,
            "CodeSha256": Plain.TEXT,
            "Description": Plain.TEXT,
            "FunctionScalingConfig": SCALING,
        },
        required=("FunctionName",),
    )
    create_only = frozenset(("FunctionName", "CodeSha256", "Description"))
    attributes = ("FunctionArn", "Version")
    needs_operation: ClassVar[Calls] = {"FunctionScalingConfig": ("lambda", "PutFunctionScalingConfig")}

    async def draft(self, job: Job) -> str:
        job.note["known"] = await _versions(job)
        return ""

    async def create(self, job: Job) -> None:
        name = job.properties["FunctionName"]
        await function_settled(job, name)
        answer = await job.call(
            "lambda",
            "PublishVersion",
            FunctionName=name,
            CodeSha256=job.properties.get("CodeSha256"),
            Description=job.properties.get("Description"),
        )
        version = str(answer["Version"])
        if version in job.note.get("known", []):
            raise handler_failure(
                f"A version for this Lambda function exists ( {version} ). "
                "Modify the function to create a new version.",
                "AlreadyExists",
            )
        arn = _qualified(str(answer["FunctionArn"]), version)
        job.initiated(arn, FunctionArn=arn, Version=version)
        await version_active(job, name, version)
        if "FunctionScalingConfig" in job.properties:
            await self._scale(job)

    async def update(self, job: Job) -> None:
        await self._scale(job)

    async def delete(self, job: Job) -> None:
        name, version = function_and_qualifier(job.physical_id)
        await job.try_call("lambda", "DeleteFunction", FunctionName=name, Qualifier=version)

        async def look() -> bool | None:
            found = await job.try_call("lambda", "GetFunctionConfiguration", FunctionName=name, Qualifier=version)
            return True if found is None or found.get("State") != "Deleting" else None

        await job.until(look)

    async def find(self, job: Job) -> list[str]:
        name = job.properties["FunctionName"]
        new = [item for item in await _versions(job) if item not in job.note.get("known", [])]
        if not new:
            return []
        answer = await job.try_call("lambda", "GetFunctionConfiguration", FunctionName=name)
        arn = str(answer["FunctionArn"]) if answer else name
        return [_qualified(arn, version) for version in new]

    async def _scale(self, job: Job) -> None:
        name, version = function_and_qualifier(job.physical_id)
        config = job.properties.get("FunctionScalingConfig", {})
        await job.call(
            "lambda",
            "PutFunctionScalingConfig",
            FunctionName=name.rpartition(":")[2],
            Qualifier=version,
            FunctionScalingConfig=config,
        )


async def _versions(job: Job) -> list[str]:
    """The numbers of the function's versions."""
    found: list[str] = []
    marker: str | None = None
    while True:
        answer = await job.try_call(
            "lambda", "ListVersionsByFunction", FunctionName=job.properties["FunctionName"], Marker=marker
        )
        found += [str(item["Version"]) for item in (answer or {}).get("Versions", [])]
        marker = (answer or {}).get("NextMarker")
        if not marker:
            return [item for item in found if item.isdigit()]


def _qualified(arn: str, version: str) -> str:
    name, _ = function_and_qualifier(arn)
    return f"{name}:{version}"


class AliasHandler(Handler):
    type = "AWS::Lambda::Alias"
    schema = Schema(
        more={
            "FunctionName": Plain.TEXT,
            "FunctionVersion": Plain.TEXT,
            "Name": Plain.TEXT,
            "Description": Plain.TEXT,
            "RoutingConfig": Members(
                {
                    "AdditionalVersionWeights": Items(
                        Members(
                            {"FunctionVersion": Plain.TEXT, "FunctionWeight": Plain.NUMBER},
                            ("FunctionVersion", "FunctionWeight"),
                        )
                    )
                }
            ),
        },
        required=("FunctionName", "FunctionVersion", "Name"),
    )
    create_only = frozenset(("FunctionName", "Name"))
    attributes = ("AliasArn",)

    async def draft(self, job: Job) -> str:
        name = job.properties["FunctionName"]
        found = await job.try_call("lambda", "GetAlias", FunctionName=name, Name=job.properties["Name"])
        if found is not None:
            raise already_exists(self.type, str(found["AliasArn"]))
        job.note["new"] = True
        return ""

    async def create(self, job: Job) -> None:
        answer = await job.call("lambda", "CreateAlias", **_alias(job.properties))
        arn = str(answer["AliasArn"])
        job.initiated(arn, AliasArn=arn)

    async def update(self, job: Job) -> None:
        given = _alias(job.properties)
        given.setdefault("Description", "")
        given.setdefault("RoutingConfig", {"AdditionalVersionWeights": {}})
        await job.call("lambda", "UpdateAlias", **given)

    async def delete(self, job: Job) -> None:
        name, alias = function_and_qualifier(job.physical_id)
        await job.try_call("lambda", "DeleteAlias", FunctionName=name, Name=alias)

    async def find(self, job: Job) -> list[str]:
        name = job.properties["FunctionName"]
        found = await job.try_call("lambda", "GetAlias", FunctionName=name, Name=job.properties["Name"])
        return [str(found["AliasArn"])] if found else []


def _alias(properties: Json) -> Json:
    given = dict(properties)
    routing = given.get("RoutingConfig")
    if routing:
        weights = routing.get("AdditionalVersionWeights", [])
        by_version = {item["FunctionVersion"]: item["FunctionWeight"] for item in weights}
        given["RoutingConfig"] = {"AdditionalVersionWeights": by_version}
    return given
