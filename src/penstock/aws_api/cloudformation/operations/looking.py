"""Operations that only look: stacks, their events, resources, exports."""

from collections.abc import Mapping

from penstock.aws_api.cloudformation import limits, texts
from penstock.aws_api.cloudformation.exports import importers
from penstock.aws_api.cloudformation.operations.desk import Desk, page, position
from penstock.aws_api.cloudformation.operations.views import (
    event_view,
    resource_detail_view,
    resource_summary_view,
    resource_view,
    stack_view,
    summary_view,
)
from penstock.aws_api.cloudformation.records import GONE, Resource, Stack
from penstock.aws_api.service import Answer, Call, Context, Operation


class LookingOperations:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._repository = desk.repository

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {
            "DescribeStackEvents": self.events,
            "DescribeStackResource": self.resource,
            "DescribeStackResources": self.resources,
            "DescribeStacks": self.describe,
            "ListExports": self.exports,
            "ListImports": self.imports,
            "ListStackResources": self.list_resources,
            "ListStacks": self.list,
        }

    def describe(self, call: Call) -> Answer:
        name = call.params.get("StackName")
        if name:
            return {"Stacks": [stack_view(self._desk.stack(str(name), call.context))]}
        stacks = [item for item in self._repository.stacks(call.context.region) if item.deleted is None]
        found, more = page(stacks[::-1], call.params)
        return {"Stacks": [stack_view(item) for item in found], **more}

    def list(self, call: Call) -> Answer:
        wanted = set(call.params.get("StackStatusFilter", ()))
        stacks = self._repository.stacks(call.context.region)
        stacks = [item for item in stacks if not wanted or item.status in wanted]
        found, more = page(stacks[::-1], call.params)
        return {"StackSummaries": [summary_view(item) for item in found], **more}

    def events(self, call: Call) -> Answer:
        stack = self._desk.stack(str(call.params["StackName"]), call.context, texts.no_stack)
        token = call.params.get("NextToken")
        found, more = self._repository.events(stack, None if token is None else position(token), limits.PAGE)
        following = {} if more is None else {"NextToken": str(more)}
        return {"StackEvents": [event_view(stack, item) for item in found], **following}

    def resource(self, call: Call) -> Answer:
        name, logical_id = str(call.params["StackName"]), str(call.params["LogicalResourceId"])
        stack = self._desk.stack(name, call.context, lambda given: texts.invalid(f"Stack '{given}' does not exist"))
        resource = self._shown(stack).get(logical_id)
        if resource is None:
            raise texts.invalid(f"Resource {logical_id} does not exist for stack {stack.name}")
        return {"StackResourceDetail": resource_detail_view(stack, resource)}

    def resources(self, call: Call) -> Answer:
        params = call.params
        physical_id, logical_id = params.get("PhysicalResourceId"), params.get("LogicalResourceId")
        if physical_id:
            if params.get("StackName"):
                raise texts.invalid("StackName and PhysicalResourceId cannot both be specified")
            stack = self._holder(str(physical_id), call.context)
        else:
            stack = self._desk.stack(str(params.get("StackName", "")), call.context)
        shown = self._shown(stack).values()
        found = [item for item in shown if logical_id in (None, item.logical_id)]
        return {"StackResources": [resource_view(stack, item) for item in found]}

    def _holder(self, physical_id: str, context: Context) -> Stack:
        for stack in self._repository.stacks(context.region):
            if stack.deleted is None:
                for resource in self._shown(stack).values():
                    if resource.physical_id == physical_id and resource.status not in GONE:
                        return stack
        raise texts.invalid(f"Stack for {physical_id} does not exist")

    def _shown(self, stack: Stack) -> dict[str, Resource]:
        return self._repository.resources(stack)

    def list_resources(self, call: Call) -> Answer:
        stack = self._desk.stack(str(call.params["StackName"]), call.context)
        found, more = page(list(self._shown(stack).values()), call.params)
        return {"StackResourceSummaries": [resource_summary_view(item) for item in found], **more}

    def exports(self, call: Call) -> Answer:
        exports = [
            {"ExportingStackId": stack.id, "Name": item["export"], "Value": item["value"]}
            for stack in self._repository.stacks(call.context.region)
            if stack.deleted is None
            for item in stack.outputs
            if "export" in item
        ]
        found, more = page(sorted(exports, key=lambda item: str(item["Name"])), call.params)
        return {"Exports": list(found), **more}

    def imports(self, call: Call) -> Answer:
        name = str(call.params["ExportName"])
        names = [item.name for item in importers(self._repository.stacks(call.context.region), name)]
        if not names:
            raise texts.invalid(f"Export '{name}' is not imported by any stack.")
        found, more = page(names, call.params)
        return {"Imports": list(found), **more}
