"""Exports of stacks and who imports them, within one Region.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html
"""

from collections.abc import Iterable

from penstock.aws_api.cloudformation.records import Stack


def exporter(stacks: Iterable[Stack], name: str) -> Stack | None:
    for stack in stacks:
        if stack.deleted is None and any(item.get("export") == name for item in stack.outputs):
            return stack
    return None


def export_value(stacks: Iterable[Stack], name: str) -> str | None:
    stack = exporter(stacks, name)
    if stack is None:
        return None
    return next(str(item["value"]) for item in stack.outputs if item.get("export") == name)


def importers(stacks: Iterable[Stack], name: str) -> list[Stack]:
    return [stack for stack in stacks if stack.deleted is None and name in stack.imports]
