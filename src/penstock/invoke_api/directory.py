"""Ports of the door: who knows the functions, and who takes asynchronous invocations."""

from dataclasses import dataclass
from typing import Protocol

from penstock.model.function import Function
from penstock.router import Router


@dataclass(frozen=True, slots=True)
class Invocable:
    """A function that can be invoked. `version` is the one that runs, as X-Amz-Executed-Version shows it."""

    function: Function
    router: Router
    version: str


class Directory(Protocol):
    def find(self, name: str, qualifier: str | None) -> Invocable | None:
        """The function called `name`; `qualifier` is a version, an alias, `$LATEST.PUBLISHED` or None."""


class EventInvoker(Protocol):
    def accept(self, invocable: Invocable, payload: bytes, client_context: str, trace_id: str, request_id: str) -> bool:
        """Take an event to be handled later; False when no more can be kept. `payload` is JSON, `client_context` too or
        empty.
        """
