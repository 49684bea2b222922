"""Managed policies and their versions."""

import json
from urllib.parse import unquote

from support.aws_calls import Calls


def document(action: str = "s3:*") -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}})


ARN = "arn:aws:iam::123456789012:policy/team/p"
TRUST = json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}})
AWS_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


async def make(iam: Calls) -> dict[str, object]:
    answer = await iam("CreatePolicy", PolicyName="p", Path="/team/", PolicyDocument=document(), Description="d")
    policy: dict[str, object] = answer["Policy"]
    return policy


async def test_a_policy_is_made_and_found(iam: Calls) -> None:
    made = await make(iam)
    assert (made["Arn"], made["DefaultVersionId"], made["AttachmentCount"]) == (ARN, "v1", 0)
    found = (await iam("GetPolicy", PolicyArn=ARN))["Policy"]
    assert found == made | {"Description": "d"}
    version = (await iam("GetPolicyVersion", PolicyArn=ARN, VersionId="v1"))["PolicyVersion"]
    assert (unquote(version["Document"]), version["IsDefaultVersion"]) == (document(), True)
    refused = await iam.refused("CreatePolicy", PolicyName="P", PolicyDocument=document())
    assert (refused.code, refused.status) == ("EntityAlreadyExists", 409)
    other = "arn:aws:iam::123456789012:policy/p"
    refused = await iam.refused("GetPolicy", PolicyArn=other)
    assert refused.message == f"Policy {other} was not found."


async def test_versions(iam: Calls) -> None:
    await make(iam)
    for number in range(2, 6):
        made = await iam(
            "CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=document(f"s3:{number}"), SetAsDefault=number == 2
        )
        assert made["PolicyVersion"]["VersionId"] == f"v{number}"
    refused = await iam.refused("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=document())
    assert (refused.code, refused.status) == ("LimitExceeded", 409)
    assert (await iam("GetPolicy", PolicyArn=ARN))["Policy"]["DefaultVersionId"] == "v2"
    await iam("SetDefaultPolicyVersion", PolicyArn=ARN, VersionId="v5")
    refused = await iam.refused("DeletePolicyVersion", PolicyArn=ARN, VersionId="v5")
    assert (refused.code, refused.message) == ("DeleteConflict", "Cannot delete the default version of a policy.")
    await iam("DeletePolicyVersion", PolicyArn=ARN, VersionId="v4")
    made = await iam("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=document())
    assert made["PolicyVersion"]["VersionId"] == "v6", "a number is not given out twice"
    listed = (await iam("ListPolicyVersions", PolicyArn=ARN))["Versions"]
    assert [one["VersionId"] for one in listed] == ["v6", "v5", "v3", "v2", "v1"]
    refused = await iam.refused("DeletePolicy", PolicyArn=ARN)
    assert (refused.code, "more than one version" in refused.message) == ("DeleteConflict", True)
    for version in ("v6", "v3", "v2", "v1"):
        await iam("DeletePolicyVersion", PolicyArn=ARN, VersionId=version)
    await iam("DeletePolicy", PolicyArn=ARN)
    assert (await iam.refused("GetPolicyVersion", PolicyArn=ARN, VersionId="v5")).code == "NoSuchEntity"


async def test_who_has_it(iam: Calls) -> None:
    await make(iam)
    role = (await iam("CreateRole", RoleName="role", AssumeRolePolicyDocument=TRUST))["Role"]
    await iam("AttachRolePolicy", RoleName="role", PolicyArn=ARN)
    await iam("AttachRolePolicy", RoleName="role", PolicyArn=AWS_POLICY)
    entities = await iam("ListEntitiesForPolicy", PolicyArn=ARN)
    assert entities["PolicyRoles"] == [{"RoleName": "role", "RoleId": role["RoleId"]}]
    assert (await iam("ListEntitiesForPolicy", PolicyArn=ARN, EntityFilter="User"))["PolicyRoles"] == []
    assert (await iam("GetPolicy", PolicyArn=ARN))["Policy"]["AttachmentCount"] == 1
    refused = await iam.refused("DeletePolicy", PolicyArn=ARN)
    assert refused.message == "Cannot delete a policy attached to entities."
    names = [one["PolicyName"] for one in (await iam("ListPolicies"))["Policies"]]
    assert names == ["p", "AWSLambdaBasicExecutionRole"]
    assert [one["Arn"] for one in (await iam("ListPolicies", Scope="Local"))["Policies"]] == [ARN]
    assert [one["Arn"] for one in (await iam("ListPolicies", Scope="AWS"))["Policies"]] == [AWS_POLICY]
    await iam("DetachRolePolicy", RoleName="role", PolicyArn=ARN)
    assert (await iam("ListPolicies", Scope="Local", OnlyAttached=True))["Policies"] == []
    await iam("PutRolePermissionsBoundary", RoleName="role", PermissionsBoundary=ARN)
    assert (await iam.refused("DeletePolicy", PolicyArn=ARN)).code == "DeleteConflict"


async def test_policies_of_aws(iam: Calls) -> None:
    policy = (await iam("GetPolicy", PolicyArn=AWS_POLICY))["Policy"]
    assert (policy["PolicyName"], policy["Path"]) == ("AWSLambdaBasicExecutionRole", "/service-role/")
    assert (await iam.refused("DeletePolicy", PolicyArn=AWS_POLICY)).code == "NoSuchEntity"


async def test_a_policy_has_a_size_and_tags(iam: Calls) -> None:
    refused = await iam.refused("CreatePolicy", PolicyName="p", PolicyDocument=document("x" * 6144))
    assert (refused.code, refused.message) == ("LimitExceeded", "Cannot exceed quota for PolicySize: 6144")
    await make(iam)
    await iam("TagPolicy", PolicyArn=ARN, Tags=[{"Key": "a", "Value": "1"}])
    assert (await iam("ListPolicyTags", PolicyArn=ARN))["Tags"] == [{"Key": "a", "Value": "1"}]
    await iam("UntagPolicy", PolicyArn=ARN, TagKeys=["a"])
    assert (await iam("ListPolicyTags", PolicyArn=ARN))["Tags"] == []
