"""Every limit Penstock enforces, with its source. What AWS does not publish says `assumed`."""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# Invocation payloads: 6 MB, and the service's own slack of 100 bytes on responses.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
# https://github.com/aws/aws-lambda-runtime-interface-emulator (lambda-managed-instances, max payload size)
MAX_REQUEST_BYTES: Final = 6 * MIB
MAX_BUFFERED_RESPONSE_BYTES: Final = 6 * MIB + 100
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
MAX_STREAMED_RESPONSE_BYTES: Final = 200 * MIB

# Request line plus headers of a Function URL request: 1 MB ("total combined size" in the quotas page above).
MAX_URL_HEADER_BYTES: Final = 1 * MIB
# Runtime API: Go's default header budget (1 MiB) plus its 4 KiB of slop; clients send up to 1 MiB in one header.
# https://pkg.go.dev/net/http#pkg-constants (DefaultMaxHeaderBytes)
MAX_RUNTIME_HEADER_BYTES: Final = 1 * MIB + 4 * KIB
# Bodies of /error, /init/error and of the Extensions API, in the same emulator.
MAX_ERROR_BODY_BYTES: Final = 1 * MIB
# Most polls one environment may park, in the same emulator.
MAX_IDLE_POLLS: Final = 10_000
# Timed-out request ids remembered so that a late answer gets 410 once, in the same emulator.
MAX_TIMED_OUT_IDS: Final = 1_000

# https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
MAX_EXTENSIONS: Final = 10

# https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
MAX_INVOKE_TIMEOUT_S: Final = 900
MIN_INIT_TIMEOUT_S: Final = 130
DEFAULT_TIMEOUT_S: Final = 3
SHUTDOWN_TOTAL_S: Final = 2.0
# The runtime's part of the shutdown, in the emulator named above.
SHUTDOWN_RUNTIME_S: Final = 0.6

# Sizing of a Managed Instances function.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-scaling.html
# botocore's service model lambda/2015-03-31 (LambdaManagedInstancesCapacityProviderConfig) for the ranges.
MIN_MEMORY_MIB: Final = 2048
MAX_MEMORY_MIB: Final = 32_768
MIN_CONCURRENCY: Final = 1
MAX_CONCURRENCY: Final = 1_600
MEMORY_GIB_PER_VCPU: Final = (2.0, 4.0, 8.0)
DEFAULT_MEMORY_GIB_PER_VCPU: Final = 2.0
MIN_MAX_VCPU: Final = 2
MAX_MAX_VCPU: Final = 15_000
DEFAULT_MAX_VCPU: Final = 400
DEFAULT_MIN_ENVIRONMENTS: Final = 3
MAX_ENVIRONMENTS: Final = 15_000
MIN_EPHEMERAL_STORAGE_MIB: Final = 512
MAX_EPHEMERAL_STORAGE_MIB: Final = 10_240
# Concurrency per vCPU when the template says none, by runtime family; Rust's 8 was measured by a third party.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-runtimes.html
DEFAULT_CONCURRENCY_PER_VCPU: Final = {"python": 16, "nodejs": 64, "java": 32, "dotnet": 32, "provided": 8}

# Open files in one environment: 4,096 on Managed Instances (1,024 on ordinary Lambda), in the quotas page above.
MAX_OPEN_FILES: Final = 4_096
