"""Lambda's read operations: every answer held against the output shape in botocore's service model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from penstock.control_plane.aws_api.lambda_api import LambdaApi
from penstock.control_plane.aws_api.operations import Call
from penstock.control_plane.registry import LATEST, LATEST_PUBLISHED, Registry
from penstock.invoke_api.refusal import RefusalError
from penstock.model.function import AuthType, Cors, Function, FunctionUrlConfig, InvokeMode, LayerVersion
from penstock.router import Router
from support.functions import CAPACITY_PROVIDER, function

MODEL = botocore.session.get_session().get_service_model("lambda")
ARN = "arn:aws:lambda:us-east-1:123456789012:function:app"
URL = "http://127.0.0.1:8080/"
ELSEWHERE = "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:capacity"
# 2026-11-23T10:20:30.456789Z
NOW = 1_795_429_230.456789

PLAIN = function(Path("/code"))
FULL = replace(
    PLAIN,
    url=FunctionUrlConfig(
        AuthType.NONE,
        InvokeMode.RESPONSE_STREAM,
        Cors(True, ("x-one",), ("GET", "POST"), ("https://*.example",), ("x-two",), 60),
    ),
    layers=(LayerVersion("arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86:26"),),
    log_level="DEBUG",
    log_group="/logs",
    dead_letter_arn="arn:aws:sqs:us-east-1:123456789012:dead",
    description="An app",
    role="arn:aws:iam::123456789012:role/app",
    capacity_provider=replace(
        CAPACITY_PROVIDER,
        subnet_ids=("subnet-1",),
        security_group_ids=("sg-1",),
        scaling_mode="Manual",
        target_cpu_utilization=70.0,
        allowed_instance_types=("m7*",),
    ),
)


def check(shape: Shape, value: object, where: str = "") -> None:
    """`value` is what the shape allows: members known, required ones there, types and enumerations right."""
    if isinstance(shape, StructureShape):
        assert isinstance(value, Mapping), where
        assert set(value) <= set(shape.members), where
        assert set(shape.required_members) <= set(value), where
        for name, member in value.items():
            check(shape.members[name], member, f"{where}.{name}")
    elif isinstance(shape, ListShape):
        assert isinstance(value, Sequence), where
        assert not isinstance(value, str), where
        for item in value:
            check(shape.member, item, f"{where}[]")
    elif isinstance(shape, MapShape):
        assert isinstance(value, Mapping), where
        for item in value.values():
            check(shape.value, item, f"{where}{{}}")
    else:
        _check_scalar(shape, value, where)


def _check_scalar(shape: Shape, value: object, where: str) -> None:
    types: dict[str, tuple[type, ...]] = {"string": (str,), "boolean": (bool,), "double": (float, int)}
    allowed = types.get(shape.type_name, (int,))
    assert isinstance(value, allowed), where
    if bool not in allowed:
        assert not isinstance(value, bool), where
    if isinstance(shape, StringShape) and shape.enum:
        assert value in shape.enum, where


def lambda_api(*functions: Function, url: str | None = URL) -> LambdaApi:
    registry = Registry()
    for made in functions:
        registry.add(made, Router(), url=url, code_sha256="c2hhMjU2", code_size=4096, last_modified=NOW)
    return LambdaApi(registry, "us-east-1", "123456789012")


API = lambda_api(FULL)


def ask(
    operation: str, labels: Mapping[str, str] | None = None, api: LambdaApi = API, /, **query: str
) -> dict[str, object]:
    """The answer, after it was held against the model."""
    value = api.answer(Call(operation, labels or {}, query))
    shape = MODEL.operation_model(operation).output_shape
    assert shape is not None
    check(shape, value, operation)
    return dict(value)


def refused(operation: str, labels: Mapping[str, str] | None = None, api: LambdaApi = API, /, **query: str) -> str:
    """Status, error type and message; the type is one the model knows for the operation, or common to all."""
    with pytest.raises(RefusalError) as caught:
        api.answer(Call(operation, labels or {}, query))
    error = caught.value
    modelled = {shape.name for shape in MODEL.operation_model(operation).error_shapes}
    assert error.error_type in modelled | {"ValidationException", "SerializationException", "NotImplementedException"}
    return f"{error.status} {error.error_type}: {error.message}"


APP = {"FunctionName": "app"}


# --- functions ---


@pytest.mark.parametrize("made", [PLAIN, FULL, replace(FULL, alias=None, version=LATEST_PUBLISHED)])
@pytest.mark.parametrize("operation", ["GetFunction", "GetFunctionConfiguration"])
def test_a_function_is_described_in_its_shape(operation: str, made: Function) -> None:
    ask(operation, APP, lambda_api(made))


def test_every_member_of_a_configuration() -> None:
    configuration = ask("GetFunctionConfiguration", APP, Qualifier="live")
    revision = configuration.pop("RevisionId")
    assert configuration == {
        "FunctionName": "app",
        "FunctionArn": f"{ARN}:live",
        "Runtime": "python3.13",
        "Role": "arn:aws:iam::123456789012:role/app",
        "Handler": "run.sh",
        "CodeSize": 4096,
        "Description": "An app",
        "Timeout": 3,
        "MemorySize": 2048,
        "LastModified": "2026-11-23T10:20:30.456+0000",
        "CodeSha256": "c2hhMjU2",
        "Version": "1",
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:dead"},
        "Environment": {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap"}},
        "TracingConfig": {"Mode": "PassThrough"},
        "Layers": [{"Arn": "arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerX86:26"}],
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "LoggingConfig": {
            "LogFormat": "JSON",
            "ApplicationLogLevel": "DEBUG",
            "SystemLogLevel": "INFO",
            "LogGroup": "/logs",
        },
        "CapacityProviderConfig": {
            "LambdaManagedInstancesCapacityProviderConfig": {
                "CapacityProviderArn": CAPACITY_PROVIDER.arn,
                "PerExecutionEnvironmentMaxConcurrency": 64,
                "ExecutionEnvironmentMemoryGiBPerVCpu": 2.0,
            }
        },
    }
    assert revision == ask("GetFunctionConfiguration", APP, Qualifier="live")["RevisionId"]
    assert revision != ask("GetFunctionConfiguration", APP)["RevisionId"]


@pytest.mark.parametrize(
    ("label", "qualifier", "arn", "version", "state"),
    [
        ("app", None, ARN, LATEST, "ActiveNonInvocable"),
        ("app", LATEST, f"{ARN}:{LATEST}", LATEST, "ActiveNonInvocable"),
        ("app", "1", f"{ARN}:1", "1", "Active"),
        ("app", "live", f"{ARN}:live", "1", "Active"),
        ("app:live", None, f"{ARN}:live", "1", "Active"),
        (f"{ARN}:1", "1", f"{ARN}:1", "1", "Active"),
        (ARN, "live", f"{ARN}:live", "1", "Active"),
        ("123456789012:function:app", None, ARN, LATEST, "ActiveNonInvocable"),
        ("app", LATEST_PUBLISHED, f"{ARN}:{LATEST_PUBLISHED}", LATEST_PUBLISHED, "Active"),
    ],
)
def test_what_a_name_and_a_qualifier_show(
    label: str, qualifier: str | None, arn: str, version: str, state: str
) -> None:
    query = {"Qualifier": qualifier} if qualifier else {}
    shown = ask("GetFunctionConfiguration", {"FunctionName": label}, **query)
    assert (shown["FunctionArn"], shown["Version"], shown["State"]) == (arn, version, state)
    assert ask("GetFunction", {"FunctionName": label}, **query)["Configuration"] == shown


@pytest.mark.parametrize(
    "operation", ["GetFunction", "GetFunctionConfiguration", "ListAliases", "ListVersionsByFunction"]
)
@pytest.mark.parametrize(
    ("label", "arn"),
    [
        ("none", "arn:aws:lambda:us-east-1:123456789012:function:none"),
        ("none:live", "arn:aws:lambda:us-east-1:123456789012:function:none:live"),
        (ARN.replace("us-east-1", "eu-west-1"), "arn:aws:lambda:eu-west-1:123456789012:function:app"),
        (ARN.replace("123456789012", "210987654321"), "arn:aws:lambda:us-east-1:210987654321:function:app"),
    ],
)
def test_a_function_that_is_not_there(operation: str, label: str, arn: str) -> None:
    told = refused(operation, {"FunctionName": label})
    assert told == f"404 ResourceNotFoundException: Function not found: {arn}"


@pytest.mark.parametrize("operation", ["GetFunction", "GetFunctionConfiguration"])
def test_a_qualifier_that_is_not_there(operation: str) -> None:
    told = refused(operation, APP, Qualifier="2")
    assert told == f"404 ResourceNotFoundException: Function not found: {ARN}:2"


def test_a_name_that_cannot_be() -> None:
    told = refused("GetFunction", {"FunctionName": "no spaces"})
    assert told.startswith("400 ValidationException: 1 validation error detected: Value 'no spaces' at 'functionName'")


def test_code_lies_on_this_machine() -> None:
    assert ask("GetFunction", APP)["Code"] == {"RepositoryType": "FileSystem", "Location": "file:///code"}


def test_an_empty_environment_is_left_out() -> None:
    api = lambda_api(replace(PLAIN, environment={}))
    assert "Environment" not in ask("GetFunctionConfiguration", APP, api)
    assert ask("GetFunctionConfiguration", APP, api)["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "INFO",
        "LogGroup": "/aws/lambda/app",
    }


# --- lists ---

NAMES = ("app-2", "app", "b", "A", "app_3")
SEVERAL = lambda_api(*(replace(PLAIN, name=name, arn=f"{ARN[:-3]}{name}") for name in NAMES))


def walk(api: LambdaApi, operation: str, member: str, labels: Mapping[str, str], **query: str) -> list[list[object]]:
    """Every page, by following the markers."""
    pages = []
    while True:
        answer = ask(operation, labels, api, **query)
        items = answer[member]
        assert isinstance(items, list)
        pages.append(items)
        if "NextMarker" not in answer:
            return pages
        query["Marker"] = str(answer["NextMarker"])


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize("every", [True, False])
def test_pages_hold_each_function_once_and_in_order(size: int, every: bool) -> None:
    query = {"FunctionVersion": "ALL"} if every else {}
    pages = walk(SEVERAL, "ListFunctions", "Functions", {}, MaxItems=str(size), **query)
    shown = [item["FunctionArn"].split(":", 6)[6] for page in pages for item in page if isinstance(item, dict)]
    names = sorted(NAMES)
    assert shown == ([f"{name}:{version}" for name in names for version in (LATEST, "1")] if every else names)
    assert all(len(page) == size for page in pages[:-1])
    assert len(pages[-1]) in range(1, size + 1)


def test_a_page_has_fifty_functions_at_most() -> None:
    many = lambda_api(*(replace(PLAIN, name=f"app-{number:03}") for number in range(120)))
    for query in ({}, {"MaxItems": "10000"}):
        assert [len(page) for page in walk(many, "ListFunctions", "Functions", {}, **query)] == [50, 50, 20]


def test_a_marker_outlives_the_function_it_names() -> None:
    first = ask("ListFunctions", {}, SEVERAL, MaxItems="2")
    fewer = lambda_api(*(replace(PLAIN, name=name) for name in NAMES if name != "app"))
    rest = ask("ListFunctions", {}, fewer, Marker=str(first["NextMarker"]))["Functions"]
    assert isinstance(rest, list)
    assert [item["FunctionName"] for item in rest] == ["app-2", "app_3", "b"]


def test_lists_leave_the_state_out() -> None:
    for operation, member in (("ListFunctions", "Functions"), ("ListVersionsByFunction", "Versions")):
        items = ask(operation, APP)[member]
        assert isinstance(items, list)
        assert all("State" not in item and "LastUpdateStatus" not in item for item in items)


def test_nothing_runs_nothing_is_listed() -> None:
    assert ask("ListFunctions", {}, lambda_api()) == {"Functions": []}
    assert ask("ListCapacityProviders", {}, lambda_api()) == {"CapacityProviders": []}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"MaxItems": "0"}, "400 ValidationException: 1 validation error detected: Value '0' at 'maxItems' failed"),
        ({"MaxItems": "-1"}, "400 ValidationException: 1 validation error detected: Value '-1' at 'maxItems' failed"),
        ({"MaxItems": "10001"}, "400 ValidationException: 1 validation error detected: Value '10001' at 'maxItems'"),
        ({"MaxItems": "many"}, "400 SerializationException: MaxItems is not an integer"),
        ({"MaxItems": "9" * 5000}, "400 SerializationException: MaxItems is not an integer"),
        ({"MaxItems": "\N{SUPERSCRIPT TWO}"}, "400 SerializationException: MaxItems is not an integer"),
        ({"Marker": "?"}, "400 InvalidParameterValueException: Invalid pagination token"),
        ({"Marker": "a"}, "400 InvalidParameterValueException: Invalid pagination token"),
        ({"Marker": "_w=="}, "400 InvalidParameterValueException: Invalid pagination token"),
        ({"Marker": "\N{SNOWMAN}"}, "400 InvalidParameterValueException: Invalid pagination token"),
        ({"FunctionVersion": "all"}, "400 ValidationException: 1 validation error detected: Value 'all' at 'function"),
    ],
)
def test_bad_parameters_of_a_list(query: dict[str, str], told: str) -> None:
    assert refused("ListFunctions", **query).startswith(told)


def test_versions_of_a_function() -> None:
    items = ask("ListVersionsByFunction", APP)["Versions"]
    assert isinstance(items, list)
    assert [(item["FunctionArn"], item["Version"]) for item in items] == [
        (f"{ARN}:{LATEST}", LATEST),
        (f"{ARN}:1", "1"),
    ]


# --- aliases ---


def test_an_alias() -> None:
    shown = ask("GetAlias", {**APP, "Name": "live"})
    assert shown["AliasArn"] == f"{ARN}:live"
    assert (shown["Name"], shown["FunctionVersion"], shown["Description"]) == ("live", "1", "")
    assert ask("ListAliases", APP) == {"Aliases": [shown]}
    assert ask("ListAliases", APP, FunctionVersion="1") == {"Aliases": [shown]}
    assert ask("ListAliases", APP, FunctionVersion="2") == {"Aliases": []}
    assert ask("ListAliases", APP, lambda_api(replace(PLAIN, alias=None))) == {"Aliases": []}


@pytest.mark.parametrize("name", ["dead", "1", "None"])
def test_an_alias_that_is_not_there(name: str) -> None:
    told = f"404 ResourceNotFoundException: Cannot find alias arn: {ARN}:{name}"
    assert refused("GetAlias", {**APP, "Name": name}) == told
    assert refused("GetAlias", {**APP, "Name": name}, lambda_api(replace(PLAIN, alias=None))) == told


# --- Function URLs ---


def test_a_function_url() -> None:
    shown = ask("GetFunctionUrlConfig", APP, Qualifier="live")
    assert shown == {
        "FunctionUrl": URL,
        "FunctionArn": f"{ARN}:live",
        "AuthType": "NONE",
        "CreationTime": "2026-11-23T10:20:30.456789Z",
        "LastModifiedTime": "2026-11-23T10:20:30.456789Z",
        "InvokeMode": "RESPONSE_STREAM",
        "Cors": {
            "AllowCredentials": True,
            "AllowHeaders": ("x-one",),
            "AllowMethods": ("GET", "POST"),
            "AllowOrigins": ("https://*.example",),
            "ExposeHeaders": ("x-two",),
            "MaxAge": 60,
        },
    }
    assert ask("ListFunctionUrlConfigs", APP) == {"FunctionUrlConfigs": [shown]}


def test_a_url_of_the_function_itself() -> None:
    api = lambda_api(replace(FULL, alias=None, url=FunctionUrlConfig(AuthType.AWS_IAM)))
    shown = ask("GetFunctionUrlConfig", APP, api)
    assert (shown["FunctionArn"], shown["AuthType"], shown["InvokeMode"]) == (ARN, "AWS_IAM", "BUFFERED")
    assert "Cors" not in shown


@pytest.mark.parametrize(
    ("label", "api", "qualifier"),
    [
        ("app", API, None),  # the URL is the alias's
        ("app", API, "other"),
        ("app", lambda_api(PLAIN), "live"),
        ("app", lambda_api(FULL, url=None), "live"),
        ("none", API, "live"),
        ("none", API, None),
    ],
)
def test_a_url_that_is_not_there(label: str, api: LambdaApi, qualifier: str | None) -> None:
    query = {"Qualifier": qualifier} if qualifier else {}
    told = refused("GetFunctionUrlConfig", {"FunctionName": label}, api, **query)
    assert told == "404 ResourceNotFoundException: The resource you requested does not exist."


def test_urls_of_a_function_that_has_none_or_is_not_there() -> None:
    assert ask("ListFunctionUrlConfigs", APP, lambda_api(PLAIN)) == {"FunctionUrlConfigs": []}
    told = refused("ListFunctionUrlConfigs", {"FunctionName": "none"})
    assert told == "404 ResourceNotFoundException: Function does not exist"
    assert refused("ListFunctionUrlConfigs", APP, MaxItems="51").startswith("400 ValidationException")


@pytest.mark.parametrize("qualifier", ["1", "123", LATEST])
def test_a_url_has_no_version(qualifier: str) -> None:
    told = refused("GetFunctionUrlConfig", APP, Qualifier=qualifier)
    assert told.startswith(f"400 ValidationException: 1 validation error detected: Value '{qualifier}' at 'qualifier'")


# --- capacity providers ---


@pytest.mark.parametrize("name", ["capacity", CAPACITY_PROVIDER.arn])
def test_a_capacity_provider(name: str) -> None:
    shown = ask("GetCapacityProvider", {"CapacityProviderName": name})
    assert shown["CapacityProvider"] == {
        "CapacityProviderArn": CAPACITY_PROVIDER.arn,
        "State": "Active",
        "VpcConfig": {"SubnetIds": ("subnet-1",), "SecurityGroupIds": ("sg-1",)},
        "PermissionsConfig": {"CapacityProviderOperatorRoleArn": "arn:aws:iam::123456789012:role/CapacityOperatorRole"},
        "InstanceRequirements": {"Architectures": ["x86_64"], "AllowedInstanceTypes": ("m7*",)},
        "CapacityProviderScalingConfig": {
            "MaxVCpuCount": 20,
            "ScalingMode": "Manual",
            "ScalingPolicies": [
                {"PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": 70.0}
            ],
        },
        "LastModified": "2026-11-23T10:20:30.456Z",
    }
    assert ask("ListCapacityProviders") == {"CapacityProviders": [shown["CapacityProvider"]]}
    assert ask("ListCapacityProviders", State="Active") == {"CapacityProviders": [shown["CapacityProvider"]]}
    assert ask("ListCapacityProviders", State="Failed") == {"CapacityProviders": []}
    assert refused("ListCapacityProviders", State="Gone").startswith("400 ValidationException")


def test_a_capacity_provider_scales_by_itself_or_leaves_types_out() -> None:
    provider = replace(CAPACITY_PROVIDER, excluded_instance_types=("m7*",))
    api = lambda_api(replace(PLAIN, capacity_provider=provider))
    shown = ask("GetCapacityProvider", {"CapacityProviderName": "capacity"}, api)["CapacityProvider"]
    assert isinstance(shown, dict)
    assert shown["CapacityProviderScalingConfig"] == {"MaxVCpuCount": 20, "ScalingMode": "Auto"}
    assert shown["InstanceRequirements"] == {"Architectures": ["x86_64"], "ExcludedInstanceTypes": ("m7*",)}


@pytest.mark.parametrize(
    ("name", "arn"),
    [
        ("none", "arn:aws:lambda:us-east-1:123456789012:capacity-provider:none"),
        (ELSEWHERE, ELSEWHERE),
    ],
)
def test_a_capacity_provider_that_is_not_there(name: str, arn: str) -> None:
    told = refused("GetCapacityProvider", {"CapacityProviderName": name})
    assert told == f"404 ResourceNotFoundException: Capacity provider not found: {arn}"


# --- the rest of Lambda ---


def test_what_is_not_offered_is_named() -> None:
    told = refused("CreateFunction")
    assert told == "501 NotImplementedException: The operation CreateFunction of lambda is not offered by Penstock"
