"""PutFunctionScalingConfig and its neighbours: bounds read, refused in AWS's words, and shown."""

from dataclasses import dataclass, field
from pathlib import Path

import botocore.session
import orjson
import pytest

from penstock.control_plane.aws_api.lambda_api import LambdaApi
from penstock.control_plane.aws_api.operations import Call
from penstock.control_plane.registry import Registry
from penstock.control_plane.scaling_config import ScalingConfig, read_scaling_config
from penstock.invoke_api.refusal import RefusalError
from penstock.router import Router
from support.functions import CAPACITY_PROVIDER, function

ARN = "arn:aws:lambda:us-east-1:123456789012:function:app"
MODEL = botocore.session.get_session().get_service_model("lambda")


@dataclass
class Bounds:
    state: str = "Active"
    applied: ScalingConfig = field(default_factory=ScalingConfig)
    requested: ScalingConfig | None = None

    def put(self, config: ScalingConfig) -> None:
        self.requested = config


@pytest.fixture
def bounds() -> Bounds:
    return Bounds()


@pytest.fixture
def api(bounds: Bounds) -> LambdaApi:
    registry = Registry()
    registry.add(function(Path("/code")), Router(), url=None, code_sha256="x", code_size=1, last_modified=0.0)
    registry.add_scalable("app", bounds)
    return LambdaApi(registry, "us-east-1", "123456789012")


def call(operation: str, qualifier: str | None = "1", body: object = None) -> Call:
    query = {} if qualifier is None else {"Qualifier": qualifier}
    return Call(operation, {"FunctionName": "app"}, query, b"" if body is None else orjson.dumps(body))


def put(config: object) -> Call:
    return call("PutFunctionScalingConfig", body={"FunctionScalingConfig": config})


def test_bounds_are_put_and_seen_until_they_are_reached(api: LambdaApi, bounds: Bounds) -> None:
    wanted = put({"MinExecutionEnvironments": 2, "MaxExecutionEnvironments": 6})
    assert (wanted.status, api.answer(wanted)) == (202, {"FunctionState": "Active"})
    found = api.answer(call("GetFunctionScalingConfig", "$LATEST.PUBLISHED"))
    assert found == {
        "FunctionArn": f"{ARN}:1",
        "AppliedFunctionScalingConfig": {"MinExecutionEnvironments": 3},
        "RequestedFunctionScalingConfig": {"MinExecutionEnvironments": 2, "MaxExecutionEnvironments": 6},
    }
    output = MODEL.operation_model("GetFunctionScalingConfig").output_shape
    assert output is not None
    assert set(found) == set(output.members)
    assert bounds.requested == ScalingConfig(2, 6)


def test_what_is_left_out_falls_back() -> None:
    assert read_scaling_config({}) == ScalingConfig(3, None)
    assert read_scaling_config({"FunctionScalingConfig": {"MaxExecutionEnvironments": 9}}) == ScalingConfig(3, 9)
    zero = {"MinExecutionEnvironments": 0, "MaxExecutionEnvironments": 0}
    assert read_scaling_config({"FunctionScalingConfig": zero}) == ScalingConfig(0, 0)


@pytest.mark.parametrize(
    ("config", "error_type", "text"),
    [
        ({"MinExecutionEnvironments": -1}, "ValidationException", "greater than or equal to 0"),
        ({"MaxExecutionEnvironments": 15_001}, "ValidationException", "less than or equal to 15000"),
        ({"MinExecutionEnvironments": 0}, "InvalidParameterValueException", "only together with"),
        (
            {"MinExecutionEnvironments": 5, "MaxExecutionEnvironments": 4},
            "InvalidParameterValueException",
            "at least MinExecutionEnvironments, which is 5",
        ),
        ({"MinExecutionEnvironments": "3"}, "SerializationException", "whole number"),
        ({"MinExecutionEnvironments": True}, "SerializationException", "whole number"),
        ([], "SerializationException", "must be an object"),
    ],
)
def test_bad_bounds(api: LambdaApi, config: object, error_type: str, text: str) -> None:
    with pytest.raises(RefusalError, match=text) as refused:
        api.answer(put(config))
    assert (refused.value.status, refused.value.error_type) == (400, error_type)


def test_a_body_that_is_none(api: LambdaApi) -> None:
    with pytest.raises(RefusalError, match="not JSON"):
        api.answer(Call("PutFunctionScalingConfig", {"FunctionName": "app"}, {"Qualifier": "1"}, b"{"))


@pytest.mark.parametrize("qualifier", [None, "", "live", "$LATEST"])
def test_the_qualifier_must_name_a_version(api: LambdaApi, qualifier: str | None) -> None:
    with pytest.raises(RefusalError, match="'qualifier' failed to satisfy constraint"):
        api.answer(call("GetFunctionScalingConfig", qualifier))


def test_a_version_that_is_none(api: LambdaApi) -> None:
    with pytest.raises(RefusalError, match=f"Function not found: {ARN}:7"):
        api.answer(call("GetFunctionScalingConfig", "7"))


def test_the_versions_of_a_capacity_provider(api: LambdaApi) -> None:
    by_name = Call("ListFunctionVersionsByCapacityProvider", {"CapacityProviderName": "capacity"})
    assert api.answer(by_name) == {
        "CapacityProviderArn": CAPACITY_PROVIDER.arn,
        "FunctionVersions": [{"FunctionArn": f"{ARN}:1", "State": "Active"}],
    }
    with pytest.raises(RefusalError, match="Capacity provider not found"):
        api.answer(Call("ListFunctionVersionsByCapacityProvider", {"CapacityProviderName": "other"}))
