"""Memory, vCPUs, concurrency, time and number of environments of a Managed Instances function."""

from typing import Final

from penstock.model.errors import UserError
from penstock.model.limits import (
    DEFAULT_CONCURRENCY_PER_VCPU,
    DEFAULT_MEMORY_GIB_PER_VCPU,
    DEFAULT_MIN_ENVIRONMENTS,
    DEFAULT_TIMEOUT_S,
    MAX_CONCURRENCY,
    MAX_ENVIRONMENTS,
    MAX_EPHEMERAL_STORAGE_MIB,
    MAX_INVOKE_TIMEOUT_S,
    MAX_MEMORY_MIB,
    MEMORY_GIB_PER_VCPU,
    MIN_CONCURRENCY,
    MIN_EPHEMERAL_STORAGE_MIB,
    MIN_MEMORY_MIB,
)
from penstock.template.properties import Path, Properties

# Asynchronous invocations and queues may run this long on Managed Instances; nothing that waits for an answer may.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
_MAX_ASYNC_TIMEOUT_S: Final = 5_400

CONFIG: Final[Path] = ("CapacityProviderConfig", "LambdaManagedInstancesCapacityProviderConfig")
RATIO: Final[Path] = (*CONFIG, "ExecutionEnvironmentMemoryGiBPerVCpu")
CONCURRENCY: Final[Path] = (*CONFIG, "PerExecutionEnvironmentMaxConcurrency")
_SCALING: Final = "FunctionScalingConfig"
_MIN: Final[Path] = (_SCALING, "MinExecutionEnvironments")
_MAX: Final[Path] = (_SCALING, "MaxExecutionEnvironments")


def read_size(properties: Properties) -> tuple[int, float]:
    """Memory in MiB and GiB of memory per vCPU."""
    allowed = ", ".join(f"{ratio:g}" for ratio in MEMORY_GIB_PER_VCPU)
    ratio = properties.number(*RATIO, low=MEMORY_GIB_PER_VCPU[0], high=MEMORY_GIB_PER_VCPU[-1])
    if ratio is None:
        ratio = DEFAULT_MEMORY_GIB_PER_VCPU
    if ratio not in MEMORY_GIB_PER_VCPU:
        raise properties.bad_value(RATIO, ratio, f"allowed: {allowed}")
    memory = properties.integer("MemorySize", low=MIN_MEMORY_MIB, high=MAX_MEMORY_MIB)
    if memory is None:
        # assumed: Lambda's default of 128 MB is below what Managed Instances take, so the least they take.
        memory = MIN_MEMORY_MIB
    step = int(ratio * 1024)
    if memory % step:
        rule = f"allowed: a multiple of {step} ({ratio:g} GiB for each vCPU)"
        raise properties.bad_value(("MemorySize",), memory, rule)
    return memory, ratio


def read_concurrency(properties: Properties, runtime: str, vcpus: float) -> int:
    """Slots of one environment: the template's number, or the runtime's default for each vCPU."""
    given = properties.integer(*CONCURRENCY, low=MIN_CONCURRENCY, high=MAX_CONCURRENCY)
    if given is not None:
        return given
    family = next(name for name in DEFAULT_CONCURRENCY_PER_VCPU if runtime.startswith(name))
    return min(MAX_CONCURRENCY, int(DEFAULT_CONCURRENCY_PER_VCPU[family] * vcpus))


def read_timeout(properties: Properties, *, has_url: bool) -> int:
    """Seconds."""
    longest = MAX_INVOKE_TIMEOUT_S if has_url else _MAX_ASYNC_TIMEOUT_S
    timeout = properties.integer("Timeout", low=1, high=longest)
    return DEFAULT_TIMEOUT_S if timeout is None else timeout


def read_ephemeral_storage(properties: Properties) -> int:
    """MiB of /tmp."""
    size = properties.integer("EphemeralStorage", "Size", low=MIN_EPHEMERAL_STORAGE_MIB, high=MAX_EPHEMERAL_STORAGE_MIB)
    return MIN_EPHEMERAL_STORAGE_MIB if size is None else size


def read_environments(properties: Properties, minimum: int | None) -> tuple[int, int | None]:
    """Least and most execution environments. `minimum`, from the command line, wins over the template's.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-scaling.html: min 0 only with max 0.
    """
    low = properties.integer(*_MIN, low=0, high=MAX_ENVIRONMENTS)
    high = properties.integer(*_MAX, low=0, high=MAX_ENVIRONMENTS)
    if minimum is not None:
        if high is not None and minimum > high:
            raise properties.error(_MAX, f"is {high}, but --min-environments asks for {minimum}")
        return minimum, high
    low = DEFAULT_MIN_ENVIRONMENTS if low is None else low
    if low == 0 and high != 0:
        raise properties.bad_value(_MIN, 0, "allowed: 1 or more, or 0 together with MaxExecutionEnvironments 0")
    if high is not None and high < low:
        raise properties.bad_value(_MAX, high, f"allowed: at least MinExecutionEnvironments, which is {low}")
    return low, high


def check_minimum(minimum: int | None) -> None:
    if minimum is not None and not 1 <= minimum <= MAX_ENVIRONMENTS:
        raise UserError(f"--min-environments: bad value {minimum}; allowed: 1 to {MAX_ENVIRONMENTS}")
