"""What a handler of a resource type is, and the job it is given."""

import secrets
import string
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, TypeAlias, TypeVar
from uuid import uuid4

from penstock.aws_api.cloudformation import limits
from penstock.aws_api.cloudformation.handlers.schema import Schema
from penstock.aws_api.cloudformation.records import Json
from penstock.aws_api.service import Answer, Context, Dispatcher, ServiceError
from penstock.model import ids
from penstock.model.clock import Clock

T = TypeVar("T")
Calls: TypeAlias = dict[str, tuple[str, str]]

_LETTERS: Final = string.ascii_letters + string.digits
# How services are named in a handler's messages, and by which codes they say that something is not there, or is.
_DISPLAY: Final = {"iam": "Iam", "lambda": "Lambda", "logs": "CloudWatchLogs", "s3": "S3"}
_NOT_FOUND: Final = frozenset(
    ("NoSuchBucket", "NoSuchBucketPolicy", "NoSuchEntity", "NoSuchTagSet", "NotFound", "ResourceNotFoundException")
)
_EXISTS: Final = frozenset(
    ("BucketAlreadyExists", "BucketAlreadyOwnedByYou", "EntityAlreadyExists", "ResourceAlreadyExistsException")
)


class Stopped(Exception):
    """The operation was stopped while the resource was on its way."""


class HandlerFailure(Exception):
    """Why a resource could not be made, changed or deleted: the text of its event.

    `code` is one of CloudFormation's own.
    https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html
    """

    def __init__(self, reason: str, code: str = "GeneralServiceException") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


def handler_failure(message: str, code: str = "InvalidRequest") -> HandlerFailure:
    token = uuid4()
    reason = f'Resource handler returned message: "{message}" (RequestToken: {token}, HandlerErrorCode: {code})'
    return HandlerFailure(reason, code)


def already_exists(kind: str, identifier: str) -> HandlerFailure:
    message = f"Resource of type '{kind}' with identifier '{identifier}' already exists."
    return handler_failure(message, "AlreadyExists")


@dataclass(slots=True)
class Ground:
    """What all jobs of one operation share."""

    dispatcher: Dispatcher
    clock: Clock
    sleep: Callable[[float], Awaitable[object]]
    context: Context
    stack_name: str
    stop_asked: Callable[[], bool]


@dataclass(slots=True)
class Job:
    """One resource to work on. `properties` have passed the handler's schema; `changed` are those to bring about.

    `perhaps` are all properties it may have now, in the same form: more than one after an attempt that failed. `tags`
    are the stack's and the resource's own.
    """

    ground: Ground
    logical_id: str
    properties: Json
    physical_id: str = ""
    perhaps: list[Json] = field(default_factory=list)
    changed: frozenset[str] = frozenset()
    attributes: Json = field(default_factory=dict)
    note: Json = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    previous_tags: dict[str, str] = field(default_factory=dict)
    on_initiated: Callable[[str, Json], None] | None = None
    may_stop: bool = True

    @property
    def context(self) -> Context:
        return self.ground.context

    def initiated(self, physical_id: str, **attributes: Any) -> None:
        """It is there from now on, though perhaps not ready."""
        self.physical_id = physical_id
        self.attributes.update(attributes)
        if self.on_initiated:
            self.on_initiated(physical_id, self.attributes)

    def tag_changes(self) -> tuple[list[str], dict[str, str]]:
        """Keys to take off, and tags to set."""
        gone = [key for key in self.previous_tags if key not in self.tags]
        return gone, {key: value for key, value in self.tags.items() if self.previous_tags.get(key) != value}

    async def call(self, service: str, operation: str, **params: Any) -> Answer:
        """Raises HandlerFailure as CloudFormation words a service's refusal."""
        ground = self.ground
        if not ground.dispatcher.offers(service, operation):
            raise handler_failure(f"{operation} is not supported by Penstock", "InvalidRequest")
        given = {name: value for name, value in params.items() if value is not None}
        context = self.context
        request = Context(context.region, context.account_id, ids.request_id(), context.endpoint, context.access_key_id)
        try:
            return await ground.dispatcher.call(service, operation, given, request)
        except ServiceError as error:
            where = f"Service: {_DISPLAY.get(service, service)}, Status Code: {error.status}"
            told = f"{error.message} ({where}, Request ID: {request.request_id})"
            raise handler_failure(told, _error_code(error, operation)) from None

    async def try_call(self, service: str, operation: str, **params: Any) -> Answer | None:
        """None when what it names is not there."""
        try:
            return await self.call(service, operation, **params)
        except HandlerFailure as failure:
            if failure.code == "NotFound":
                return None
            raise

    async def until(self, look: Callable[[], Awaitable[T | None]]) -> T:
        """What `look` gives when it gives something. Raises Stopped, and HandlerFailure when that takes too long."""
        end = self.ground.clock.monotonic() + limits.STABLE_SECONDS
        while True:
            found = await look()
            if found is not None:
                return found
            if self.may_stop and self.ground.stop_asked():
                raise Stopped
            if self.ground.clock.monotonic() >= end:
                raise handler_failure("Exceeded attempts to wait", "NotStabilized")
            await self.ground.sleep(limits.LOOK_SECONDS)

    def generated_name(self, longest: int, *, lower: bool = False) -> str:
        """`<stack>-<logical id>-<12 random characters>`: what is too long loses its middle, never the tail.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
        """
        # CloudFormation's letters are upper and lower case; where a service takes lower case only, so are these.
        tail = "".join(secrets.choice(_LETTERS) for _ in range(12))
        room = longest - len(tail) - 1
        stack, logical_id = self.ground.stack_name, self.logical_id
        if len(stack) + 1 + len(logical_id) > room:
            stack = stack[: max(room // 2, room - 1 - len(logical_id))]
            logical_id = logical_id[: room - 1 - len(stack)]
        name = f"{stack}-{logical_id}-{tail}"
        return name.lower() if lower else name


class Handler:
    """One resource type. All methods raise HandlerFailure or Stopped.

    `create_only` are properties whose change makes a new resource; `attributes` are what `Fn::GetAtt` knows.
    """

    type: ClassVar[str]
    schema: ClassVar[Schema]
    create_only: ClassVar[frozenset[str]] = frozenset()
    attributes: ClassVar[tuple[str, ...]] = ()
    name_property: ClassVar[str] = ""
    """The property that names the resource, when two of one name cannot be."""
    taggable: ClassVar[bool] = False
    needs_operation: ClassVar[Calls] = {}
    """Properties that need a further call."""

    def faults(self, properties: Json, dispatcher: Dispatcher) -> list[str]:
        """What is wrong with the properties, each in a few words."""
        faults = self.schema.fit(properties)[1]
        for name, (service, operation) in self.needs_operation.items():
            if name in properties and not dispatcher.offers(service, operation):
                faults.append(f"#/{name}: is not supported by Penstock")
        return faults

    def fitted(self, properties: Json) -> Json:
        return self.schema.fit(properties)[0]

    async def draft(self, job: Job) -> str:
        """Before anything is made: what is to be remembered goes to `job.note`. Returns the physical id if it is
        ours to give, else nothing. It is kept before `create` begins, and what was cut off is deleted by it: what is
        there already is refused here."""
        return ""

    async def create(self, job: Job) -> None:
        """Make it: call `job.initiated` as soon as it is there. `job.physical_id` is what `draft` gave."""
        raise NotImplementedError

    async def update(self, job: Job) -> None:
        """Bring about `job.changed`; nothing of it is in `create_only`. New attributes go to `job.attributes`."""
        raise NotImplementedError

    async def delete(self, job: Job) -> None:
        """What is not there any more is deleted."""
        raise NotImplementedError

    async def find(self, job: Job) -> list[str]:
        """Physical ids of what may have been made by a `create` that was cut off, when `draft` gave none."""
        return []


def _error_code(error: ServiceError, operation: str) -> str:
    if error.code in _NOT_FOUND or error.status == 404:
        return "NotFound"
    if error.code in _EXISTS or (error.code == "ResourceConflictException" and operation.startswith("Create")):
        return "AlreadyExists"
    if error.code == "ResourceConflictException":
        return "ResourceConflict"
    if error.status in (401, 403):
        return "AccessDenied"
    if error.status == 429:
        return "Throttling"
    return "InvalidRequest" if error.status < 500 else "ServiceInternalError"


def tags_of(job_tags: dict[str, str]) -> list[dict[str, str]]:
    """As IAM and S3 take them."""
    return [{"Key": key, "Value": value} for key, value in job_tags.items()]
