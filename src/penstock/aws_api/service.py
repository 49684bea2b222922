"""What a service of the endpoint is, to the door and to the other services: operations over Python values.

Parameters and answers have the form botocore gives them: what `boto3.client(...).method(**params)` takes and returns.
Reading them off the wire and writing them back is `protocol/`, by botocore's own service models.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

Params: TypeAlias = Mapping[str, Any]
"""Timestamps are aware datetimes, blobs are bytes; a streaming blob is a binary file, at its beginning."""

Answer: TypeAlias = dict[str, Any]
"""The members of the operation's output shape. A streaming blob is bytes or a FilePart, an event stream `Events`."""

Events: TypeAlias = AsyncIterator[Mapping[str, Mapping[str, Any]]]
"""Each one `{"eventName": {members}}`, as iterating botocore's EventStream gives them."""


@dataclass(frozen=True, slots=True)
class FilePart:
    """A piece of a file as an answer's body: `length` bytes from `offset` on. It is read while it is sent."""

    path: Path
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Context:
    """Around a call: who asks, where, and by which address (`http://127.0.0.1:4566`, without a slash at its end)."""

    region: str
    account_id: str
    request_id: str
    endpoint: str
    access_key_id: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    operation: str
    params: Params
    context: Context


class ServiceError(Exception):
    """A refusal in the service's own words. `code` is what a client branches on, as botocore gives it in
    `error.response["Error"]["Code"]`; `members` are further members of the error's shape, such as `Reason`.
    """

    def __init__(self, code: str, message: str, status: int = 400, members: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members: Mapping[str, Any] = members or {}


Operation: TypeAlias = Callable[[Call], Answer | Awaitable[Answer]]


class Service(Protocol):
    """One of AWS's services. `name` is botocore's (`boto3.client(name)`)."""

    @property
    def name(self) -> str: ...

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Those that are offered, by name. Each raises ServiceError."""

    async def start(self) -> None:
        """Before the first call: finish or take back what the last run left half done."""

    async def close(self) -> None:
        """After the last call."""


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Calls an operation of any service: the one way for the services to reach each other."""

    services: dict[str, Service] = field(default_factory=dict)

    def add(self, service: Service) -> None:
        self.services[service.name] = service

    async def call(self, service: str, operation: str, params: Params, context: Context) -> Answer:
        """Raises ServiceError, and KeyError for what is not offered: ask `offers` first where that can be."""
        found = self.services[service].operations[operation]
        answer = found(Call(operation, params, context))
        return answer if isinstance(answer, dict) else await answer

    def offers(self, service: str, operation: str) -> bool:
        return service in self.services and operation in self.services[service].operations
