"""What the command line decided about the platform, as one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from penstock.environment.faults import Fault
from penstock.runtime_api.bandwidth import Bandwidth
from penstock.scaler import LaunchDelays, ScalerSettings


@dataclass(frozen=True, slots=True)
class PlatformSettings:
    """`port` is the first function's, the next function takes the next one; 0 picks free ones. `drain` and
    `init_timeout` in seconds; no `init_timeout` means AWS's rule.
    """

    host: str
    port: int
    cache: Path
    state: Path
    """Logs are kept below it."""
    layers: Mapping[str, Path]
    built: bool
    isolated_network: bool
    namespaces: bool
    drain: float
    init_timeout: float | None = None
    enforce_vcpu_share: bool = True
    """Let no environment borrow what its neighbours leave idle, where the kernel allows it. Whether AWS does is not
    documented: that it does not is assumed."""
    faults: tuple[Fault, ...] = ()
    """Each happens once to each function."""
    bandwidth: Bandwidth | None = None
    """Of each streamed response; as fast as it can be by default."""
    aws_port: int | None = None
    """Of the AWS-compatible endpoint; 0 picks a free one, None: there is none."""
    https: bool = False
    keys: Path | None = None
    """A key file; without one a file is made when signatures are to be verified."""
    cancel_on_disconnect: bool = False
    access_log: bool = True
    """Tell the reporter of each request."""
    async_retry_delay: float = 60.0
    """Seconds from the first error of an asynchronous invocation to its next attempt; the second wait is twice that.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""

    scaling: bool = True
    """Grow and shrink with the load; else the number of environments stays."""
    min_environments: int | None = None
    """For each function that is deployed, in place of its own."""
    max_environments: int | None = None
    """For each function, in place of the template's."""
    launch_delays: LaunchDelays = field(default_factory=LaunchDelays.none)
    scaler: ScalerSettings = field(default_factory=ScalerSettings)
    control: bool = True
    """Answer `penstock status` and `penstock fault`."""
    keep_visible: tuple[Path, ...] = ()
    """Paths that must be seen inside environments where they are, besides those that packages need."""

    @property
    def scheme(self) -> str:
        return "https" if self.https else "http"
