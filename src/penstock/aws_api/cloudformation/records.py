"""What is kept of stacks, their resources and change sets. All of it is JSON."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Stack:
    """`template` names the revision in the templates' table. Times are seconds since 1970.

    `operation` is what runs, or ran when the process ended: `{"kind", "phase", "token", "context", ...}`.
    `previous` is what a rollback of an update returns to: the fields of `SAVED`.
    """

    id: str
    name: str
    region: str
    account: str
    endpoint: str
    created: float
    status: str = "REVIEW_IN_PROGRESS"
    reason: str = ""
    updated: float | None = None
    deleted: float | None = None
    description: str = ""
    template: str = ""
    parameters: list[Json] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    outputs: list[Json] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    notification_arns: list[str] = field(default_factory=list)
    rollback_configuration: Json = field(default_factory=dict)
    role_arn: str = ""
    on_failure: str = "ROLLBACK"
    disable_rollback: bool = False
    retain_except_on_create: bool = False
    timeout_minutes: int | None = None
    protected: bool = False
    policy: str = ""
    change_set_id: str = ""
    operation: Json | None = None
    previous: Json | None = None

    @property
    def busy(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


# What belongs to one state of a stack, and returns with it.
SAVED = (
    "description",
    "template",
    "parameters",
    "tags",
    "capabilities",
    "outputs",
    "imports",
    "notification_arns",
    "rollback_configuration",
    "role_arn",
)


@dataclass(slots=True)
class Resource:
    """One logical resource. `physical_id` is kept before the resource is made wherever its name is ours to give.

    `properties` are resolved, as last handed to the handler; `tags` are the stack's at that time; `note` is what the
    handler wanted kept before it began. `needs` are the logical ids it was made after.
    """

    logical_id: str
    type: str
    time: float
    physical_id: str = ""
    status: str = ""
    reason: str = ""
    initiated: bool = False
    properties: Json = field(default_factory=dict)
    attributes: Json = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    note: Json = field(default_factory=dict)
    needs: list[str] = field(default_factory=list)
    deletion_policy: str = "Delete"
    replace_policy: str = "Delete"
    metadata: Json | None = None
    earlier: list[Json] = field(default_factory=list)
    """`{"properties", "tags"}` of attempts before this one that did not come to their end: it may have any of them."""

    @property
    def perhaps(self) -> list[Json]:
        """Every state it may be in, the likeliest first."""
        return [{"properties": self.properties, "tags": self.tags}, *self.earlier]

    @property
    def exists(self) -> bool:
        """Whether something of it may be there: what failed cleanly has neither id nor note."""
        return self.status not in GONE and bool(self.initiated or self.physical_id or self.note)


# What a resource says that its stack has no more.
GONE = ("DELETE_COMPLETE", "DELETE_SKIPPED")


@dataclass(slots=True)
class ChangeSet:
    id: str
    name: str
    stack_id: str
    stack_name: str
    type: str
    created: float
    status: str = "CREATE_COMPLETE"
    reason: str = ""
    execution: str = "AVAILABLE"
    description: str = ""
    changes: list[Json] = field(default_factory=list)
    wanted: Json = field(default_factory=dict)
    """The fields of `SAVED` that the stack is to have."""
    options: Json = field(default_factory=dict)
