"""Who asks, and temporary keys."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.aws_api.iam import IamService
from penstock.aws_api.service import Dispatcher
from penstock.aws_api.store import Store
from penstock.aws_api.sts import StsService
from penstock.wire.sigv4 import Key
from support.aws_calls import Calls
from support.clock import VirtualClock

ROLE = "arn:aws:iam::123456789012:role/team/deployer"
TRUST = (
    '{"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'
)
OTHER = Key(access_key_id="AKIAOTHER", secret_access_key="s", account_id="123456789012", user="ann")


class Rig:
    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.clock = VirtualClock()
        dispatcher = Dispatcher()
        self.sts = StsService(self.store, self.clock, dispatcher, {OTHER.access_key_id: OTHER})
        iam = IamService(self.store, self.clock)
        dispatcher.add(self.sts)
        dispatcher.add(iam)
        self.iam = Calls(iam)
        self.calls = Calls(self.sts)

    def of(self, access_key_id: str) -> Calls:
        return Calls(self.sts, access_key_id=access_key_id)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    await rig.iam("CreateRole", RoleName="deployer", Path="/team/", AssumeRolePolicyDocument=TRUST)
    yield rig
    rig.store.close()


async def test_every_key_is_a_user_of_the_account(rig: Rig) -> None:
    who = await rig.calls("GetCallerIdentity")
    assert (who["Account"], who["Arn"]) == ("123456789012", "arn:aws:iam::123456789012:user/penstock")
    assert who["UserId"].startswith("AIDA")
    user = (await rig.iam("GetUser"))["User"]
    assert (user["Arn"], user["UserId"]) == (who["Arn"], who["UserId"])
    who = await rig.of("AKIAOTHER")("GetCallerIdentity")
    assert who["Arn"] == "arn:aws:iam::123456789012:user/ann"


async def test_a_role_is_assumed(rig: Rig) -> None:
    answer = await rig.calls("AssumeRole", RoleArn=ROLE, RoleSessionName="me", SourceIdentity="ann")
    arn = "arn:aws:sts::123456789012:assumed-role/deployer/me"
    assert answer["AssumedRoleUser"]["Arn"] == arn
    assert answer["SourceIdentity"] == "ann"
    keys = answer["Credentials"]
    assert keys["Expiration"] == datetime.fromtimestamp(rig.clock.epoch() + 3600, UTC)
    role = (await rig.iam("GetRole", RoleName="deployer"))["Role"]
    who = await rig.of(keys["AccessKeyId"])("GetCallerIdentity")
    assert who == {"Account": "123456789012", "Arn": arn, "UserId": f"{role['RoleId']}:me"}
    refused = await rig.of(keys["AccessKeyId"]).refused("GetSessionToken")
    assert refused.code == "AccessDenied"


async def test_temporary_keys_can_sign_until_they_expire(rig: Rig) -> None:
    answer = await rig.calls("AssumeRole", RoleArn=ROLE, RoleSessionName="me", DurationSeconds=900)
    keys = answer["Credentials"]
    key = rig.sts.sessions[keys["AccessKeyId"]]
    assert (key.secret_access_key, key.session_token) == (keys["SecretAccessKey"], keys["SessionToken"])
    assert keys["SecretAccessKey"] not in repr(key)
    assert list(rig.sts.sessions) == ["AKIAOTHER", keys["AccessKeyId"]]
    rig.clock.advance(900)
    assert rig.sts.sessions.get(keys["AccessKeyId"]) is None
    assert dict(rig.sts.sessions) == {"AKIAOTHER": OTHER}
    await rig.sts.start()
    assert rig.store.table("sts.session").items() == []


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::123456789012:role/none",
        "arn:aws:iam::123456789012:role/deployer",
        "arn:aws:iam::210987654321:role/team/deployer",
        "not an arn at all, but long enough",
    ],
)
async def test_a_role_that_is_not_there(rig: Rig, arn: str) -> None:
    refused = await rig.calls.refused("AssumeRole", RoleArn=arn, RoleSessionName="me")
    assert (refused.code, refused.status) == ("AccessDenied", 403)
    user = "arn:aws:iam::123456789012:user/penstock"
    assert refused.message == f"User: {user} is not authorized to perform: sts:AssumeRole on resource: {arn}"


async def test_how_long_a_session_may_be(rig: Rig) -> None:
    refused = await rig.calls.refused("AssumeRole", RoleArn=ROLE, RoleSessionName="me", DurationSeconds=7200)
    assert "exceeds the MaxSessionDuration set for this role" in refused.message
    await rig.iam("UpdateRole", RoleName="deployer", MaxSessionDuration=7200)
    await rig.calls("AssumeRole", RoleArn=ROLE, RoleSessionName="me", DurationSeconds=7200)
    refused = await rig.calls.refused("AssumeRole", RoleArn=ROLE, RoleSessionName="a b")
    assert refused.code == "ValidationError"


async def test_a_session_token_is_of_the_same_user(rig: Rig) -> None:
    keys = (await rig.of("AKIAOTHER")("GetSessionToken"))["Credentials"]
    who = await rig.of(keys["AccessKeyId"])("GetCallerIdentity")
    assert who["Arn"] == "arn:aws:iam::123456789012:user/ann"


async def test_the_account_of_a_key(rig: Rig) -> None:
    assert await rig.calls("GetAccessKeyInfo", AccessKeyId="AKIAIOSFODNN7EXAMPLE") == {"Account": "123456789012"}
