"""The service: its operations put together, each of which can be tried without being done."""

from collections.abc import Iterator, Mapping
from typing import Final

from penstock.aws_api.ec2 import network
from penstock.aws_api.ec2.describing import DescribeOperations
from penstock.aws_api.ec2.errors import dry_run
from penstock.aws_api.ec2.group_rules import GroupRuleOperations
from penstock.aws_api.ec2.groups import GroupOperations, Groups
from penstock.aws_api.ec2.instances import InstanceOperations, InstancesNow
from penstock.aws_api.ec2.tags import TagOperations, Tags
from penstock.aws_api.service import Answer, Call, Context, Operation
from penstock.aws_api.store import Store
from penstock.model.clock import Clock


class Ec2Service:
    """`instances` tells those of all capacity providers, in all Regions, as they are now."""

    name: Final = "ec2"

    def __init__(self, store: Store, clock: Clock, instances: InstancesNow = tuple) -> None:
        del clock  # nothing here depends on the time
        tags = Tags(store)
        self._groups = Groups(store)
        self._instances = InstanceOperations(tags, instances, self._groups.names)
        operations: dict[str, Operation] = {
            **DescribeOperations(tags).operations,
            **GroupRuleOperations(self._groups, tags).operations,
            **GroupOperations(store, self._groups, tags, self._instances.used_groups).operations,
            **self._instances.operations,
            **TagOperations(store, tags, self._ids).operations,
        }
        self._operations = {name: _or_try(operation) for name, operation in operations.items()}

    @property
    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    async def start(self) -> None:
        """Each call is one transaction, so nothing is ever half done."""

    async def close(self) -> None:
        """Nothing to end."""

    def _ids(self, context: Context) -> Iterator[str]:
        """Of all that can be tagged."""
        yield network.vpc_id(context)
        for subnet in network.subnets(context):
            yield subnet["SubnetId"]
        for table in network.route_tables(context):
            yield table["RouteTableId"]
        for gateway in network.internet_gateways(context):
            yield gateway["InternetGatewayId"]
        yield from self._groups.names(context)
        yield from self._instances.ids(context)


def _or_try(operation: Operation) -> Operation:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html"""

    def perform(call: Call) -> Answer:
        if call.params.get("DryRun"):
            raise dry_run()
        answer = operation(call)
        assert isinstance(answer, dict)
        return answer

    return perform
