"""What the user asked for: functions, their URLs and their capacity provider, as plain frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from penstock.model.errors import Place


class InvokeMode(StrEnum):
    BUFFERED = "BUFFERED"
    RESPONSE_STREAM = "RESPONSE_STREAM"


class AuthType(StrEnum):
    NONE = "NONE"
    AWS_IAM = "AWS_IAM"


class Architecture(StrEnum):
    X86_64 = "x86_64"
    ARM64 = "arm64"


@dataclass(frozen=True, slots=True)
class Cors:
    """A Function URL's Cors block. `max_age` in seconds."""

    allow_credentials: bool = False
    allow_headers: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class FunctionUrlConfig:
    auth_type: AuthType
    invoke_mode: InvokeMode = InvokeMode.BUFFERED
    cors: Cors | None = None
    public: bool = True
    """A resource policy lets everybody call the function: without one even AuthType NONE refuses everybody."""


@dataclass(frozen=True, slots=True)
class EventInvokeConfig:
    """What becomes of asynchronous invocations. The numbers are Lambda's own when the template says none:
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    """

    max_age_s: int = 6 * 3600
    max_retry_attempts: int = 2
    on_success: str | None = None
    """ARN of the destination."""
    on_failure: str | None = None


@dataclass(frozen=True, slots=True)
class LayerVersion:
    """A layer as the template names it: an ARN, or content in the template's own folder (a directory or a zip)."""

    arn: str
    content: Path | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class CapacityProvider:
    logical_id: str
    name: str
    arn: str
    architecture: Architecture
    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]
    max_vcpu_count: int
    scaling_mode: str
    """`Auto` or `Manual`."""
    target_cpu_utilization: float | None = None
    """Percent; only with `Manual`."""
    allowed_instance_types: tuple[str, ...] = ()
    excluded_instance_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """One published version of a function on a capacity provider."""

    logical_id: str
    name: str
    arn: str
    """Unqualified ARN."""
    version: str
    alias: str | None
    handler: str
    runtime: str
    architecture: Architecture
    memory_mib: int
    timeout_s: int
    ephemeral_storage_mib: int
    code: Path
    """A directory or a zip file that exists."""
    capacity_provider: CapacityProvider
    memory_gib_per_vcpu: float
    max_concurrency: int
    """Slots of one execution environment."""
    min_environments: int
    max_environments: int | None
    url: FunctionUrlConfig | None
    layers: tuple[LayerVersion, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    log_group: str = ""
    log_level: str | None = None
    event_invoke: EventInvokeConfig = field(default_factory=EventInvokeConfig)
    dead_letter_arn: str | None = None
    """Where events go that no attempt could handle, beside or without an on-failure destination."""
    description: str = ""
    role: str = ""
    """ARN of the execution role: shown by the API, given to nobody."""
    place: Place | None = None

    @property
    def qualifier(self) -> str:
        return self.alias or self.version

    @property
    def qualified_arn(self) -> str:
        return f"{self.arn}:{self.qualifier}"

    @property
    def vcpus(self) -> float:
        return self.memory_mib / 1024 / self.memory_gib_per_vcpu
