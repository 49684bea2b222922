"""AWS::S3::Bucket and BucketPolicy.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucketpolicy.html
"""

from collections.abc import Callable
from typing import Any, ClassVar, Final

from penstock.aws_api.cloudformation.handlers.base import Calls, Handler, Job, already_exists, tags_of
from penstock.aws_api.cloudformation.handlers.schema import Form, Items, Members, Plain, Schema
from penstock.aws_api.cloudformation.records import Json
from penstock.template.intrinsics import partition

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_LONGEST_NAME: Final = 63

_PUBLIC_ACCESS: Final = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
_ENCRYPTION: Final[Form] = Members(
    {
        "ServerSideEncryptionConfiguration": Items(
            Members(
                {
                    "BucketKeyEnabled": Plain.FLAG,
                    "ServerSideEncryptionByDefault": Members(
                        {"KMSMasterKeyID": Plain.TEXT, "SSEAlgorithm": Plain.TEXT}, ("SSEAlgorithm",)
                    ),
                }
            )
        )
    },
    ("ServerSideEncryptionConfiguration",),
)


def _encryption(value: Any) -> Json:
    rules = [
        {
            ("ApplyServerSideEncryptionByDefault" if key == "ServerSideEncryptionByDefault" else key): item
            for key, item in rule.items()
        }
        for rule in value["ServerSideEncryptionConfiguration"]
    ]
    return {"ServerSideEncryptionConfiguration": {"Rules": rules}}


# By property: the call that sets it, the call that takes it back (none: it cannot be), and its parameter.
_SETTINGS: Final[dict[str, tuple[str, str, Callable[[Any], Json]]]] = {
    "VersioningConfiguration": (
        "PutBucketVersioning",
        "",
        lambda value: {"VersioningConfiguration": value},
    ),
    "BucketEncryption": ("PutBucketEncryption", "DeleteBucketEncryption", _encryption),
    "PublicAccessBlockConfiguration": (
        "PutPublicAccessBlock",
        "DeletePublicAccessBlock",
        lambda value: {"PublicAccessBlockConfiguration": value},
    ),
    "OwnershipControls": (
        "PutBucketOwnershipControls",
        "DeleteBucketOwnershipControls",
        lambda value: {"OwnershipControls": value},
    ),
}


class BucketHandler(Handler):
    type = "AWS::S3::Bucket"
    schema = Schema(
        more={
            "BucketName": Plain.TEXT,
            "BucketEncryption": _ENCRYPTION,
            "OwnershipControls": Members({"Rules": Items(Members({"ObjectOwnership": Plain.TEXT}))}, ("Rules",)),
            "PublicAccessBlockConfiguration": Members(dict.fromkeys(_PUBLIC_ACCESS, Plain.FLAG)),
            "Tags": Plain.TAGS,
            "VersioningConfiguration": Members({"Status": Plain.TEXT}, ("Status",)),
        },
    )
    name_property = "BucketName"
    create_only = frozenset(("BucketName",))
    attributes = ("Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL")
    taggable = True
    needs_operation: ClassVar[Calls] = {name: ("s3", setting[0]) for name, setting in _SETTINGS.items()}

    async def draft(self, job: Job) -> str:
        name = job.properties.get("BucketName") or job.generated_name(_LONGEST_NAME, lower=True)
        # CreateBucket of a bucket one has already is no error in us-east-1: it must not be taken for a new one.
        if await job.try_call("s3", "HeadBucket", Bucket=name) is not None:
            raise already_exists(self.type, name)
        return str(name)

    async def create(self, job: Job) -> None:
        name, region = job.physical_id, job.context.region
        where = None if region == "us-east-1" else {"LocationConstraint": region}
        await job.call("s3", "CreateBucket", Bucket=name, CreateBucketConfiguration=where)
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        job.initiated(
            name,
            Arn=f"arn:{partition(region)}:s3:::{name}",
            DomainName=f"{name}.s3.{suffix}",
            DualStackDomainName=f"{name}.s3.dualstack.{region}.{suffix}",
            RegionalDomainName=f"{name}.s3.{region}.{suffix}",
            WebsiteURL=f"http://{name}.s3-website-{region}.{suffix}",
        )
        await self._set(job, frozenset(job.properties))

    async def update(self, job: Job) -> None:
        await self._set(job, job.changed)

    async def _set(self, job: Job, changed: frozenset[str]) -> None:
        name = job.physical_id
        for key, (put, take_back, form) in _SETTINGS.items():
            if key in changed and key in job.properties:
                await job.call("s3", put, Bucket=name, **form(job.properties[key]))
            elif key in changed and take_back:
                await job.try_call("s3", take_back, Bucket=name)
            elif key in changed and key == "VersioningConfiguration":
                await job.call("s3", put, Bucket=name, **form({"Status": "Suspended"}))
        if job.tags != job.previous_tags:
            if job.tags:
                await job.call("s3", "PutBucketTagging", Bucket=name, Tagging={"TagSet": tags_of(job.tags)})
            else:
                await job.try_call("s3", "DeleteBucketTagging", Bucket=name)

    async def delete(self, job: Job) -> None:
        await job.try_call("s3", "DeleteBucket", Bucket=job.physical_id)


class BucketPolicyHandler(Handler):
    """What it says is kept, not enforced: `sam`'s own denies all that does not come over TLS."""

    type = "AWS::S3::BucketPolicy"
    schema = Schema(more={"Bucket": Plain.TEXT, "PolicyDocument": Plain.POLICY}, required=("Bucket", "PolicyDocument"))
    create_only = frozenset(("Bucket",))

    async def draft(self, job: Job) -> str:
        return str(job.properties["Bucket"])

    async def create(self, job: Job) -> None:
        await self.update(job)
        job.initiated(job.physical_id)

    async def update(self, job: Job) -> None:
        bucket, text = job.properties["Bucket"], job.properties["PolicyDocument"]
        await job.call("s3", "PutBucketPolicy", Bucket=bucket, Policy=text)

    async def delete(self, job: Job) -> None:
        await job.try_call("s3", "DeleteBucketPolicy", Bucket=job.physical_id)
