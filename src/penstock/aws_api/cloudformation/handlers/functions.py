"""AWS::Lambda::Function.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html
"""

import io
import zipfile
from typing import ClassVar, Final

from penstock.aws_api.cloudformation.handlers.base import Calls, Handler, Job, already_exists, handler_failure
from penstock.aws_api.cloudformation.handlers.schema import Form, Items, Members, Of, Plain, Schema
from penstock.aws_api.cloudformation.handlers.waiting import function_free, function_settled
from penstock.aws_api.cloudformation.records import Json

# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html (FunctionName)
_LONGEST_NAME: Final = 64
_CODE: Final = ("Code", "Architectures")
# Each by a call of its own; all others go to UpdateFunctionConfiguration.
_APART: Final = frozenset(
    (
        *_CODE,
        "CodeSigningConfigArn",
        "FunctionScalingConfig",
        "PublishToLatestPublished",
        "RecursiveLoop",
        "ReservedConcurrentExecutions",
        "RuntimeManagementConfig",
        "Tags",
    )
)
# What UpdateFunctionConfiguration is told when a property is gone from the template: Lambda's default.
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
_DEFAULTS: Final[Json] = {
    "DeadLetterConfig": {},
    "Description": "",
    "Environment": {},
    "EphemeralStorage": {"Size": 512},
    "FileSystemConfigs": [],
    "KMSKeyArn": "",
    "Layers": [],
    "MemorySize": 128,
    "SnapStart": {"ApplyOn": "None"},
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
    "VpcConfig": {"SecurityGroupIds": [], "SubnetIds": []},
}
_LATEST_PUBLISHED: Final = "$LATEST.PUBLISHED"
# An archive's files bear this time, so that the same code is the same archive.
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
SCALING: Final[Form] = Members({"MinExecutionEnvironments": Plain.WHOLE, "MaxExecutionEnvironments": Plain.WHOLE})


class FunctionHandler(Handler):
    type = "AWS::Lambda::Function"
    schema = Schema(
        "lambda",
        "CreateFunction",
        without=("Publish", "PublishTo", "KMSKeyArn"),
        more={
            "Code": Of("lambda", "FunctionCode"),
            "Tags": Plain.TAGS,
            "KmsKeyArn": Plain.TEXT,
            "Layers": Items(Plain.TEXT),
            "FunctionScalingConfig": SCALING,
            "PublishToLatestPublished": Plain.FLAG,
            "RecursiveLoop": Plain.TEXT,
            "ReservedConcurrentExecutions": Plain.WHOLE,
            "RuntimeManagementConfig": Members({"UpdateRuntimeOn": Plain.TEXT, "RuntimeVersionArn": Plain.TEXT}),
        },
        required=("Code", "Role"),
    )
    name_property = "FunctionName"
    create_only = frozenset(("FunctionName", "PackageType", "TenancyConfig"))
    attributes = ("Arn", "SnapStartResponse", "SnapStartResponse.ApplyOn", "SnapStartResponse.OptimizationStatus")
    taggable = True
    needs_operation: ClassVar[Calls] = {
        "CodeSigningConfigArn": ("lambda", "PutFunctionCodeSigningConfig"),
        "FunctionScalingConfig": ("lambda", "PutFunctionScalingConfig"),
        "RecursiveLoop": ("lambda", "PutFunctionRecursionConfig"),
        "ReservedConcurrentExecutions": ("lambda", "PutFunctionConcurrency"),
        "RuntimeManagementConfig": ("lambda", "PutRuntimeManagementConfig"),
    }

    async def draft(self, job: Job) -> str:
        name = job.properties.get("FunctionName")
        if name and await job.try_call("lambda", "GetFunctionConfiguration", FunctionName=name) is not None:
            raise already_exists(self.type, name)
        return name or job.generated_name(_LONGEST_NAME)

    async def create(self, job: Job) -> None:
        name, properties = job.physical_id, job.properties
        given = {key: value for key, value in properties.items() if key not in _APART or key == "Architectures"}
        given |= {"FunctionName": name, "Code": _code(properties), "Tags": job.tags or None}
        given["CodeSigningConfigArn"] = properties.get("CodeSigningConfigArn")
        answer = await job.call("lambda", "CreateFunction", **_api(given))
        job.initiated(name, **_attributes(answer))
        await function_settled(job, name)
        await self._extras(job, frozenset(properties))
        await self._publish(job)

    async def update(self, job: Job) -> None:
        name, changed = job.physical_id, job.changed
        await function_free(job, name)
        if changed & set(_CODE):
            code = {"FunctionName": name, "Architectures": job.properties.get("Architectures"), **_code(job.properties)}
            await job.call("lambda", "UpdateFunctionCode", **code)
            await function_settled(job, name)
        configuration = changed - _APART
        if configuration:
            given = {key: job.properties.get(key) for key in configuration}
            missing = {key: _DEFAULTS.get(key) for key, value in _api(given).items() if value is None}
            await job.call("lambda", "UpdateFunctionConfiguration", **{"FunctionName": name, **_api(given), **missing})
            await function_settled(job, name)
        await self._extras(job, changed)
        await self._tag(job)
        await self._publish(job)

    async def delete(self, job: Job) -> None:
        name = job.physical_id
        await job.try_call("lambda", "DeleteFunction", FunctionName=name)

        async def look() -> bool | None:
            found = await job.try_call("lambda", "GetFunctionConfiguration", FunctionName=name)
            return True if found is None or found.get("State") != "Deleting" else None

        await job.until(look)

    async def _extras(self, job: Job, changed: frozenset[str]) -> None:
        """What Lambda takes by calls of their own."""
        name, properties = job.physical_id, job.properties
        if "ReservedConcurrentExecutions" in changed:
            most = properties.get("ReservedConcurrentExecutions")
            if most is None:
                await job.try_call("lambda", "DeleteFunctionConcurrency", FunctionName=name)
            else:
                await job.call("lambda", "PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=most)
        if "RecursiveLoop" in changed:
            loop = properties.get("RecursiveLoop", "Terminate")
            await job.call("lambda", "PutFunctionRecursionConfig", FunctionName=name, RecursiveLoop=loop)
        if "RuntimeManagementConfig" in changed:
            how = properties.get("RuntimeManagementConfig", {"UpdateRuntimeOn": "Auto"})
            await job.call("lambda", "PutRuntimeManagementConfig", FunctionName=name, **how)
        if "CodeSigningConfigArn" in changed and job.perhaps:
            arn = properties.get("CodeSigningConfigArn")
            operation = "PutFunctionCodeSigningConfig" if arn else "DeleteFunctionCodeSigningConfig"
            await job.call("lambda", operation, FunctionName=name, CodeSigningConfigArn=arn)

    async def _tag(self, job: Job) -> None:
        arn = job.attributes.get("Arn", job.physical_id)
        gone, new = job.tag_changes()
        if gone:
            await job.call("lambda", "UntagResource", Resource=arn, TagKeys=gone)
        if new:
            await job.call("lambda", "TagResource", Resource=arn, Tags=new)

    async def _publish(self, job: Job) -> None:
        """The moving slot `$LATEST.PUBLISHED`, for a function that wants it, and its scaling."""
        if not job.properties.get("PublishToLatestPublished"):
            return
        name = job.physical_id
        await job.call("lambda", "PublishVersion", FunctionName=name, PublishTo="LATEST_PUBLISHED")

        async def look() -> bool | None:
            answer = await job.call(
                "lambda", "GetFunctionConfiguration", FunctionName=name, Qualifier=_LATEST_PUBLISHED
            )
            if "Failed" in (answer.get("State"), answer.get("LastUpdateStatus")):
                raise handler_failure(str(answer.get("StateReason", "Publishing failed")), "NotStabilized")
            pending = answer.get("State") == "Pending" or answer.get("LastUpdateStatus") == "InProgress"
            return None if pending else True

        await job.until(look)
        if "FunctionScalingConfig" in job.changed:
            await job.call(
                "lambda",
                "PutFunctionScalingConfig",
                FunctionName=name,
                Qualifier=_LATEST_PUBLISHED,
                FunctionScalingConfig=job.properties.get("FunctionScalingConfig", {}),
            )


def _api(properties: Json) -> Json:
    """CloudFormation's one other spelling put right."""
    return {"KMSKeyArn" if key == "KmsKeyArn" else key: value for key, value in properties.items()}


def _attributes(answer: Json) -> Json:
    found: Json = {"Arn": answer["FunctionArn"]}
    snap = answer.get("SnapStart")
    if isinstance(snap, dict):
        found["SnapStartResponse"] = snap
        found |= {f"SnapStartResponse.{key}": value for key, value in snap.items()}
    return found


def _code(properties: Json) -> Json:
    code = dict(properties.get("Code", {}))
    if "ZipFile" in code:
        code["ZipFile"] = inline_archive(str(code["ZipFile"]), str(properties.get("Runtime", "")))
    return code


def inline_archive(text: str, runtime: str) -> bytes:
    """The archive CloudFormation makes of code in the template: one file, `index` by the runtime.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-lambda-function-code.html
    """
    endings = {"python": "py", "nodejs": "js"}
    ending = next((end for name, end in endings.items() if runtime.startswith(name)), None)
    if ending is None:
        raise handler_failure("ZipFile can only be used when Runtime is set to either of nodejs, python.")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(f"index.{ending}", _EPOCH)
        info.external_attr = 0o644 << 16
        archive.writestr(info, text)
    return data.getvalue()


def function_and_qualifier(reference: str) -> tuple[str, str | None]:
    """A name or ARN, and the qualifier that may stand at its end."""
    parts = reference.split(":")
    if reference.startswith("arn:"):
        return ":".join(parts[:7]), parts[7] if len(parts) > 7 else None
    return parts[0], parts[1] if len(parts) > 1 else None


def plain_name(reference: str) -> str:
    """The function's bare name."""
    name, _ = function_and_qualifier(reference)
    return name.rpartition(":")[2]
