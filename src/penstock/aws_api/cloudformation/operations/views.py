"""Stacks, resources, events and change sets as answers show them."""

import json
from typing import Any

from penstock.aws_api.cloudformation.reading.given import HIDDEN
from penstock.aws_api.cloudformation.records import ChangeSet, Json, Resource, Stack
from penstock.aws_api.cloudformation.repository import moment
from penstock.aws_api.service import Answer

_NOT_CHECKED = {"StackDriftStatus": "NOT_CHECKED"}
_RESOURCE_NOT_CHECKED = {"StackResourceDriftStatus": "NOT_CHECKED"}


def without_none(**members: Any) -> Answer:
    return {name: value for name, value in members.items() if value is not None}


def stack_view(stack: Stack) -> Answer:
    return without_none(
        StackId=stack.id,
        StackName=stack.name,
        ChangeSetId=stack.change_set_id or None,
        Description=stack.description or None,
        Parameters=parameters_view(stack.parameters),
        CreationTime=moment(stack.created),
        LastUpdatedTime=None if stack.updated is None else moment(stack.updated),
        DeletionTime=None if stack.deleted is None else moment(stack.deleted),
        RollbackConfiguration=stack.rollback_configuration,
        StackStatus=stack.status,
        StackStatusReason=stack.reason or None,
        DisableRollback=stack.disable_rollback,
        RetainExceptOnCreate=stack.retain_except_on_create or None,
        NotificationARNs=stack.notification_arns,
        TimeoutInMinutes=stack.timeout_minutes,
        Capabilities=stack.capabilities,
        Outputs=[_output(item) for item in stack.outputs],
        RoleARN=stack.role_arn or None,
        Tags=tags_view(stack.tags),
        EnableTerminationProtection=stack.protected,
        DriftInformation=_NOT_CHECKED,
    )


def summary_view(stack: Stack) -> Answer:
    return without_none(
        StackId=stack.id,
        StackName=stack.name,
        TemplateDescription=stack.description or None,
        CreationTime=moment(stack.created),
        LastUpdatedTime=None if stack.updated is None else moment(stack.updated),
        DeletionTime=None if stack.deleted is None else moment(stack.deleted),
        StackStatus=stack.status,
        StackStatusReason=stack.reason or None,
        DriftInformation=_NOT_CHECKED,
    )


def tags_view(tags: dict[str, str]) -> list[Json]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def parameters_view(parameters: list[Json]) -> list[Json]:
    return [
        {"ParameterKey": item["key"], "ParameterValue": HIDDEN if item["hidden"] else item["value"]}
        for item in parameters
    ]


def _output(item: Json) -> Json:
    return without_none(
        OutputKey=item["key"],
        OutputValue=item["value"],
        Description=item.get("description") or None,
        ExportName=item.get("export"),
    )


def event_view(stack: Stack, event: Json) -> Answer:
    return without_none(
        StackId=stack.id,
        EventId=event["id"],
        StackName=stack.name,
        LogicalResourceId=event["logical"],
        PhysicalResourceId=event["physical"],
        ResourceType=event["type"],
        Timestamp=moment(event["time"]),
        ResourceStatus=event["status"],
        ResourceStatusReason=event["reason"] or None,
        ResourceProperties=event["properties"],
        ClientRequestToken=event["token"] or None,
    )


def resource_view(stack: Stack, resource: Resource) -> Answer:
    return without_none(
        StackName=stack.name,
        StackId=stack.id,
        LogicalResourceId=resource.logical_id,
        PhysicalResourceId=resource.physical_id or None,
        ResourceType=resource.type,
        Timestamp=moment(resource.time),
        ResourceStatus=resource.status,
        ResourceStatusReason=resource.reason or None,
        DriftInformation=_RESOURCE_NOT_CHECKED,
    )


def resource_summary_view(resource: Resource) -> Answer:
    return without_none(
        LogicalResourceId=resource.logical_id,
        PhysicalResourceId=resource.physical_id or None,
        ResourceType=resource.type,
        LastUpdatedTimestamp=moment(resource.time),
        ResourceStatus=resource.status,
        ResourceStatusReason=resource.reason or None,
        DriftInformation=_RESOURCE_NOT_CHECKED,
    )


def resource_detail_view(stack: Stack, resource: Resource) -> Answer:
    return without_none(
        StackName=stack.name,
        StackId=stack.id,
        **resource_summary_view(resource),
        Metadata=json.dumps(resource.metadata or {}),
    )


def change_set_summary_view(change_set: ChangeSet) -> Answer:
    return without_none(
        StackId=change_set.stack_id,
        StackName=change_set.stack_name,
        ChangeSetId=change_set.id,
        ChangeSetName=change_set.name,
        ExecutionStatus=change_set.execution,
        Status=change_set.status,
        StatusReason=change_set.reason or None,
        CreationTime=moment(change_set.created),
        Description=change_set.description or None,
        IncludeNestedStacks=False,
    )


def change_set_view(change_set: ChangeSet) -> Answer:
    wanted = change_set.wanted
    return without_none(
        **change_set_summary_view(change_set),
        Parameters=parameters_view(wanted.get("parameters", [])),
        NotificationARNs=wanted.get("notification_arns", []),
        RollbackConfiguration=wanted.get("rollback_configuration", {}),
        Capabilities=wanted.get("capabilities", []),
        Tags=tags_view(wanted.get("tags", {})),
        OnStackFailure=change_set.options.get("on_failure"),
    )


def change_view(change: Json) -> Answer:
    return {"Type": "Resource", "ResourceChange": change}
