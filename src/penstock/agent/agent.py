"""One instance's agent. On AWS it runs on the instance; here the machine is the only instance there is.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-scaling.html (Lambda Agent)
"""

import asyncio
from collections.abc import Callable

from penstock.environment.environment import Environment
from penstock.environment.spec import EnvironmentSpec
from penstock.model.clock import Clock
from penstock.model.errors import StartError
from penstock.telemetry.log_writer import LogWriter


class Agent:
    """Owns every environment it started until its last process is gone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._environments: set[Environment] = set()

    @property
    def environments(self) -> frozenset[Environment]:
        return frozenset(self._environments)

    async def start(
        self, spec: EnvironmentSpec, writer: LogWriter, on_death: Callable[[Environment, StartError], None]
    ) -> Environment:
        """Start one environment and return it Ready. Raises StartError when it cannot start: nothing of it is left.

        `on_death` is told when it dies later, by itself.
        """
        environment = Environment(spec, self._clock, writer, on_death)
        await environment.start()
        self._environments.add(environment)
        return environment

    async def stop(self, environment: Environment, drain: float) -> None:
        """Let what is in flight end, at most `drain` seconds, then end the environment."""
        await environment.stop(drain)
        self._environments.discard(environment)

    async def close(self, drain: float) -> None:
        """End every environment, all at the same time."""
        await asyncio.gather(*(self.stop(environment, drain) for environment in self._environments))
