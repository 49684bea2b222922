"""What the functions of one process share, and how the environments of one come to be."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

from penstock.agent import Agent
from penstock.cli.memory import cpu_home, memory_home
from penstock.cli.platform_settings import PlatformSettings
from penstock.cli.reporter import Reporter
from penstock.control_plane import Fleet
from penstock.control_plane.autoscaler import Autoscaler, local_policy
from penstock.control_plane.instances import Instances
from penstock.control_plane.scaling import ScalingLoop
from penstock.control_plane.usage import UsageWatch
from penstock.environment.environment import Environment
from penstock.environment.faults import FaultPlan
from penstock.environment.memory import CgroupHome, CpuHome
from penstock.environment.spec import EnvironmentSpec
from penstock.function_url import UrlHosts
from penstock.model.clock import Clock
from penstock.model.function import CapacityProvider, Function
from penstock.model.limits import MIN_INIT_TIMEOUT_S
from penstock.packaging.package import Package
from penstock.router import Router
from penstock.scaler import policy_of
from penstock.telemetry.access import AccessRecord
from penstock.telemetry.log_tail import LogTails
from penstock.telemetry.log_writer import LogWriter


def on_access(settings: PlatformSettings, reporter: Reporter) -> Callable[[AccessRecord], None]:
    """Who is told of each request that is over."""
    return reporter.access if settings.access_log else _nobody


def _nobody(record: AccessRecord) -> None:
    pass


class Machine:
    """What the functions of one process share, and how the environments of one come to be on it. `work_root` is where
    environments keep their `/tmp`.
    """

    def __init__(
        self,
        region: str,
        account_id: str,
        settings: PlatformSettings,
        clock: Clock,
        reporter: Reporter,
        work_root: Path,
    ) -> None:
        self.region = region
        self.account_id = account_id
        self.settings = settings
        self.clock = clock
        self.reporter = reporter
        self.work_root = work_root
        self.usage = UsageWatch(clock)
        self.hosts = UrlHosts(clock)
        self.log_tails = LogTails()
        self._instances: dict[str, Instances] = {}
        self.url_over = on_access(settings, reporter)
        """Told of each request to a Function URL when it is over."""
        self.scaling = ScalingLoop(self._instances.values(), self.usage, clock, scaling=settings.scaling)

    @cached_property
    def memory_home(self) -> CgroupHome | None:
        return memory_home(self.reporter)

    @cached_property
    def cpu_home(self) -> CpuHome:
        return cpu_home(self.reporter, self.memory_home, enforce=self.settings.enforce_vcpu_share)

    @property
    def environments(self) -> frozenset[Environment]:
        """Those that run now."""
        return frozenset(environment for one in self._instances.values() for environment in one.environments)

    def instances_of(self, provider: CapacityProvider) -> Instances:
        """Those of a capacity provider; as it is said now, when it was said otherwise before."""
        found = self._instances.get(provider.arn)
        if found is None:
            found = self._instances[provider.arn] = Instances(
                provider,
                self.region,
                self.clock,
                lambda: Agent(self.clock),
                self.reporter.instance,
                self.settings.launch_delays,
            )
        elif found.provider != provider:
            found.configure(provider)
        return found

    def fleet(self, function: Function, package: Package, router: Router, writer: LogWriter) -> Fleet:
        instances = self.instances_of(function.capacity_provider)
        return Fleet(self._spec(function, package), instances, router, writer, self.clock, self.reporter.fleet)

    def autoscaler(self, fleet: Fleet, router: Router) -> Autoscaler:
        """The loop has it from now on."""
        policy = local_policy(policy_of(fleet.function, self.settings.scaler), self.settings.max_environments)
        autoscaler = Autoscaler(fleet, router, policy, self.usage, self.clock, self.reporter.scaling)
        self.scaling.autoscalers.append(autoscaler)
        return autoscaler

    def reconfigure(self, autoscaler: Autoscaler, provider: CapacityProvider) -> None:
        """The capacity provider aims at another CPU utilization from now on."""
        function = replace(autoscaler.fleet.function, capacity_provider=provider)
        target = policy_of(function, self.settings.scaler).target_cpu
        autoscaler.policy = replace(autoscaler.policy, target_cpu=target)

    def tell_notes(self) -> None:
        """What this machine does not allow, once, however many environments met it."""
        notes = dict.fromkeys(note for environment in self.environments for note in environment.notes)
        for note in notes:
            self.reporter.warn(note)

    async def close(self) -> None:
        """End every environment."""
        await asyncio.gather(*(one.close() for one in self._instances.values()))

    def _spec(self, function: Function, package: Package) -> EnvironmentSpec:
        settings = self.settings
        told = partial(self.reporter.fault, function.logical_id)
        return EnvironmentSpec(
            function=function,
            region=self.region,
            account_id=self.account_id,
            task_root=package.task_root,
            opt_root=package.opt_root,
            lang_root=package.lang_root,
            keep_visible=(*package.keep_visible, *settings.keep_visible),
            work_root=self.work_root,
            isolated_network=settings.isolated_network,
            namespaces=settings.namespaces,
            init_timeout=settings.init_timeout or max(MIN_INIT_TIMEOUT_S, function.timeout_s),
            memory_home=self.memory_home,
            cpu_home=self.cpu_home,
            faults=FaultPlan(settings.faults, told) if settings.faults else None,
            runtime_root=package.runtime_root,
            bandwidth=settings.bandwidth,
            log_tails=self.log_tails,
        )
