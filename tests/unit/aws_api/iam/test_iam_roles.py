"""Roles, the policies they have, and service-linked ones."""

import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest

from penstock.aws_api.iam import IamService
from penstock.aws_api.store import Store
from support.aws_calls import Calls
from support.clock import VirtualClock

_ASSUME = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [_ASSUME]})
POLICY = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}})
AWS_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


async def make(iam: Calls, name: str = "role", **params: object) -> dict[str, object]:
    answer = await iam("CreateRole", RoleName=name, AssumeRolePolicyDocument=TRUST, **params)
    role: dict[str, object] = answer["Role"]
    return role


async def test_a_role_is_made_and_found(iam: Calls) -> None:
    tags = [{"Key": "lambda:createdBy", "Value": "SAM"}]
    made = await make(iam, Path="/team/", Description="d", Tags=tags)
    assert made["Arn"] == "arn:aws:iam::123456789012:role/team/role"
    assert str(made["RoleId"]).startswith("AROA")
    assert len(str(made["RoleId"])) == 21
    assert made["CreateDate"] == datetime.fromtimestamp(1_700_000_000, UTC)
    assert unquote(str(made["AssumeRolePolicyDocument"])) == TRUST
    assert made["AssumeRolePolicyDocument"] != TRUST, "answers have it URL-encoded"
    found = (await iam("GetRole", RoleName="ROLE"))["Role"]
    assert found == made | {"RoleLastUsed": {}}
    assert found["Tags"] == tags
    refused = await iam.refused("CreateRole", RoleName="Role", AssumeRolePolicyDocument=TRUST)
    assert (refused.code, refused.status) == ("EntityAlreadyExists", 409)
    assert refused.message == "Role with name Role already exists."


async def test_roles_survive(tmp_path: Path) -> None:
    store = Store(tmp_path)
    await make(Calls(IamService(store, VirtualClock())))
    store.close()
    store = Store(tmp_path)
    iam = Calls(IamService(store, VirtualClock()))
    assert (await iam("GetRole", RoleName="role"))["Role"]["RoleName"] == "role"
    other = Calls(iam.service, account_id="210987654321")
    assert (await other.refused("GetRole", RoleName="role")).code == "NoSuchEntity"
    store.close()


async def test_a_role_that_is_not_there(iam: Calls) -> None:
    for operation, params in (
        ("GetRole", {}),
        ("DeleteRole", {}),
        ("ListRolePolicies", {}),
        ("AttachRolePolicy", {"PolicyArn": AWS_POLICY}),
    ):
        refused = await iam.refused(operation, RoleName="none", **params)
        assert (refused.code, refused.status) == ("NoSuchEntity", 404)
        assert refused.message == "The role with name none cannot be found."


async def test_what_a_role_may_be_called(iam: Calls) -> None:
    """Services call each other without the door, which would have looked at it."""
    for name in ("x" * 65, "a b", "a/b"):
        call = iam.service.operations["CreateRole"]
        refused = await iam.refused("CreateRole", RoleName=name, AssumeRolePolicyDocument=TRUST)
        assert refused.code == "ValidationError", call
    refused = await iam.refused("CreateRole", RoleName="r", Path="team", AssumeRolePolicyDocument=TRUST)
    assert refused.code == "ValidationError"


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("not json", "This policy contains invalid Json"),
        ("[]", "Syntax errors in policy."),
        ("{}", "Syntax errors in policy."),
        ('{"Version": "2020-01-01", "Statement": [{}]}', "Syntax errors in policy."),
        (json.dumps({"Statement": [_ASSUME | {"Resource": "*"}]}), "Has prohibited field Resource"),
        (json.dumps({"Statement": [{"Effect": "Allow", "Action": "a"}]}), "Missing required field Principal"),
        (json.dumps({"Statement": [_ASSUME | {"Effect": "allow"}]}), "Syntax errors in policy."),
        ("[" * 100_000, "This policy contains invalid Json"),
    ],
)
async def test_a_trust_policy_that_is_none(iam: Calls, document: str, text: str) -> None:
    refused = await iam.refused("CreateRole", RoleName="r", AssumeRolePolicyDocument=document)
    assert (refused.code, refused.status, refused.message) == ("MalformedPolicyDocument", 400, text)
    await make(iam)
    refused = await iam.refused("UpdateAssumeRolePolicy", RoleName="role", PolicyDocument=document)
    assert refused.code == "MalformedPolicyDocument"


async def test_a_trust_policy_has_a_size(iam: Calls) -> None:
    long = json.dumps({"Statement": [_ASSUME | {"Sid": "x" * 2048}]})
    refused = await iam.refused("CreateRole", RoleName="r", AssumeRolePolicyDocument=long)
    assert (refused.code, refused.status) == ("LimitExceeded", 409)


async def test_roles_are_listed_a_page_at_a_time(iam: Calls) -> None:
    for number in range(5):
        await make(iam, f"r{number}", Path="/a/" if number % 2 else "/", Tags=[{"Key": "k", "Value": "v"}])
    first = await iam("ListRoles", MaxItems=3)
    assert [role["RoleName"] for role in first["Roles"]] == ["r0", "r1", "r2"]
    assert first["IsTruncated"] is True
    assert "Tags" not in first["Roles"][0]
    second = await iam("ListRoles", MaxItems=3, Marker=first["Marker"])
    assert [role["RoleName"] for role in second["Roles"]] == ["r3", "r4"]
    assert (second["IsTruncated"], "Marker" in second) == (False, False)
    found = await iam("ListRoles", PathPrefix="/a/")
    assert [role["RoleName"] for role in found["Roles"]] == ["r1", "r3"]
    assert (await iam.refused("ListRoles", Marker="%%%")).code == "ValidationError"


async def test_a_role_is_changed(iam: Calls) -> None:
    await make(iam)
    await iam("UpdateRole", RoleName="role", Description="new", MaxSessionDuration=7200)
    answer = await iam("UpdateRoleDescription", RoleName="role", Description="newer")
    assert answer["Role"]["Description"] == "newer"
    other = json.dumps({"Statement": [_ASSUME | {"Sid": "s"}]})
    await iam("UpdateAssumeRolePolicy", RoleName="role", PolicyDocument=other)
    role = (await iam("GetRole", RoleName="role"))["Role"]
    assert (role["MaxSessionDuration"], unquote(role["AssumeRolePolicyDocument"])) == (7200, other)
    refused = await iam.refused("UpdateRole", RoleName="role", MaxSessionDuration=43_201)
    assert refused.code == "ValidationError"


async def test_tags(iam: Calls) -> None:
    await make(iam, Tags=[{"Key": "a", "Value": "1"}])
    await iam("TagRole", RoleName="role", Tags=[{"Key": "A", "Value": "2"}, {"Key": "b", "Value": ""}])
    tags = (await iam("ListRoleTags", RoleName="role"))["Tags"]
    assert tags == [{"Key": "A", "Value": "2"}, {"Key": "b", "Value": ""}], "keys are not told apart by case"
    await iam("UntagRole", RoleName="role", TagKeys=["a"])
    assert (await iam("ListRoleTags", RoleName="role"))["Tags"] == tags[1:]
    many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    assert (await iam.refused("TagRole", RoleName="role", Tags=many)).code == "LimitExceeded"
    assert (await iam.refused("TagRole", RoleName="role", Tags=[{"Key": "aws:x", "Value": ""}])).code == "InvalidInput"
    twice = [{"Key": "x", "Value": ""}, {"Key": "X", "Value": ""}]
    assert (await iam.refused("TagRole", RoleName="role", Tags=twice)).code == "InvalidInput"


async def test_inline_policies(iam: Calls) -> None:
    await make(iam)
    await iam("PutRolePolicy", RoleName="role", PolicyName="p", PolicyDocument=POLICY)
    found = await iam("GetRolePolicy", RoleName="role", PolicyName="p")
    assert unquote(found["PolicyDocument"]) == POLICY
    assert (await iam("ListRolePolicies", RoleName="role"))["PolicyNames"] == ["p"]
    refused = await iam.refused("DeleteRole", RoleName="role")
    assert (refused.code, refused.status) == ("DeleteConflict", 409)
    assert refused.message == "Cannot delete entity, must delete policies first."
    await iam("DeleteRolePolicy", RoleName="role", PolicyName="p")
    refused = await iam.refused("DeleteRolePolicy", RoleName="role", PolicyName="p")
    assert refused.message == "The role policy with name p cannot be found."
    assert (await iam.refused("GetRolePolicy", RoleName="role", PolicyName="p")).code == "NoSuchEntity"
    await iam("DeleteRole", RoleName="role")
    assert (await iam("ListRoles"))["Roles"] == []


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("{", "Syntax errors in policy."),
        ('{"Statement": []}', "Syntax errors in policy."),
        ('{"Statement": {"Effect": "Allow", "Resource": "*"}}', "Policy statement must contain actions."),
        ('{"Statement": {"Effect": "Allow", "Action": "*"}}', "Policy statement must contain resources."),
        (TRUST, "Policy document should not specify a principal."),
    ],
)
async def test_a_policy_that_is_none(iam: Calls, document: str, text: str) -> None:
    await make(iam)
    refused = await iam.refused("PutRolePolicy", RoleName="role", PolicyName="p", PolicyDocument=document)
    assert (refused.code, refused.message) == ("MalformedPolicyDocument", text)


async def test_inline_policies_have_a_size_together(iam: Calls) -> None:
    await make(iam)
    long = json.dumps({"Statement": {"Effect": "Allow", "Action": "x" * 6000, "Resource": "*"}})
    await iam("PutRolePolicy", RoleName="role", PolicyName="p", PolicyDocument=long)
    refused = await iam.refused("PutRolePolicy", RoleName="role", PolicyName="q", PolicyDocument=long)
    assert refused.code == "LimitExceeded"
    await iam("PutRolePolicy", RoleName="role", PolicyName="p", PolicyDocument=long)


async def test_attached_policies(iam: Calls) -> None:
    await make(iam)
    for _ in range(2):
        await iam("AttachRolePolicy", RoleName="role", PolicyArn=AWS_POLICY)
    attached = await iam("ListAttachedRolePolicies", RoleName="role")
    assert attached["AttachedPolicies"] == [{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": AWS_POLICY}]
    attached = await iam("ListAttachedRolePolicies", RoleName="role", PathPrefix="/other/")
    assert attached["AttachedPolicies"] == []
    none = "arn:aws:iam::123456789012:policy/none"
    refused = await iam.refused("AttachRolePolicy", RoleName="role", PolicyArn=none)
    assert refused.message == f"Policy {none} does not exist or is not attachable."
    refused = await iam.refused("DeleteRole", RoleName="role")
    assert refused.message == "Cannot delete entity, must detach all policies first."
    await iam("DetachRolePolicy", RoleName="role", PolicyArn=AWS_POLICY)
    assert (await iam.refused("DetachRolePolicy", RoleName="role", PolicyArn=AWS_POLICY)).code == "NoSuchEntity"
    await iam("ListInstanceProfilesForRole", RoleName="role")
    await iam("DeleteRole", RoleName="role")


async def test_how_many_can_be_attached(iam: Calls) -> None:
    await make(iam)
    for number in range(10):
        await iam("AttachRolePolicy", RoleName="role", PolicyArn=f"arn:aws:iam::aws:policy/P{number}")
    refused = await iam.refused("AttachRolePolicy", RoleName="role", PolicyArn="arn:aws:iam::aws:policy/P10")
    assert (refused.code, refused.message) == ("LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10")


async def test_a_permissions_boundary(iam: Calls) -> None:
    role = await make(iam, PermissionsBoundary="arn:aws:iam::aws:policy/PowerUserAccess")
    told = {
        "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
        "PermissionsBoundaryArn": "arn:aws:iam::aws:policy/PowerUserAccess",
    }
    assert role["PermissionsBoundary"] == told
    await iam("DeleteRolePermissionsBoundary", RoleName="role")
    assert "PermissionsBoundary" not in (await iam("GetRole", RoleName="role"))["Role"]
    refused = await iam.refused("PutRolePermissionsBoundary", RoleName="role", PermissionsBoundary="x" * 20)
    assert refused.code == "NoSuchEntity"


async def test_service_linked_roles(iam: Calls) -> None:
    role = (await iam("CreateServiceLinkedRole", AWSServiceName="lambda.amazonaws.com"))["Role"]
    assert role["Arn"].endswith(":role/aws-service-role/lambda.amazonaws.com/AWSServiceRoleForLambda")
    assert "lambda.amazonaws.com" in unquote(role["AssumeRolePolicyDocument"])
    refused = await iam.refused("CreateServiceLinkedRole", AWSServiceName="lambda.amazonaws.com")
    assert refused.code == "InvalidInput"
    refused = await iam.refused("DeleteRole", RoleName="AWSServiceRoleForLambda")
    assert refused.code == "UnmodifiableEntity"
    await make(iam)
    assert (await iam.refused("DeleteServiceLinkedRole", RoleName="role")).code == "NoSuchEntity"
    task = await iam("DeleteServiceLinkedRole", RoleName="AWSServiceRoleForLambda")
    assert await iam("GetServiceLinkedRoleDeletionStatus", **task) == {"Status": "SUCCEEDED"}
    assert (await iam.refused("GetRole", RoleName="AWSServiceRoleForLambda")).code == "NoSuchEntity"


async def test_the_one_user(iam: Calls) -> None:
    user = (await iam("GetUser"))["User"]
    assert user["UserName"] == "penstock"
    assert (await iam("ListUsers"))["Users"] == [user]
    assert (await iam("ListUsers", PathPrefix="/x/"))["Users"] == []
    assert (await iam("ListAccountAliases"))["AccountAliases"] == []
    refused = await iam.refused("GetUser", UserName="ann")
    assert refused.message == "The user with name ann cannot be found."
