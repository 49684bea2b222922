"""The bounds of PutFunctionScalingConfig: read, and refused in AWS's words."""

import pytest

from penstock.control_plane.scaling_config import ScalingConfig, read_scaling_config
from penstock.invoke_api.refusal import RefusalError


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
def test_bad_bounds(config: object, error_type: str, text: str) -> None:
    with pytest.raises(RefusalError, match=text) as refused:
        read_scaling_config({"FunctionScalingConfig": config})
    assert (refused.value.status, refused.value.error_type) == (400, error_type)
