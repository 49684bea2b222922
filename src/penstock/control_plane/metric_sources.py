"""What functions and capacity providers are asked, so that there are metrics of them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from penstock.model.throttles import ThrottleReason


class FunctionSample(NamedTuple):
    """A function version at one moment. Percentages are None where nothing could be read; `throttles` count from the
    start.
    """

    concurrency: int
    busiest: int
    """Requests in the environment that has the most."""
    limit: int
    environments: int
    cpu_percent: float | None
    memory_percent: float | None
    throttles: Mapping[ThrottleReason, int]


class MetricSource(Protocol):
    """What a function version is asked, about once a second: it counts what is there, and waits for nothing."""

    @property
    def function(self) -> str:
        """Its name."""

    @property
    def version(self) -> str: ...

    @property
    def alias(self) -> str | None: ...

    @property
    def capacity_provider(self) -> str:
        """Its name."""

    def sample(self) -> FunctionSample: ...


class ProviderSample(NamedTuple):
    """The instances of one type. Memory in bytes; percentages are None where nothing could be read."""

    instance_type: str
    cpu_percent: float | None
    memory_percent: float | None
    vcpus_available: float
    vcpus_allocated: float
    memory_available: float
    memory_allocated: float


class ProviderSource(Protocol):
    @property
    def capacity_provider(self) -> str:
        """Its name."""

    def sample(self) -> Sequence[ProviderSample]: ...
