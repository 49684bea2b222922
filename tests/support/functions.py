"""A function as a template gives it, for tests that care about one or two of its fields."""

from pathlib import Path

from penstock.model.function import Architecture, CapacityProvider, Function, LayerVersion

CAPACITY_PROVIDER = CapacityProvider(
    logical_id="Capacity",
    name="capacity",
    arn="arn:aws:lambda:us-east-1:123456789012:capacity-provider:capacity",
    architecture=Architecture.X86_64,
    subnet_ids=(),
    security_group_ids=(),
    max_vcpu_count=20,
    scaling_mode="Auto",
)


def function(code: Path, *layers: LayerVersion, runtime: str = "python3.13") -> Function:
    return Function(
        logical_id="App",
        name="app",
        arn="arn:aws:lambda:us-east-1:123456789012:function:app",
        version="1",
        alias="live",
        handler="run.sh",
        runtime=runtime,
        architecture=Architecture.X86_64,
        memory_mib=2048,
        timeout_s=3,
        ephemeral_storage_mib=512,
        code=code,
        capacity_provider=CAPACITY_PROVIDER,
        memory_gib_per_vcpu=2.0,
        max_concurrency=64,
        min_environments=3,
        max_environments=None,
        url=None,
        layers=layers,
        environment={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap"},
    )
