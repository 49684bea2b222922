"""AWS::Lambda::CapacityProvider and AWS::Lambda::LayerVersion.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-capacityprovider.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-layerversion.html
"""

from typing import Final

from penstock.aws_api.cloudformation.handlers.base import Handler, Job, already_exists, handler_failure
from penstock.aws_api.cloudformation.handlers.schema import TEXTS, Members, Of, Plain, Schema

# https://docs.aws.amazon.com/lambda/latest/api/API_CreateCapacityProvider.html (CapacityProviderName)
_LONGEST_NAME: Final = 140
_LONGEST_LAYER: Final = 140


class CapacityProviderHandler(Handler):
    type = "AWS::Lambda::CapacityProvider"
    schema = Schema(
        "lambda",
        "CreateCapacityProvider",
        more={
            "Tags": Plain.TAGS,
            "VpcConfig": Members({"SubnetIds": TEXTS, "SecurityGroupIds": TEXTS}, ("SubnetIds",)),
        },
        required=("PermissionsConfig", "VpcConfig"),
    )
    name_property = "CapacityProviderName"
    create_only = frozenset(
        ("CapacityProviderName", "InstanceRequirements", "KmsKeyArn", "PermissionsConfig", "VpcConfig")
    )
    attributes = ("Arn", "State")
    taggable = True

    async def draft(self, job: Job) -> str:
        name = job.properties.get("CapacityProviderName")
        if name and await job.try_call("lambda", "GetCapacityProvider", CapacityProviderName=name) is not None:
            raise already_exists(self.type, name)
        return name or job.generated_name(_LONGEST_NAME)

    async def create(self, job: Job) -> None:
        name = job.physical_id
        given = {**job.properties, "CapacityProviderName": name, "Tags": job.tags or None}
        given["VpcConfig"] = {"SecurityGroupIds": [], **given["VpcConfig"]}
        answer = await job.call("lambda", "CreateCapacityProvider", **given)
        job.initiated(name, Arn=answer["CapacityProvider"]["CapacityProviderArn"])
        await self._active(job)

    async def update(self, job: Job) -> None:
        changed = job.changed - {"Tags"}
        if changed:
            # What is gone from the template is left as it is: its default is the service's to know.
            given = {key: job.properties[key] for key in changed if key in job.properties}
            await job.call("lambda", "UpdateCapacityProvider", CapacityProviderName=job.physical_id, **given)
            await self._active(job)
        gone, new = job.tag_changes()
        if gone:
            await job.call("lambda", "UntagResource", Resource=job.attributes["Arn"], TagKeys=gone)
        if new:
            await job.call("lambda", "TagResource", Resource=job.attributes["Arn"], Tags=new)

    async def delete(self, job: Job) -> None:
        name = job.physical_id
        if await job.try_call("lambda", "DeleteCapacityProvider", CapacityProviderName=name) is None:
            return

        async def look() -> bool | None:
            found = await job.try_call("lambda", "GetCapacityProvider", CapacityProviderName=name)
            return True if found is None else None

        await job.until(look)

    async def _active(self, job: Job) -> None:
        async def look() -> str | None:
            answer = await job.call("lambda", "GetCapacityProvider", CapacityProviderName=job.physical_id)
            state = str(answer["CapacityProvider"]["State"])
            if state == "Failed":
                raise handler_failure("The capacity provider failed to become active", "NotStabilized")
            return state if state == "Active" else None

        job.attributes["State"] = await job.until(look)


class LayerVersionHandler(Handler):
    """As with functions' versions, the service counts: what there was is noted."""

    type = "AWS::Lambda::LayerVersion"
    schema = Schema(
        "lambda",
        "PublishLayerVersion",
        more={"LayerName": Plain.TEXT, "Content": Of("lambda", "LayerVersionContentInput", without=("ZipFile",))},
        required=("Content",),
    )
    create_only = frozenset(
        ("CompatibleArchitectures", "CompatibleRuntimes", "Content", "Description", "LayerName", "LicenseInfo")
    )
    attributes = ("LayerVersionArn",)

    async def draft(self, job: Job) -> str:
        # The layer's name without LayerName is assumed to be generated like others.
        job.note["layer"] = job.properties.get("LayerName") or job.generated_name(_LONGEST_LAYER)
        job.note["known"] = [arn for arn, _ in await _layer_versions(job)]
        return ""

    async def create(self, job: Job) -> None:
        given = {**job.properties, "LayerName": job.note["layer"]}
        answer = await job.call("lambda", "PublishLayerVersion", **given)
        arn = str(answer["LayerVersionArn"])
        job.initiated(arn, LayerVersionArn=arn)

    async def delete(self, job: Job) -> None:
        name, _, number = job.physical_id.rpartition(":")
        await job.try_call("lambda", "DeleteLayerVersion", LayerName=name, VersionNumber=int(number))

    async def find(self, job: Job) -> list[str]:
        return [arn for arn, _ in await _layer_versions(job) if arn not in job.note.get("known", [])]


async def _layer_versions(job: Job) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    marker: str | None = None
    while True:
        answer = await job.try_call("lambda", "ListLayerVersions", LayerName=job.note["layer"], Marker=marker)
        found += [(item["LayerVersionArn"], item["Version"]) for item in (answer or {}).get("LayerVersions", [])]
        marker = (answer or {}).get("NextMarker")
        if not marker:
            return found
