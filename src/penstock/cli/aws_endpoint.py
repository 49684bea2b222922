"""The AWS-compatible port, of `penstock serve` and of `penstock up --aws-port`: AWS's services over one store, Invoke,
and every Function URL by its host.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final

from penstock.aws_api.cloudformation import CloudFormationService
from penstock.aws_api.cloudwatch import CloudWatchService
from penstock.aws_api.door import AwsDoor
from penstock.aws_api.ec2 import Ec2Instance, Ec2Service
from penstock.aws_api.functions import LambdaService
from penstock.aws_api.guard import guarded
from penstock.aws_api.iam import IamService
from penstock.aws_api.logs import FunctionLog, LogsService
from penstock.aws_api.s3 import S3Service
from penstock.aws_api.service import Dispatcher
from penstock.aws_api.store import Store
from penstock.aws_api.sts import StsService
from penstock.cli.machine import Machine, on_access
from penstock.cli.metrics import Metrics
from penstock.cli.security import must_sign
from penstock.cli.served import Served, log_path
from penstock.cli.versions import AdoptedUrl, AdoptedVersion, Versions
from penstock.control_plane.autoscaler import Autoscaler
from penstock.function_url import FunctionUrl
from penstock.invoke_api.destinations import Destinations
from penstock.invoke_api.door import InvokeApi
from penstock.invoke_api.event_queue import EventQueue, QueueSettings
from penstock.invoke_api.queued_event import EventAttempt
from penstock.invoke_api.retry import RetrySettings
from penstock.model.function import Function
from penstock.model.instances import InstanceState
from penstock.model.limits import MAX_URL_HEADER_BYTES
from penstock.router import Router
from penstock.telemetry.access import AccessRecord
from penstock.wire.exchange import Exchange
from penstock.wire.http_server import HttpConnection
from penstock.wire.listener import BURST_HANDLES, Listener
from penstock.wire.sigv4 import Verifier
from penstock.wire.timeouts import Timeouts

# EC2 knows nothing of draining.
_EC2_STATES: Final = {InstanceState.DRAINING: InstanceState.RUNNING.value}


class AwsEndpoint:
    """`make_door` makes the doors of Function URLs. `verifier` knows the keys; whether every request must be signed
    follows from the settings.
    """

    def __init__(
        self,
        sock: socket.socket,
        machine: Machine,
        store: Store,
        make_door: Callable[[Function, Router], FunctionUrl],
        verifier: Verifier | None,
    ) -> None:
        self.sock = sock
        self._machine = machine
        self._store = store
        self._log_names: dict[str, str] = {}
        self._tell_access = on_access(machine.settings, machine.reporter)
        machine.url_over = self._url_over
        self._versions = Versions(machine, make_door, sock.getsockname()[1])
        settings, clock, reporter = machine.settings, machine.clock, machine.reporter
        self._dispatcher = dispatcher = Dispatcher()
        cloudwatch = CloudWatchService(store, clock)
        self._metrics = Metrics(machine.scaling, clock, cloudwatch.publish)
        machine.scaling.looked = self._metrics.look
        self._lambda = LambdaService(
            store,
            clock,
            dispatcher,
            self._versions,
            machine.region,
            machine.account_id,
            layers=settings.layers,
            on_warning=reporter.warn,
        )
        sts = StsService(store, clock, dispatcher, verifier.keys if verifier else None)
        if verifier:
            verifier.keys = sts.sessions  # temporary ones as well
        for service in (
            sts,
            IamService(store, clock),
            Ec2Service(store, clock, self._instances),
            S3Service(store, clock),
            LogsService(store, clock, self),
            cloudwatch,
            self._lambda,
            CloudFormationService(store, clock, dispatcher),
        ):
            dispatcher.add(service)
        signed = verifier if must_sign(settings) else None
        self._events = EventQueue(
            clock,
            Destinations(settings.state / "destinations", reporter.warn),
            self._lambda.directory,
            on_attempt=self._attempt_over,
            on_discard=reporter.event_discarded,
            settings=QueueSettings(RetrySettings.of_delay(settings.async_retry_delay)),
        )
        self._aws = AwsDoor(
            dispatcher,
            clock,
            machine.region,
            machine.account_id,
            verifier=_for_every_service(signed),
            cache=settings.cache,
            on_fault=reporter.warn,
        )
        self._invoke = InvokeApi(
            self._lambda.directory,
            clock,
            machine.region,
            machine.account_id,
            self._call_over,
            other=self._aws.open_exchange,
            verifier=signed,
            events=self._events,
            log_tails=machine.log_tails,
            cancel_on_disconnect=settings.cancel_on_disconnect,
        )
        self._behind_guard = guarded(self._invoke.open_exchange, settings.host)
        self._listener = Listener(self._open_exchange, MAX_URL_HEADER_BYTES, Timeouts(), clock)

    def _call_over(self, record: AccessRecord) -> None:
        self._metrics.call_over(record)
        self._tell_access(record)

    def _attempt_over(self, attempt: EventAttempt) -> None:
        self._metrics.attempt_over(attempt)
        self._machine.reporter.event_attempt(attempt)

    def _url_over(self, record: AccessRecord) -> None:
        self._metrics.url_over(record)
        self._tell_access(record)

    def adopt(self, served: Served, autoscaler: Autoscaler, url: str | None) -> None:
        """Show a function that runs from a template."""
        package = served.package
        self._log_names[served.function.name] = served.function.logical_id
        self._lambda.adopt(
            served.function,
            AdoptedVersion(served, autoscaler),
            AdoptedUrl(url) if url else None,
            package.code_sha256,
            package.code_size,
        )

    def _instances(self) -> Sequence[Ec2Instance]:
        clock, scaling = self._machine.clock, self._machine.scaling
        began = clock.epoch() - clock.monotonic()
        return [
            Ec2Instance(
                instance_id=one.instance.instance_id,
                instance_type=one.instance.type.name,
                architecture=provider.provider.architecture.value,
                vcpus=one.instance.type.vcpus,
                zone=one.instance.zone,
                security_group_ids=provider.provider.security_group_ids,
                launched_at=began + one.instance.launched_at,
                state=_EC2_STATES.get(one.instance.state, one.instance.state.value),
                capacity_provider_arn=provider.provider.arn,
            )
            for provider in scaling.instances
            for one in provider.live
        ]

    def groups(self) -> Sequence[FunctionLog]:
        """The functions' log files, for CloudWatch Logs."""
        state = self._machine.settings.state
        return [
            FunctionLog(one.group, one.arn, log_path(state, self._log_names.get(one.name, one.name)), one.created_ms)
            for one in self._lambda.function_logs()
        ]

    async def start(self) -> None:
        """Take up what the last run left."""
        for service in self._dispatcher.services.values():
            await service.start()

    async def serve(self) -> None:
        await self._listener.start(self.sock, BURST_HANDLES)

    def _open_exchange(self, connection: HttpConnection) -> Exchange:
        url = self._machine.hosts.find(connection)  # meant for browsers, so before the guard
        return url.open_exchange(connection) if url else self._behind_guard(connection)

    @property
    def open_requests(self) -> int:
        return self._invoke.open_requests + self._versions.open_requests

    async def drain(self, seconds: float) -> None:
        """Take no more requests and let what runs end, asynchronous invocations as well, at most `seconds`."""
        others = (self._events.drain(seconds), self._versions.drain(seconds), self._aws.drain())
        await self._invoke.open.drain(self._listener, seconds, *others)

    def hurry(self) -> None:
        """Wait no longer for open requests."""
        self._invoke.open.stop_draining()
        self._versions.hurry()

    async def stop(self) -> None:
        """Before the environments end: nothing more is begun, and events that were not handled are written to files."""
        await self._aws.close()
        for event in self._events.close():
            self._machine.reporter.event_discarded(event)
        self._metrics.close()
        await asyncio.gather(*(service.close() for service in self._dispatcher.services.values()))
        await self._versions.stop()

    async def close(self) -> None:
        """Break what is still open."""
        await self._versions.close()
        await self._listener.close()
        self.sock.close()
        self._store.close()


def _for_every_service(verifier: Verifier | None) -> Verifier | None:
    """One that knows the same keys, whatever service and region are signed for."""
    return Verifier(verifier.keys, service=None, region=None) if verifier else None
