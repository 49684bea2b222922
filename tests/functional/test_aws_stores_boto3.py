"""S3, IAM, STS and EC2 as boto3 sees them, over the real port and a store on disk."""

import hashlib
import json
import os
import time
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from penstock.aws_api.ec2 import Ec2Service
from penstock.aws_api.iam import IamService
from penstock.aws_api.s3 import S3Service
from penstock.aws_api.store import Store
from penstock.aws_api.sts import StsService
from penstock.model.limits import MIB
from support.aws_protocol_rig import Port, open_port
from support.clock import VirtualClock

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
HERE = {"LocationConstraint": "eu-west-1"}


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[Port]:
    store, clock = Store(tmp_path / "state"), VirtualClock(time.time())
    async with open_port(tmp_path) as port:
        services = (
            S3Service(store, clock),
            IamService(store, clock),
            StsService(store, clock, port.dispatcher),
            Ec2Service(store, clock),
        )
        for service in services:
            port.dispatcher.add(service)
            await service.start()
        yield port
        for service in services:
            await service.close()
        assert port.faults == []
    store.close()


async def test_a_large_file_goes_up_and_comes_down_in_parts(port: Port) -> None:
    content = os.urandom(12 * MIB)
    parts = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)

    def use(s3: Any) -> tuple[bytes, dict[str, Any]]:
        s3.create_bucket(Bucket="files", CreateBucketConfiguration=HERE)
        s3.upload_fileobj(BytesIO(content), "files", "dir/a b+ü", Config=parts, ExtraArgs={"Metadata": {"k": "v"}})
        down = BytesIO()
        s3.download_fileobj("files", "dir/a b+ü", down, Config=parts)
        return down.getvalue(), s3.head_object(Bucket="files", Key="dir/a b+ü", ChecksumMode="ENABLED")

    down, head = await port.run("s3", use)
    assert down == content
    assert (head["ContentLength"], head["Metadata"], head["ChecksumType"]) == (len(content), {"k": "v"}, "COMPOSITE")
    pieces = [content[at : at + 5 * MIB] for at in range(0, len(content), 5 * MIB)]
    digests = b"".join(hashlib.md5(piece).digest() for piece in pieces)
    assert head["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'


async def test_keys_of_all_kinds_are_listed(port: Port) -> None:
    keys = sorted(["a", "a b", "a+b", "ä/ö", "x/1", "x/2", "y&<>\"'", "line\nbreak", "%25"])

    def use(s3: Any) -> tuple[list[str], list[str]]:
        s3.create_bucket(Bucket="keys", CreateBucketConfiguration=HERE)
        for key in keys:
            s3.put_object(Bucket="keys", Key=key, Body=key.encode())
        for key in keys:
            assert s3.get_object(Bucket="keys", Key=key)["Body"].read() == key.encode()
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="keys", PaginationConfig={"PageSize": 2})
        found = [one["Key"] for page in pages for one in page["Contents"]]
        pages = s3.get_paginator("list_objects").paginate(
            Bucket="keys", Delimiter="/", PaginationConfig={"PageSize": 2}
        )
        return found, [one["Prefix"] for page in pages for one in page.get("CommonPrefixes", [])]

    assert await port.run("s3", use) == (keys, ["x/", "ä/"])


async def test_conditions_and_ranges(port: Port) -> None:
    def use(s3: Any) -> None:
        s3.create_bucket(Bucket="conditions", CreateBucketConfiguration=HERE)
        put = s3.put_object(Bucket="conditions", Key="k", Body=b"0123456789")
        part = s3.get_object(Bucket="conditions", Key="k", Range="bytes=2-4")
        assert (part["ResponseMetadata"]["HTTPStatusCode"], part["ContentRange"]) == (206, "bytes 2-4/10")
        assert part["Body"].read() == b"234"
        s3.get_object(Bucket="conditions", Key="k", IfMatch=put["ETag"])["Body"].read()
        s3.get_waiter("object_exists").wait(Bucket="conditions", Key="k")

    await port.run("s3", use)
    for operation, params, status, code in (
        ("get_object", {"IfNoneMatch": "*"}, 304, "304"),
        ("head_object", {"IfNoneMatch": "*"}, 304, "304"),
        ("get_object", {"IfMatch": '"x"'}, 412, "PreconditionFailed"),
        ("head_object", {"IfMatch": '"x"'}, 412, "412"),
        ("get_object", {"Range": "bytes=10-"}, 416, "InvalidRange"),
        ("put_object", {"IfNoneMatch": "*"}, 412, "PreconditionFailed"),
        ("get_object", {"Key": "none"}, 404, "NoSuchKey"),
        ("head_object", {"Key": "none"}, 404, "404"),
        ("get_object", {"Bucket": "nowhere"}, 404, "NoSuchBucket"),
        ("head_bucket", {"Bucket": "nowhere"}, 404, "404"),
    ):
        named = {"Bucket": "conditions"} | ({} if operation == "head_bucket" else {"Key": "k"}) | params

        def ask(s3: Any, operation: str = operation, named: dict[str, Any] = named) -> Any:
            return getattr(s3, operation)(**named)

        refused = await port.refused("s3", ask)
        assert (refused.status, refused.code) == (status, code), operation


async def test_what_sams_bucket_is_made_of(port: Port) -> None:
    """https://github.com/aws/aws-sam-cli (samcli/lib/bootstrap): versioning, encryption, tags and a policy."""
    policy = json.dumps({"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}]})
    tags = {"TagSet": [{"Key": "ManagedStackSource", "Value": "AwsSamCli"}]}
    date = datetime(2030, 1, 1, tzinfo=UTC)
    rules = [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "x"}, "Expiration": {"Date": date}}]

    def use(s3: Any) -> None:
        s3.create_bucket(Bucket="sams", CreateBucketConfiguration=HERE)
        s3.put_bucket_versioning(Bucket="sams", VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_policy(Bucket="sams", Policy=policy)
        s3.put_bucket_tagging(Bucket="sams", Tagging=tags)
        s3.put_bucket_lifecycle_configuration(Bucket="sams", LifecycleConfiguration={"Rules": rules})
        assert s3.get_bucket_policy(Bucket="sams")["Policy"] == policy
        assert s3.get_bucket_tagging(Bucket="sams")["TagSet"] == tags["TagSet"]
        assert s3.get_bucket_lifecycle_configuration(Bucket="sams")["Rules"] == rules
        assert s3.get_bucket_location(Bucket="sams")["LocationConstraint"] == "eu-west-1"
        first = s3.put_object(Bucket="sams", Key="k", Body=b"1", Tagging="a=b")
        s3.copy_object(Bucket="sams", Key="copy", CopySource={"Bucket": "sams", "Key": "k"})
        assert s3.get_object_tagging(Bucket="sams", Key="copy")["TagSet"] == [{"Key": "a", "Value": "b"}]
        s3.delete_objects(Bucket="sams", Delete={"Objects": [{"Key": "k"}, {"Key": "copy"}]})
        listed = s3.list_object_versions(Bucket="sams")
        assert first["VersionId"] in [one["VersionId"] for one in listed["Versions"]]
        assert len(listed["DeleteMarkers"]) == 2
        every = listed["Versions"] + listed["DeleteMarkers"]
        named = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in every]
        assert len(s3.delete_objects(Bucket="sams", Delete={"Objects": named})["Deleted"]) == 4
        s3.delete_bucket(Bucket="sams")

    await port.run("s3", use)


async def test_a_presigned_link(port: Port) -> None:
    def use(s3: Any) -> bytes:
        s3.create_bucket(Bucket="links", CreateBucketConfiguration=HERE)
        s3.put_object(Bucket="links", Key="a b", Body=b"hello")
        params = {"Bucket": "links", "Key": "a b", "ResponseContentType": "text/x"}
        link = s3.generate_presigned_url("get_object", Params=params)
        with urllib.request.urlopen(link, timeout=20) as answer:
            assert answer.headers["Content-Type"] == "text/x"
            return bytes(answer.read())

    assert await port.run("s3", use) == b"hello"


async def test_roles_and_who_asks(port: Port) -> None:
    def roles(iam: Any) -> str:
        role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
        assert role["AssumeRolePolicyDocument"] == TRUST
        iam.put_role_policy(
            RoleName="r",
            PolicyName="p",
            PolicyDocument=json.dumps({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}),
        )
        policy = iam.get_role_policy(RoleName="r", PolicyName="p")["PolicyDocument"]
        assert policy["Statement"][0]["Action"] == "*"
        iam.get_waiter("role_exists").wait(RoleName="r")
        for number in range(3):
            iam.create_role(RoleName=f"r{number}", AssumeRolePolicyDocument=json.dumps(TRUST))
        pages = iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 1})
        assert [one["RoleName"] for page in pages for one in page["Roles"]] == ["r", "r0", "r1", "r2"]
        return str(role["Arn"])

    arn = await port.run("iam", roles)

    def assume(sts: Any) -> str:
        assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/penstock"
        answer = sts.assume_role(RoleArn=arn, RoleSessionName="me")
        assert answer["Credentials"]["Expiration"] > datetime.now(UTC)
        return str(answer["AssumedRoleUser"]["Arn"])

    assert await port.run("sts", assume) == "arn:aws:sts::123456789012:assumed-role/r/me"
    refused = await port.refused("iam", lambda iam: iam.delete_role(RoleName="r"))
    assert (refused.status, refused.code) == (409, "DeleteConflict")


async def test_the_network(port: Port) -> None:
    def use(ec2: Any) -> None:
        default = [{"Name": "default-for-az", "Values": ["true"]}]
        subnets = ec2.describe_subnets(Filters=default)["Subnets"]
        assert [one["AvailabilityZone"] for one in subnets] == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
        group = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
        rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        (told,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        assert told["IpPermissions"][0]["IpRanges"] == [{"CidrIp": "0.0.0.0/0"}]
        ec2.create_tags(Resources=[group], Tags=[{"Key": "Name", "Value": "n"}])
        assert len(ec2.describe_tags()["Tags"]) == 1
        assert ec2.describe_instances()["Reservations"] == []

    await port.run("ec2", use)
    refused = await port.refused("ec2", lambda ec2: ec2.describe_subnets(SubnetIds=["subnet-1"]))
    assert (refused.code, refused.message) == ("InvalidSubnetID.NotFound", "The subnet ID 'subnet-1' does not exist")
