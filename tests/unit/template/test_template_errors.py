"""Every form of bad input gives one line: what, where, what is allowed."""

from pathlib import Path

import pytest

from template_texts import BASE, changed, load

from penstock.model.errors import UserError

# Name, text of the base template, what stands there instead (the line marked `# <-` is the one to be named), message.
CASES = [
    # Names
    ("section", "Outputs:\n", "Output: {}  # <-\nOutputs:\n", "the template: unknown section Output; did you mean Outputs?"),
    ("attribute", "  Web:\n", "  Web:\n    DependOn: Provider  # <-\n", "Web: unknown resource attribute DependOn; did you mean DependsOn?"),
    ("property", "      Handler: run.sh", "      Handlr: run.sh  # <-", "Web: unknown property Handlr; did you mean Handler?"),
    ("global property", "    Timeout: 60", "    Timeot: 60  # <-", "Globals.Function: unknown property Timeot; did you mean Timeout?"),
    ("global section", "  Function:\n", "  Functio:  # <-\n", "Globals: unknown section Functio; did you mean Function?"),
    (
        "nested property",
        "        PerExecutionEnvironmentMaxConcurrency: 64",
        "        PerExecutionEnvironmentMaxConcurency: 64  # <-",
        "Web: CapacityProviderConfig: unknown property PerExecutionEnvironmentMaxConcurency; "
        "did you mean PerExecutionEnvironmentMaxConcurrency?",
    ),
    (
        "url property",
        "        AuthType: NONE",
        "        AuthType: NONE\n        InvokMode: BUFFERED  # <-",
        "Web: FunctionUrlConfig: unknown property InvokMode; did you mean InvokeMode?",
    ),
    (
        "cors property",
        "        AuthType: NONE",
        "        AuthType: NONE\n        Cors:\n          AllowOrigin: ['*']  # <-",
        "Web: FunctionUrlConfig.Cors: unknown property AllowOrigin; did you mean AllowOrigins?",
    ),
    (
        "property in a branch",
        "        Variables:\n          MODE: plain",
        "        Fn::If:\n          - Never\n          - Vars: {}  # <-\n          - Variables: {}",
        "Web: Environment: unknown property Vars",
    ),
    (
        "global nested property",
        "    Timeout: 60",
        "    Timeout: 60\n    EphemeralStorage:\n      Sise: 512  # <-",
        "Globals.Function: EphemeralStorage: unknown property Sise; did you mean Size?",
    ),
    (
        "provider property",
        "        SubnetIds: !Ref Subnets",
        "        SubnetIds: !Ref Subnets\n        SubnetId: x  # <-",
        "Provider: VpcConfig: unknown property SubnetId; did you mean SubnetIds?",
    ),
    ("parameter attribute", "    Type: List<", "    Defalt: a  # <-\n    Type: List<", "parameter Subnets: unknown attribute Defalt; did you mean Default?"),
    ("output attribute", "  Url:\n", "  Url:\n    Descripton: x  # <-\n", "output Url: unknown attribute Descripton; did you mean Description?"),
    ("map expected", "      Environment:\n        Variables:\n          MODE: plain", "      Environment: x  # <-", "Web: Environment must be a map of Variables"),
    ("null", "      MemorySize: 2048", "      MemorySize:  # <-", "Web.MemorySize has no value"),
    ("type", "    Type: AWS::Serverless::Function\n", "", "Web: needs a Type"),
    ("not a map", "  Web:\n", "  Other: text  # <-\n  Web:\n", "Other: a resource must be a map with a Type"),
    # Values
    ("timeout", "    Timeout: 60", "    Timeout: 901  # <-", "Web: Timeout bad value 901; allowed: 1 to 900"),
    ("timeout zero", "    Timeout: 60", "    Timeout: 0  # <-", "Web: Timeout bad value 0; allowed: 1 to 900"),
    ("timeout type", "    Timeout: 60", "    Timeout: soon  # <-", "Web: Timeout bad value 'soon'; allowed: 1 to 900"),
    ("timeout half", "    Timeout: 60", "    Timeout: 1.5  # <-", "Web: Timeout bad value 1.5; allowed: whole numbers"),
    ("timeout boolean", "    Timeout: 60", "    Timeout: true  # <-", "Web: Timeout bad value true; allowed: 1 to 900"),
    ("memory", "      MemorySize: 2048", "      MemorySize: 512  # <-", "Web: MemorySize bad value 512; allowed: 2048 to 32768"),
    ("memory step", "      MemorySize: 2048", "      MemorySize: 3072  # <-", "Web: MemorySize bad value 3072; allowed: a multiple of 2048 (2 GiB for each vCPU)"),
    ("concurrency", "Concurrency: 64", "Concurrency: 1601  # <-", "Web: CapacityProviderConfig.PerExecutionEnvironmentMaxConcurrency bad value 1601; allowed: 1 to 1600"),
    (
        "ratio",
        "        PerExecution",
        "        ExecutionEnvironmentMemoryGiBPerVCpu: 3  # <-\n        PerExecution",
        "Web: CapacityProviderConfig.ExecutionEnvironmentMemoryGiBPerVCpu bad value 3; allowed: 2, 4, 8",
    ),
    ("storage", "      MemorySize: 2048", "      MemorySize: 2048\n      EphemeralStorage:\n        Size: 511  # <-", "Web: EphemeralStorage.Size bad value 511; allowed: 512 to 10240"),
    ("runtime", "python3.13", "python3.12  # <-", "Web: Runtime python3.12 does not run on Managed Instances; did you mean python3.1"),
    ("invoke mode", "        AuthType: NONE", "        AuthType: NONE\n        InvokeMode: STREAM  # <-", "Web: FunctionUrlConfig.InvokeMode bad value 'STREAM'; allowed: BUFFERED, RESPONSE_STREAM"),
    ("auth type", "        AuthType: NONE", "        AuthType: OPEN  # <-", "Web: AuthType is required to configure function property `FunctionUrlConfig`. Please provide either AWS_IAM or NONE"),
    ("no auth type", "      FunctionUrlConfig:\n        AuthType: NONE", "      FunctionUrlConfig:  # <-\n        InvokeMode: BUFFERED", "Web: AuthType is required to configure function property `FunctionUrlConfig`. Please provide either AWS_IAM or NONE"),
    ("cors age", "        AuthType: NONE", "        AuthType: NONE\n        Cors:\n          MaxAge: 86401  # <-", "Web: FunctionUrlConfig.Cors.MaxAge bad value 86401; allowed: 0 to 86400"),
    ("architecture", "      MemorySize: 2048", "      MemorySize: 2048\n      Architectures: [arm64]  # <-", "Web: Architectures is arm64, but capacity provider Provider is x86_64"),
    ("unknown architecture", "      MemorySize: 2048", "      MemorySize: 2048\n      Architectures: [x86]  # <-", "Web: Architectures bad value x86; allowed: one of x86_64, arm64"),
    ("min above max", "      MemorySize: 2048", "      MemorySize: 2048\n      FunctionScalingConfig:\n        MaxExecutionEnvironments: 2  # <-", "Web: FunctionScalingConfig.MaxExecutionEnvironments bad value 2; allowed: at least MinExecutionEnvironments, which is 3"),
    ("min zero", "      MemorySize: 2048", "      MemorySize: 2048\n      FunctionScalingConfig:\n        MinExecutionEnvironments: 0  # <-", "Web: FunctionScalingConfig.MinExecutionEnvironments bad value 0; allowed: 1 or more"),
    ("log level", "      MemorySize: 2048", "      MemorySize: 2048\n      LoggingConfig:\n        ApplicationLogLevel: LOUD  # <-", "Web: LoggingConfig.ApplicationLogLevel bad value 'LOUD'; allowed: TRACE"),
    ("name", "      MemorySize: 2048", "      MemorySize: 2048\n      FunctionName: not good  # <-", "Web: FunctionName: bad value 'not good'; allowed: 1 to 64 of"),
    ("variable value", "          MODE: plain", "          MODE: [a]  # <-", "Web: Environment.Variables.MODE must be text"),
    ("variable name", "          MODE: plain", "          MO-DE: plain  # <-", "Web: Environment.Variables.MO-DE is not a name Lambda takes"),
    ("reserved variable", "          MODE: plain", "          AWS_REGION: plain  # <-", "Web: Environment.Variables.AWS_REGION is a name that Lambda keeps for itself"),
    ("layer", "      MemorySize: 2048", "      MemorySize: 2048\n      Layers:\n        - my-layer  # <-", "Web: Layers.0 bad value 'my-layer'; allowed: arn:aws:lambda:"),
    ("alias", "AutoPublishAlias: live", "AutoPublishAlias: a/b  # <-", "Web: AutoPublishAlias name ('a/b') must contain only"),
    ("subnet", "SubnetIds: !Ref Subnets", "SubnetIds: [vpc-1]  # <-", "Provider: VpcConfig.SubnetIds bad value 'vpc-1'; it must match subnet-"),
    ("no subnets", "SubnetIds: !Ref Subnets", "SubnetIds: []  # <-", "Provider: VpcConfig.SubnetIds has 0 items; allowed: 1 to 16"),
    ("vcpus", "        SubnetIds: !Ref Subnets", "        SubnetIds: !Ref Subnets\n      ScalingConfig:\n        MaxVCpuCount: 1  # <-", "Provider: ScalingConfig.MaxVCpuCount bad value 1; allowed: 2 to 15000"),
    ("vcpus type", "        SubnetIds: !Ref Subnets", "        SubnetIds: !Ref Subnets\n      ScalingConfig:\n        MaxVCpuCount: many  # <-", "Provider: Property 'ScalingConfig.MaxVCpuCount' value must be"),
    ("cpu target", "        SubnetIds: !Ref Subnets", "        SubnetIds: !Ref Subnets\n      ScalingConfig:\n        AverageCPUUtilization: 101  # <-", "Provider: ScalingConfig.AverageCPUUtilization bad value 101; allowed: 0 to 100"),
    ("instance types", "        SubnetIds: !Ref Subnets", "        SubnetIds: !Ref Subnets\n      InstanceRequirements:\n        AllowedTypes: [m7g large]  # <-", "Provider: InstanceRequirements.AllowedTypes bad value 'm7g large'"),
    # Missing, or not together
    ("no code", "      CodeUri: app/\n", "", "Web: CodeUri is missing"),
    ("code not there", "CodeUri: app/", "CodeUri: ap/  # <-", "Web: CodeUri names ap/, but there is no such folder or file"),
    ("code in S3", "CodeUri: app/", "CodeUri: s3://bucket/key  # <-", "Web: CodeUri is in S3"),
    ("code is the template", "CodeUri: app/", "CodeUri: template.yaml  # <-", "Web: CodeUri names template.yaml, which is neither a folder nor a .zip"),
    ("inline code", "      CodeUri: app/", "      InlineCode: pass  # <-", "Web: InlineCode is not supported"),
    ("image", "      CodeUri: app/\n      Handler: run.sh\n      Runtime: python3.13", "      PackageType: Image  # <-\n      ImageUri: x", "Web: PackageType Image is not supported; allowed: Zip"),
    ("no handler", "      Handler: run.sh\n", "", "Web: Runtime and Handler needs to be present"),
    ("no provider ARN", "        Arn: !GetAtt Provider.Arn\n", "", "Web: CapacityProviderConfig.Arn is missing"),
    ("foreign provider", "Arn: !GetAtt Provider.Arn", "Arn: arn:aws:lambda:us-east-1:1:capacity-provider:x  # <-", "Web: CapacityProviderConfig.Arn names no capacity provider of this template"),
    ("no VpcConfig", "    Properties:\n      VpcConfig:\n        SubnetIds: !Ref Subnets", "    Properties:  # <-\n      PropagateTags: true", "Provider: Missing required property 'VpcConfig'"),
    ("VpcConfig", "      MemorySize: 2048", "      MemorySize: 2048\n      VpcConfig: {SubnetIds: [a], SecurityGroupIds: [b]}", "Web: Cannot specify 'CapacityProviderConfig' and 'VpcConfig' together"),
    ("SnapStart", "      MemorySize: 2048", "      MemorySize: 2048\n      SnapStart: {ApplyOn: PublishedVersions}  # <-", "Web: SnapStart cannot stand together with CapacityProviderConfig"),
    ("no transform", "Transform: AWS::Serverless-2016-10-31\n", "", "Provider: type AWS::Serverless::CapacityProvider needs 'Transform: AWS::Serverless-2016-10-31'"),
    ("nothing to run", "      CapacityProviderConfig:\n        Arn: !GetAtt Provider.Arn\n        PerExecutionEnvironmentMaxConcurrency: 64\n", "", "nothing to run: no function has a CapacityProviderConfig"),
    ("macro in resources", "Resources:\n", "Resources:\n  Fn::ForEach::Many: [a, [b], {}]  # <-\n", "Fn::ForEach::Many is not supported"),
    # References
    ("ref", "MODE: plain", "MODE: !Ref Provder  # <-", "Web: Ref names Provder, but the template has no such parameter or resource; did you mean Provider?"),
    ("get att", "!GetAtt Provider.Arn", "!GetAtt Provder.Arn  # <-", "Web: Fn::GetAtt names Provder, but the template has no such resource; did you mean Provider?"),
    ("attribute of", "!GetAtt Provider.Arn", "!GetAtt Provider.Ann  # <-", "Web: CapacityProviderConfig.Arn: Provider has no attribute Ann; did you mean Arn?"),
    ("sub", "MODE: plain", "MODE: !Sub x-${Subnet}  # <-", "Web: Fn::Sub names Subnet, but the template has no such parameter or resource; did you mean Subnets?"),
    ("depends on", "  Web:\n", "  Web:\n    DependsOn: Provder  # <-\n", "Web: DependsOn names Provder"),
    ("output", "!GetAtt WebUrl.FunctionUrl", "!GetAtt WebUrl.Url  # <-", "WebUrl has no attribute Url. Allowed: FunctionArn, FunctionUrl"),
    ("circle", "MODE: plain", "MODE: !GetAtt WebUrl.FunctionUrl", "circular reference: Web -> WebUrl -> WebAliaslive -> Web"),
    ("self circle", "MODE: plain", "MODE: !Ref Web", "circular reference: Web -> Web"),
    ("condition", "  Web:\n", "  Web:\n    Condition: Never  # <-\n", "no condition Never"),
    ("list in sub", "MODE: plain", "MODE: !Sub '${Subnets}'  # <-", "Web: Environment.Variables.MODE: Fn::Sub: ${Subnets} needs text here"),
    ("select", "MODE: plain", "MODE: !Select [3, !Ref Subnets]  # <-", "Web: Environment.Variables.MODE: Fn::Select: no item 3 in a list of 3"),
    ("map", "MODE: plain", "MODE: !FindInMap [A, b, c]  # <-", "Web: Environment.Variables.MODE: Fn::FindInMap: no A.b.c in Mappings"),
    ("import", "MODE: plain", "MODE: !ImportValue x  # <-", "Web: Environment.Variables.MODE: Fn::ImportValue is not supported"),
    ("transform function", "MODE: plain", "MODE: !Transform {Name: AWS::Include}  # <-", "Web: Environment.Variables.MODE: Fn::Transform is not supported"),
    # The file
    ("tag", "MODE: plain", "MODE: !Reff x  # <-", "unknown tag !Reff; did you mean Ref?"),
    ("twice", "      MemorySize: 2048", "      MemorySize: 2048\n      MemorySize: 4096  # <-", "MemorySize stands twice, first in line 21"),
    ("merge", "          MODE: plain", "          <<: {MODE: plain}  # <-", "merge keys (<<) are not supported"),
    ("yaml", "      Handler: run.sh", "      Handler: [run.sh  # <-", "not valid YAML: did not find expected"),
    ("indentation", "      Handler: run.sh", "     Handler: run.sh  # <-", "not valid YAML: did not find expected"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_one_line_with_the_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = changed(BASE, old, new)
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    error = caught.value
    assert error.message.startswith(message)
    assert "\n" not in str(error)
    assert error.place is not None
    assert error.place.file.name == "template.yaml"
    assert error.place.line is not None
    marked = [number for number, line in enumerate(text.splitlines(), 1) if "# <-" in line]
    if marked and "did not find expected" not in message:
        assert error.place.line == marked[0]
