"""Buckets, and what they are configured with."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from penstock.aws_api.s3 import S3Service
from support.aws_calls import Calls
from support.s3_rig import BUCKET, S3Rig


async def test_a_bucket_is_made_found_and_deleted(rig: S3Rig) -> None:
    made = await rig.calls("CreateBucket", Bucket="other.bucket")
    assert made == {"Location": "/other.bucket", "BucketArn": "arn:aws:s3:::other.bucket"}
    assert (await rig.calls("HeadBucket", Bucket="other.bucket"))["BucketRegion"] == "us-east-1"
    listed = await rig.calls("ListBuckets")
    assert [one["Name"] for one in listed["Buckets"]] == [BUCKET, "other.bucket"]
    assert listed["Buckets"][0]["CreationDate"] == datetime.fromtimestamp(rig.clock.epoch(), UTC)
    assert len(listed["Owner"]["ID"]) == 64
    await rig.calls("DeleteBucket", Bucket="other.bucket")
    refused = await rig.calls.refused("HeadBucket", Bucket="other.bucket")
    assert (refused.code, refused.status) == ("404", 404)
    refused = await rig.calls.refused("DeleteBucket", Bucket="other.bucket")
    assert (refused.code, refused.members) == ("NoSuchBucket", {"BucketName": "other.bucket"})


@pytest.mark.parametrize(
    "name",
    ["ab", "a" * 64, "Upper", "a..b", "-a-b", "a-b-", "a_b", "192.168.5.4", "xn--abc", "abc-s3alias", "../../etc"],
)
async def test_what_a_bucket_cannot_be_called(rig: S3Rig, name: str) -> None:
    refused = await rig.calls.refused("CreateBucket", Bucket=name)
    assert (refused.code, refused.status) == ("InvalidBucketName", 400)


async def test_making_it_again(rig: S3Rig, tmp_path: Path) -> None:
    """Only us-east-1 takes it without a word."""
    await rig.put("k")
    await rig.calls("CreateBucket", Bucket=BUCKET)
    assert await rig.body("k") == b"x"
    frankfurt = Calls(rig.service, region="eu-central-1")
    here = {"LocationConstraint": "eu-central-1"}
    refused = await frankfurt.refused("CreateBucket", Bucket=BUCKET, CreateBucketConfiguration=here)
    assert (refused.code, refused.status) == ("BucketAlreadyOwnedByYou", 409)
    await frankfurt("CreateBucket", Bucket="in-frankfurt", CreateBucketConfiguration=here)
    refused = await frankfurt.refused("CreateBucket", Bucket="in-frankfurt", CreateBucketConfiguration=here)
    assert refused.code == "BucketAlreadyOwnedByYou"
    other = Calls(rig.service, account_id="210987654321")
    refused = await other.refused("CreateBucket", Bucket=BUCKET)
    assert (refused.code, refused.status) == ("BucketAlreadyExists", 409)
    assert (await other("ListBuckets"))["Buckets"] == []


async def test_where_a_bucket_is(rig: S3Rig) -> None:
    frankfurt = Calls(rig.service, region="eu-central-1")
    refused = await frankfurt.refused("CreateBucket", Bucket="b-1")
    assert refused.code == "IllegalLocationConstraintException"
    assert refused.message.startswith("The unspecified location constraint is incompatible")
    await frankfurt("CreateBucket", Bucket="b-1", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    assert await frankfurt("GetBucketLocation", Bucket="b-1") == {"LocationConstraint": "eu-central-1"}
    assert await rig.calls("GetBucketLocation", Bucket=BUCKET) == {}
    old = {"LocationConstraint": "EU"}
    await rig.calls("CreateBucket", Bucket="b-2", CreateBucketConfiguration=old)
    assert await rig.calls("GetBucketLocation", Bucket="b-2") == {"LocationConstraint": "eu-west-1"}
    listed = await rig.calls("ListBuckets", BucketRegion="eu-west-1")
    assert [one["Name"] for one in listed["Buckets"]] == ["b-2"]


async def test_the_list_of_buckets_a_page_at_a_time(rig: S3Rig) -> None:
    for number in range(3):
        await rig.calls("CreateBucket", Bucket=f"p-{number}")
    first = await rig.calls("ListBuckets", Prefix="p-", MaxBuckets=2)
    assert [one["Name"] for one in first["Buckets"]] == ["p-0", "p-1"]
    token = first["ContinuationToken"]
    second = await rig.calls("ListBuckets", Prefix="p-", MaxBuckets=2, ContinuationToken=token)
    assert [one["Name"] for one in second["Buckets"]] == ["p-2"]
    assert "ContinuationToken" not in second
    assert (await rig.calls.refused("ListBuckets", ContinuationToken="%")).code == "InvalidArgument"


async def test_a_bucket_that_is_not_empty_stays(rig: S3Rig) -> None:
    await rig.put("k")
    refused = await rig.calls.refused("DeleteBucket", Bucket=BUCKET)
    assert (refused.code, refused.status) == ("BucketNotEmpty", 409)
    assert refused.message == "The bucket you tried to delete is not empty"
    await rig.calls("PutBucketVersioning", Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    await rig.calls("DeleteObject", Bucket=BUCKET, Key="k")
    refused = await rig.calls.refused("DeleteBucket", Bucket=BUCKET)
    assert "You must delete all versions in the bucket." in refused.message


async def test_uploads_go_with_their_bucket(rig: S3Rig) -> None:
    upload = (await rig.calls("CreateMultipartUpload", Bucket=BUCKET, Key="k"))["UploadId"]
    await rig.calls("UploadPart", Bucket=BUCKET, Key="k", UploadId=upload, PartNumber=1, Body=b"x")
    await rig.calls("DeleteBucket", Bucket=BUCKET)
    rig.clock.advance(3600)
    assert rig.files() == []
    await rig.calls("CreateBucket", Bucket=BUCKET)
    assert "Uploads" not in await rig.calls("ListMultipartUploads", Bucket=BUCKET)


async def test_the_expected_owner(rig: S3Rig) -> None:
    await rig.calls("HeadBucket", Bucket=BUCKET, ExpectedBucketOwner="123456789012")
    refused = await rig.calls.refused("PutObject", Bucket=BUCKET, Key="k", ExpectedBucketOwner="210987654321")
    assert (refused.code, refused.status) == ("AccessDenied", 403)
    refused = await rig.calls.refused("HeadBucket", Bucket=BUCKET, ExpectedBucketOwner="210987654321")
    assert (refused.code, refused.status) == ("403", 403)


@pytest.mark.parametrize(
    "params",
    [
        {"ObjectLockEnabledForBucket": True},
        {"BucketNamespace": "account-regional"},
        {"CreateBucketConfiguration": {"Bucket": {"Type": "Directory"}}},
    ],
)
async def test_kinds_of_buckets_that_are_not_offered(rig: S3Rig, params: dict[str, Any]) -> None:
    refused = await rig.calls.refused("CreateBucket", Bucket="special", **params)
    assert (refused.code, refused.status) == ("NotImplemented", 501)


SETTINGS: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "PublicAccessBlock",
        "PublicAccessBlockConfiguration",
        {"BlockPublicAcls": True, "IgnorePublicAcls": False},
        "NoSuchPublicAccessBlockConfiguration",
    ),
    (
        "BucketOwnershipControls",
        "OwnershipControls",
        {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]},
        "OwnershipControlsNotFoundError",
    ),
    (
        "BucketReplication",
        "ReplicationConfiguration",
        {"Role": "r", "Rules": [{"Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::b"}}]},
        "ReplicationConfigurationNotFoundError",
    ),
]
FLAT: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "BucketCors",
        "CORSConfiguration",
        {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 3}]},
        "NoSuchCORSConfiguration",
    ),
    ("BucketWebsite", "WebsiteConfiguration", {"IndexDocument": {"Suffix": "i"}}, "NoSuchWebsiteConfiguration"),
]


@pytest.mark.parametrize(("name", "member", "value", "absent"), SETTINGS)
async def test_a_setting_comes_back(rig: S3Rig, name: str, member: str, value: dict[str, Any], absent: str) -> None:
    await rig.calls(f"Put{name}", Bucket=BUCKET, **{member: value})
    assert await rig.calls(f"Get{name}", Bucket=BUCKET) == {member: value}
    await rig.calls(f"Delete{name}", Bucket=BUCKET)
    refused = await rig.calls.refused(f"Get{name}", Bucket=BUCKET)
    assert (refused.code, refused.status) == (absent, 404)


@pytest.mark.parametrize(("name", "member", "value", "absent"), FLAT)
async def test_a_setting_whose_members_are_the_answer(
    rig: S3Rig, name: str, member: str, value: dict[str, Any], absent: str
) -> None:
    assert (await rig.calls.refused(f"Get{name}", Bucket=BUCKET)).code == absent
    await rig.calls(f"Put{name}", Bucket=BUCKET, **{member: value})
    assert await rig.calls(f"Get{name}", Bucket=BUCKET) == value
    await rig.calls(f"Delete{name}", Bucket=BUCKET)
    assert (await rig.calls.refused(f"Get{name}", Bucket=BUCKET)).code == absent


async def test_a_lifecycle_with_a_date(rig: S3Rig) -> None:
    date = datetime(2030, 1, 1, tzinfo=UTC)
    rules = [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Date": date}}]
    await rig.calls("PutBucketLifecycleConfiguration", Bucket=BUCKET, LifecycleConfiguration={"Rules": rules})
    await rig.reopened()
    assert await rig.calls("GetBucketLifecycleConfiguration", Bucket=BUCKET) == {"Rules": rules}
    await rig.calls("DeleteBucketLifecycle", Bucket=BUCKET)
    refused = await rig.calls.refused("GetBucketLifecycleConfiguration", Bucket=BUCKET)
    assert refused.code == "NoSuchLifecycleConfiguration"
    refused = await rig.calls.refused("PutBucketLifecycleConfiguration", Bucket=BUCKET)
    assert refused.code == "MalformedXML"


async def test_what_a_new_bucket_has(rig: S3Rig) -> None:
    block = (await rig.calls("GetPublicAccessBlock", Bucket=BUCKET))["PublicAccessBlockConfiguration"]
    assert all(block.values())
    owns = (await rig.calls("GetBucketOwnershipControls", Bucket=BUCKET))["OwnershipControls"]["Rules"]
    assert owns == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert await rig.calls("GetBucketVersioning", Bucket=BUCKET) == {}
    assert await rig.calls("GetBucketNotificationConfiguration", Bucket=BUCKET) == {}
    assert await rig.calls("GetBucketLogging", Bucket=BUCKET) == {}
    assert await rig.calls("GetBucketAccelerateConfiguration", Bucket=BUCKET) == {}
    assert await rig.calls("GetBucketRequestPayment", Bucket=BUCKET) == {"Payer": "BucketOwner"}
    refused = await rig.calls.refused("GetObjectLockConfiguration", Bucket=BUCKET)
    assert refused.code == "ObjectLockConfigurationNotFoundError"


async def test_settings_that_are_only_replaced(rig: S3Rig) -> None:
    told = {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": "arn:f", "Events": ["s3:ObjectCreated:*"]}]}
    await rig.calls("PutBucketNotificationConfiguration", Bucket=BUCKET, NotificationConfiguration=told)
    assert await rig.calls("GetBucketNotificationConfiguration", Bucket=BUCKET) == told
    payer = {"Payer": "Requester"}
    await rig.calls("PutBucketRequestPayment", Bucket=BUCKET, RequestPaymentConfiguration=payer)
    assert await rig.calls("GetBucketRequestPayment", Bucket=BUCKET) == payer


async def test_encryption_is_told_of_new_objects(rig: S3Rig) -> None:
    default = await rig.calls("GetBucketEncryption", Bucket=BUCKET)
    rule = default["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert (await rig.put("a"))["ServerSideEncryption"] == "AES256"
    kms = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "k"}}
    configuration = {"Rules": [kms | {"BucketKeyEnabled": True}]}
    await rig.calls("PutBucketEncryption", Bucket=BUCKET, ServerSideEncryptionConfiguration=configuration)
    put = await rig.put("b")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"], put["BucketKeyEnabled"]) == ("aws:kms", "k", True)
    assert (await rig.put("c", ServerSideEncryption="AES256"))["ServerSideEncryption"] == "AES256"
    assert (await rig.calls("HeadObject", Bucket=BUCKET, Key="b"))["SSEKMSKeyId"] == "k"
    await rig.calls("DeleteBucketEncryption", Bucket=BUCKET)
    assert await rig.calls("GetBucketEncryption", Bucket=BUCKET) == default


async def test_a_policy_is_kept_and_not_enforced(rig: S3Rig) -> None:
    refused = await rig.calls.refused("GetBucketPolicy", Bucket=BUCKET)
    assert (refused.code, refused.status) == ("NoSuchBucketPolicy", 404)
    deny = '{"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}]}'
    await rig.calls("PutBucketPolicy", Bucket=BUCKET, Policy=deny)
    await rig.put("k")
    assert await rig.calls("GetBucketPolicy", Bucket=BUCKET) == {"Policy": deny}
    assert await rig.calls("GetBucketPolicyStatus", Bucket=BUCKET) == {"PolicyStatus": {"IsPublic": False}}
    await rig.calls("PutBucketPolicy", Bucket=BUCKET, Policy=deny.replace("Deny", "Allow"))
    assert await rig.calls("GetBucketPolicyStatus", Bucket=BUCKET) == {"PolicyStatus": {"IsPublic": True}}
    await rig.calls("DeleteBucketPolicy", Bucket=BUCKET)
    assert (await rig.calls.refused("GetBucketPolicyStatus", Bucket=BUCKET)).code == "NoSuchBucketPolicy"
    for text in ("no json", "[]", "[" * 10_000):
        assert (await rig.calls.refused("PutBucketPolicy", Bucket=BUCKET, Policy=text)).code == "MalformedPolicy"
    long = '{"Id": "' + "x" * 20_480 + '"}'
    assert (await rig.calls.refused("PutBucketPolicy", Bucket=BUCKET, Policy=long)).code == "PolicyTooLarge"


async def test_tags_of_a_bucket(rig: S3Rig) -> None:
    assert (await rig.calls.refused("GetBucketTagging", Bucket=BUCKET)).code == "NoSuchTagSet"
    tags = [{"Key": "ManagedStackSource", "Value": "AwsSamCli"}]
    await rig.calls("PutBucketTagging", Bucket=BUCKET, Tagging={"TagSet": tags})
    assert await rig.calls("GetBucketTagging", Bucket=BUCKET) == {"TagSet": tags}
    await rig.calls("DeleteBucketTagging", Bucket=BUCKET)
    assert (await rig.calls.refused("GetBucketTagging", Bucket=BUCKET)).code == "NoSuchTagSet"
    await rig.calls("CreateBucket", Bucket="tagged", CreateBucketConfiguration={"Tags": tags})
    assert await rig.calls("GetBucketTagging", Bucket="tagged") == {"TagSet": tags}


async def test_every_operation_looks_for_the_bucket_first(rig: S3Rig) -> None:
    for name in S3Service(rig.store, rig.clock).operations:
        if name.startswith("GetBucket"):
            refused = await rig.calls.refused(name, Bucket="nowhere")
            assert refused.code == "NoSuchBucket", name
