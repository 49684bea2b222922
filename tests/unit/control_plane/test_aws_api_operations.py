"""Method and path to operation, held against botocore's service model."""

import botocore.session
import pytest

from penstock.control_plane.aws_api.operations import OPERATIONS, Call, find_operation

MODEL = botocore.session.get_session().get_service_model("lambda")


def test_every_operation_named_is_one_of_lambda() -> None:
    assert set(MODEL.operation_names) >= OPERATIONS


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_the_path_of_an_operation_leads_to_it(name: str) -> None:
    http = MODEL.operation_model(name).http
    path = http["requestUri"].replace("{", "%7B").replace("}", "%7D")
    call = find_operation(http["method"], path)
    assert call is not None
    assert call.operation == name
    # Each label was found where it stands in the model.
    assert all(value == f"{{{label}}}" for label, value in call.labels.items())
    assert len(call.labels) == path.count("%7B")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("PUT", "/2015-03-31/functions"),
        ("get", "/2015-03-31/functions"),
        ("GET", "/2015-03-31/functions//configuration"),
        ("GET", "/2015-03-31/function"),
        ("GET", "2015-03-31/functions"),
        ("GET", "//2015-03-31/functions"),
        ("GET", "/2015-03-31/functions/a/b/c/d/e"),
        ("GET", "http://localhost/2015-03-31/functions"),
        ("GET", "*"),
        ("GET", ""),
        ("GET", "/"),
    ],
)
def test_other_paths_are_no_operation(method: str, target: str) -> None:
    assert find_operation(method, target) is None


def test_a_slash_at_the_end_is_no_matter() -> None:
    assert find_operation("GET", "/2015-03-31/functions/app/") == Call("GetFunction", {"FunctionName": "app"}, {})


def test_labels_and_query_are_decoded_once() -> None:
    arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aapp"
    call = find_operation("GET", f"/2015-03-31/functions/{arn}/aliases/a%252Fb?Qualifier=%24LATEST&Marker=a%2Bb&x=")
    assert call == Call(
        "GetAlias",
        {"FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:app", "Name": "a%2Fb"},
        {"Qualifier": "$LATEST", "Marker": "a+b", "x": ""},
    )


def test_a_fixed_part_of_the_query_makes_another_operation() -> None:
    plain = find_operation("GET", "/2018-10-31/layers?Arn=x")
    by_arn = find_operation("GET", "/2018-10-31/layers?find=LayerVersion&Arn=x")
    assert plain is not None
    assert by_arn is not None
    assert (plain.operation, by_arn.operation) == ("ListLayers", "GetLayerVersionByArn")
