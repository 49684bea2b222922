"""What a template says about its functions, as Function values."""

import json
from pathlib import Path

import pytest

from penstock.model.errors import UserError
from penstock.model.function import Architecture, AuthType, Cors, FunctionUrlConfig, InvokeMode
from penstock.template.source import read_source
from support.template_texts import BASE, changed, load

ARN = "arn:aws:lambda:us-east-1:123456789012"

PLAIN = """\
Resources:
  Provider:
    Type: AWS::Lambda::CapacityProvider
    Properties:
      CapacityProviderName: pool
      PermissionsConfig: {CapacityProviderOperatorRoleArn: !GetAtt Role.Arn}
      VpcConfig: {SubnetIds: [subnet-1], SecurityGroupIds: []}
      InstanceRequirements: {Architectures: [arm64], ExcludedInstanceTypes: ["t4g.*"]}
      CapacityProviderScalingConfig: {MaxVCpuCount: 12}
  Role: {Type: AWS::IAM::Role}
  Web:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: web
      Role: !ImportValue shared-role
      Code: app
      Handler: main.handler
      Runtime: python3.14
      Architectures: [arm64]
      MemorySize: "8192"
      Layers: [!Ref Layer]
      CapacityProviderConfig:
        LambdaManagedInstancesCapacityProviderConfig:
          CapacityProviderArn: !GetAtt Provider.Arn
          ExecutionEnvironmentMemoryGiBPerVCpu: 4
  Layer:
    Type: AWS::Lambda::LayerVersion
    Properties: {LayerName: shared, Content: layer}
  Version: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref Web}}
  Alias:
    Type: AWS::Lambda::Alias
    Properties: {FunctionName: !Ref Web, FunctionVersion: !GetAtt Version.Version, Name: prod}
  Url: {Type: AWS::Lambda::Url, Properties: {TargetFunctionArn: !Ref Alias, AuthType: AWS_IAM}}
Outputs:
  Url: {Value: !GetAtt Url.FunctionUrl}
"""


def test_plain_cloudformation(tmp_path: Path) -> None:
    stack = load(tmp_path, PLAIN)
    (function,) = stack.functions
    assert function.arn == f"{ARN}:function:web"
    assert (function.version, function.alias) == ("1", "prod")
    assert function.qualified_arn == f"{ARN}:function:web:prod"
    assert function.code == tmp_path / "app"
    assert function.architecture is Architecture.ARM64
    assert (function.memory_mib, function.memory_gib_per_vcpu, function.max_concurrency) == (8192, 4.0, 32)
    assert [(layer.arn, layer.content) for layer in function.layers] == [(f"{ARN}:layer:shared:1", tmp_path / "layer")]
    assert function.url == FunctionUrlConfig(AuthType.AWS_IAM, InvokeMode.BUFFERED)
    provider = function.capacity_provider
    assert (provider.name, provider.arn) == ("pool", f"{ARN}:capacity-provider:pool")
    assert (provider.max_vcpu_count, provider.scaling_mode, provider.target_cpu_utilization) == (12, "Auto", None)
    assert provider.excluded_instance_types == ("t4g.*",)
    assert provider.security_group_ids == ()
    assert stack.outputs({"Web": "http://localhost/"}) == {"Url": "http://localhost/"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("      Code: app\n", "      Cod: app\n", "16: Web: unknown property Cod; did you mean Code?"),
        ("      Code: app\n", "", "13: Web: Code is missing"),
        ("AuthType: AWS_IAM", "AuthTyp: AWS_IAM", "33: Url: unknown property AuthTyp; did you mean AuthType?"),
        (", AuthType: AWS_IAM", "", "Url: AuthType is missing; allowed: NONE, AWS_IAM"),
        ("Content: layer", "Content: lair", "28: Layer: Content names lair, but there is no such folder"),
        (
            "MaxVCpuCount: 12",
            "ScalingMode: Manual",
            "9: Provider: CapacityProviderScalingConfig.ScalingPolicies is missing",
        ),
        (
            "Name: prod",
            "Name: prod, ProvisionedConcurrencyConfig: {}",
            "32: Alias: ProvisionedConcurrencyConfig cannot stand",
        ),
        ("GiBPerVCpu: 4", "GiBPerVCpu: 16", "bad value 16; allowed: 2 to 8"),
    ],
)
def test_plain_cloudformation_speaks_its_own_names(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, changed(PLAIN, old, new))
    assert message in str(caught.value)


def test_json_with_tabs(tmp_path: Path) -> None:
    load(tmp_path, BASE)
    content = read_source(tmp_path / "template.yaml").content
    text = json.dumps(content, indent="\t")
    assert load(tmp_path, text, name="template.json").functions[0].timeout_s == 60
    with pytest.raises(UserError, match=r"template\.json:11: Web: Timeout: bad value 0"):
        load(tmp_path, text.replace('"Timeout": 60', '"Timeout": 0'), name="template.json")


def test_defaults(tmp_path: Path) -> None:
    text = changed(BASE, "        PerExecutionEnvironmentMaxConcurrency: 64\n", "")
    text = changed(text, "      MemorySize: 2048\n", "")
    text = changed(text, "    Timeout: 60", "    Tags: {a: b}")
    (function,) = load(tmp_path, text).functions
    assert (function.memory_mib, function.vcpus, function.max_concurrency) == (2048, 1.0, 16)
    assert (function.timeout_s, function.ephemeral_storage_mib) == (3, 512)
    assert (function.min_environments, function.max_environments) == (3, None)
    assert function.url == FunctionUrlConfig(AuthType.NONE)
    assert function.capacity_provider.max_vcpu_count == 400
    assert function.capacity_provider.scaling_mode == "Auto"


@pytest.mark.parametrize(
    ("runtime", "slots"),
    [("nodejs22.x", 128), ("java21", 64), ("dotnet8", 64), ("provided.al2023", 16), ("python3.14", 32)],
)
def test_default_concurrency_follows_runtime_and_vcpus(tmp_path: Path, runtime: str, slots: int) -> None:
    text = changed(BASE, "        PerExecutionEnvironmentMaxConcurrency: 64\n", "")
    text = changed(changed(text, "MemorySize: 2048", "MemorySize: 4096"), "python3.13", runtime)
    assert load(tmp_path, text).functions[0].max_concurrency == slots


def test_a_timeout_beyond_fifteen_minutes_is_for_functions_without_a_url(tmp_path: Path) -> None:
    text = changed(BASE, "    Timeout: 60", "    Timeout: 5400")
    text = changed(text, "      FunctionUrlConfig:\n        AuthType: NONE\n", "")
    text = text[: text.index("Outputs:")]
    function = load(tmp_path, text).functions[0]
    assert (function.timeout_s, function.url) == (5400, None)


def test_scaling_storage_logging_and_cors(tmp_path: Path) -> None:
    more = """\
      MemorySize: 2048
      FunctionScalingConfig: {MinExecutionEnvironments: 1, MaxExecutionEnvironments: 5}
      EphemeralStorage: {Size: 1024}
      LoggingConfig: {LogGroup: /my/logs, ApplicationLogLevel: DEBUG}
"""
    cors = """\
        AuthType: NONE
        Cors:
          AllowCredentials: true
          AllowHeaders: [x-a]
          AllowMethods: [GET]
          AllowOrigins: ["*"]
          ExposeHeaders: [x-b]
          MaxAge: 60
"""
    text = changed(changed(BASE, "      MemorySize: 2048\n", more), "        AuthType: NONE\n", cors)
    function = load(tmp_path, text).functions[0]
    assert (function.min_environments, function.max_environments) == (1, 5)
    assert function.ephemeral_storage_mib == 1024
    assert (function.log_group, function.log_level) == ("/my/logs", "DEBUG")
    assert function.url is not None
    assert function.url.cors == Cors(True, ("x-a",), ("GET",), ("*",), ("x-b",), 60)
    assert load(tmp_path, text, min_environments=2).functions[0].min_environments == 2


def test_a_layer_of_the_template(tmp_path: Path) -> None:
    layer = "  Deps:\n    Type: AWS::Serverless::LayerVersion\n    Properties:\n      ContentUri: layer/\n  Web:\n"
    text = changed(BASE, "  Web:\n", layer)
    text = changed(text, "      MemorySize: 2048\n", "      MemorySize: 2048\n      Layers: [!Ref Deps]\n")
    (found,) = load(tmp_path, text).functions[0].layers
    assert found.content == tmp_path / "layer"
    assert found.arn.startswith(f"{ARN}:layer:")
    with pytest.raises(
        UserError, match=r"template\.yaml:18: Deps: ContentUri names lair/, but there is no such folder"
    ):
        load(tmp_path, changed(text, "ContentUri: layer/", "ContentUri: lair/"))


def test_code_from_globals_and_as_an_archive(tmp_path: Path) -> None:
    (tmp_path / "app.zip").write_bytes(b"")
    text = changed(BASE, "      CodeUri: app/\n", "")
    text = changed(text, "    Timeout: 60\n", "    Timeout: 60\n    CodeUri: !Sub '${Name}.zip'\n")
    text = changed(text, "Globals:\n", "  Name: {Type: String, Default: app}\nGlobals:\n")
    assert load(tmp_path, text).functions[0].code == tmp_path / "app.zip"


def test_a_generated_name_keeps_its_tail(tmp_path: Path) -> None:
    text = changed(BASE, "  Web:\n", f"  {'Long' * 15}:\n").replace("WebUrl", f"{'Long' * 15}Url")
    name = load(tmp_path, text).functions[0].name
    short = load(tmp_path, BASE).functions[0].name
    assert len(name) == 64
    assert name[-13] == short[-13] == "-"
    assert name[-12:] != short[-12:]
    assert load(tmp_path, text).functions[0].name == name


def test_a_function_without_capacity_provider_is_named_and_skipped(tmp_path: Path) -> None:
    other = """\
  Other:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: not-there, Handler: a, Runtime: python3.8}
  Web:
"""
    stack = load(tmp_path, changed(BASE, "  Web:\n", other))
    assert [function.logical_id for function in stack.functions] == ["Web"]
    assert stack.warnings == ("Other is not started: it has no CapacityProviderConfig",)


def test_a_function_whose_condition_is_false_is_left_out(tmp_path: Path) -> None:
    off = """\
Conditions: {Never: !Equals [a, b]}
Resources:
  Off:
    Condition: Never
    Type: AWS::Serverless::Function
    Properties: {CodeUri: not-there, Handler: a, Runtime: python3.13}
"""
    text = changed(BASE, "Resources:\n", off)
    stack = load(tmp_path, text)
    assert [function.logical_id for function in stack.functions] == ["Web"]
    assert stack.warnings == ()


def test_no_published_version_is_told(tmp_path: Path) -> None:
    text = changed(BASE, "      AutoPublishAlias: live\n", "")
    stack = load(tmp_path, text)
    assert (stack.functions[0].version, stack.functions[0].alias) == ("$LATEST.PUBLISHED", None)
    assert stack.warnings == ("Web publishes no version, so AWS would not run it; give it an AutoPublishAlias",)
    published = changed(text, "      MemorySize: 2048", "      PublishToLatestPublished: true\n      MemorySize: 2048")
    assert load(tmp_path, published).warnings == ()


def test_env_vars_replace_what_the_template_declares(tmp_path: Path) -> None:
    text = changed(BASE, "          MODE: plain", "          MODE: plain\n          SIZE: 1\n          KEPT: a")
    stack = load(
        tmp_path, text, env_vars={"Parameters": {"MODE": "all", "SIZE": "2"}, "Web": {"MODE": "one", "NEW": "x"}}
    )
    assert stack.functions[0].environment == {"MODE": "one", "SIZE": "2", "KEPT": "a"}
    assert stack.warnings == ("--env-vars: Web.NEW is ignored: the template does not declare it",)


def test_env_vars_by_function_name_and_for_nobody(tmp_path: Path) -> None:
    text = changed(BASE, "      MemorySize: 2048", "      FunctionName: front\n      MemorySize: 2048")
    stack = load(tmp_path, text, env_vars={"front": {"MODE": "x"}, "Wib": {"MODE": "y"}})
    assert stack.functions[0].environment["MODE"] == "x"
    assert stack.warnings == ("--env-vars: no function Wib; did you mean Web? Allowed: Web",)


def test_types_that_are_not_run_are_no_trouble(tmp_path: Path) -> None:
    others = """\
Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31, Company::Macro]
"""
    resources = """\
Resources:
  App:
    Type: AWS::Serverless::Application
    Properties: {Location: {ApplicationId: "arn:aws:serverlessrepo:us-east-1:1:applications/x", SemanticVersion: 1.0.0}}
  Rest: {Type: AWS::Serverless::Api, Properties: {StageName: v1, DefinitionUri: rest.yaml}}
  Http: {Type: AWS::Serverless::HttpApi, Properties: {DefinitionUri: http.yaml}}
  Graph: {Type: AWS::Serverless::GraphQLApi, Properties: {SchemaUri: graph.gql, Auth: {Type: AWS_IAM}}}
  Flow: {Type: AWS::Serverless::StateMachine, Properties: {DefinitionUri: flow.json}}
  Queue: {Type: AWS::SQS::Queue}
  Table: {Type: AWS::Serverless::SimpleTable}
"""
    text = changed(BASE, "Transform: AWS::Serverless-2016-10-31\n", others)
    text = changed(text, "Resources:\n", resources)
    events = "      Events: {Jobs: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}}\n"
    policies = "      Policies: [AmazonDynamoDBReadOnlyAccess, {DynamoDBCrudPolicy: {TableName: !Ref Table}}]\n"
    text = changed(text, "      MemorySize: 2048\n", f"      MemorySize: 2048\n{events}{policies}")
    stack = load(tmp_path, text)
    assert len(stack.functions) == 1
    assert stack.warnings == ("transform Company::Macro is not run",)


def test_two_functions_on_one_provider(tmp_path: Path) -> None:
    web = BASE[BASE.index("  Web:\n") : BASE.index("Outputs:")]
    text = changed(BASE, "Outputs:\n", web.replace("  Web:", "  Api:") + "Outputs:\n")
    stack = load(tmp_path, text)
    assert [function.logical_id for function in stack.functions] == ["Web", "Api"]
    assert len(stack.capacity_providers) == 1
    assert len({function.arn for function in stack.functions}) == 2
