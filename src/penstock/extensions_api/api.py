"""The Extensions API of one execution environment under Managed Instances: SHUTDOWN is the only event there is.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
https://github.com/aws/aws-lambda-runtime-interface-emulator (internal/lambda-managed-instances/rapi)
"""

import re
from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

import orjson

from penstock.extensions_api import messages
from penstock.extensions_api.extension import Extension, State
from penstock.model.limits import MAX_ERROR_BODY_BYTES, MAX_EXTENSIONS
from penstock.wire.bodies import CollectedBody, answer
from penstock.wire.exchange import Discard, Exchange
from penstock.wire.http_messages import METHOD_NOT_ALLOWED, NOT_FOUND
from penstock.wire.http_server import HttpConnection

_KNOWN_TYPE: Final = re.compile(r"Extension\.[A-Z][a-zA-Z]+")


class ExtensionsApi:
    """`identity` is the register reply's functionName, functionVersion and handler, in that order of keys.

    `on_change()` is called whenever an extension registered or became ready; `on_error(name, error_type)` when one
    reported an error, which by itself ends nothing: the environment ends when its process exits.
    """

    def __init__(
        self,
        identity: dict[str, str],
        account_id: str,
        *,
        on_change: Callable[[], None],
        on_error: Callable[[str, str], None],
    ) -> None:
        self._identity = identity
        self._account_id = account_id
        self._on_change = on_change
        self._on_error = on_error
        self._by_name: dict[str, Extension] = {}
        self._closed = False

    # --- the platform's side ---

    @property
    def extensions(self) -> Iterable[Extension]:
        return self._by_name.values()

    def expect(self, name: str) -> None:
        """An external extension of this name is being launched."""
        self._by_name[name] = Extension(name, external=True)

    def close_registration(self) -> None:
        """Internal extensions may register until the runtime's first `/next`."""
        self._closed = True

    @property
    def all_registered(self) -> bool:
        return all(extension.state is not State.STARTED for extension in self._by_name.values())

    @property
    def all_ready(self) -> bool:
        return all(extension.state in (State.READY, State.RUNNING) for extension in self._by_name.values())

    def shut_down(self, reason: str, deadline_ms: int) -> frozenset[str]:
        """Send SHUTDOWN to its subscribers; the names of those who were waiting for it. Who has reported an error while
        it waited is refused now.

        `reason` is `spindown` or `failure`, `deadline_ms` epoch milliseconds.
        """
        event = messages.ok({"eventType": "SHUTDOWN", "deadlineMs": deadline_ms, "shutdownReason": reason})
        told = set()
        for extension in self._by_name.values():
            if "SHUTDOWN" in extension.events and extension.poll and extension.move(State.RUNNING):
                extension.poll.respond(event)
                extension.poll = None
                told.add(extension.name)
            elif extension.state is State.EXIT_ERROR and extension.poll:
                why = "concurrent state modification"
                refusal = messages.transition_refusal(extension.state, State.READY, extension.identifier, why)
                extension.poll.respond(refusal)
                extension.poll = None
        return frozenset(told)

    def identify(self, headers: dict[bytes, bytes]) -> Extension | bytes:
        """Who sent a request, or the answer that refuses it."""
        identifier = _read_identifier(headers)
        if isinstance(identifier, bytes):
            return identifier
        return self._find(identifier) or messages.unknown_extension(f"Unknown extension {identifier}")

    # --- the extensions' side ---

    def open_exchange(self, connection: HttpConnection) -> Exchange:
        """Route one request. The connection's target starts with the API's version."""
        target = connection.target
        if target == messages.EVENT_NEXT:
            return (
                self._event_next(connection) if connection.method == b"GET" else answer(connection, METHOD_NOT_ALLOWED)
            )
        if target not in (messages.REGISTER, messages.INIT_ERROR, messages.EXIT_ERROR):
            return answer(connection, NOT_FOUND)
        if connection.method != b"POST":
            return answer(connection, METHOD_NOT_ALLOWED)
        if target == messages.REGISTER:
            headers = dict(connection.headers)
            return CollectedBody(
                connection,
                lambda body: connection.respond(self._register(headers, body)),
                MAX_ERROR_BODY_BYTES,
                messages.BODY_TOO_LARGE,
            )
        failed = State.INIT_ERROR if target == messages.INIT_ERROR else State.EXIT_ERROR
        return answer(connection, self._report_error(dict(connection.headers), failed))

    def _register(self, headers: dict[bytes, bytes], body: bytes) -> bytes:
        """The checks in the service's order; the reply."""
        name = headers.get(b"lambda-extension-name", b"").decode("latin-1")
        if not name:
            return messages.EMPTY_NAME
        events = _read_registration(body)
        if isinstance(events, bytes):
            return events
        extension = self._by_name.get(name)
        refused = (
            self._refuse_external(extension, events)
            if extension and extension.external
            else self._refuse_internal(extension, events)
        )
        if refused:
            return refused
        if extension is None:
            extension = self._by_name[name] = Extension(name, external=False)
        extension.move(State.REGISTERED)
        extension.events = events
        self._on_change()
        return self._registered(extension, headers.get(b"lambda-extension-accept-feature", b"").decode("latin-1"))

    def _refuse_external(self, extension: Extension, events: tuple[str, ...]) -> bytes | None:
        for event in events:
            if event != "SHUTDOWN":
                return messages.refusal("Extension.InvalidEventType", f"{event}: ErrorInvalidEventType")
        if extension.state is not State.STARTED:
            return messages.transition_refusal(extension.state, State.REGISTERED, extension.name)
        return None

    def _refuse_internal(self, extension: Extension | None, events: tuple[str, ...]) -> bytes | None:
        if events:
            return messages.INTERNAL_EVENTS
        if self._closed:
            return messages.REGISTRATION_CLOSED
        if len(self._by_name) >= MAX_EXTENSIONS:
            return messages.TOO_MANY
        return messages.NAME_TAKEN if extension else None

    def _registered(self, extension: Extension, features: str) -> bytes:
        wants_account = "accountId" in (feature.strip() for feature in features.split(","))
        reply = {"accountId": self._account_id} if wants_account and self._account_id else {}
        return messages.ok(
            {**reply, **self._identity}, b"lambda-extension-identifier: %b\r\n" % extension.identifier.encode()
        )

    def _event_next(self, connection: HttpConnection) -> Exchange:
        found = self.identify(dict(connection.headers))
        if isinstance(found, bytes):
            return answer(connection, found)
        current = found.state
        if not found.move(State.READY):
            return answer(connection, messages.transition_refusal(current, State.READY, found.identifier))
        found.poll = connection
        self._on_change()
        return _EventPoll(found)

    def _report_error(self, headers: dict[bytes, bytes], failed: State) -> bytes:
        """The checks in the service's order; the reply."""
        identifier = _read_identifier(headers)
        if isinstance(identifier, bytes):
            return identifier
        value = headers.get(b"lambda-extension-function-error-type", b"").decode("latin-1")
        if not value:
            return messages.MISSING_ERROR_TYPE
        found = self._find(identifier)
        if found is None:
            return messages.unknown_extension("Unknown Lambda-Extension-Identifier")
        current = found.state
        if not found.move(failed):
            name = "InitError" if failed is State.INIT_ERROR else "Exited"
            return messages.transition_refusal(current, name, found.identifier)
        default = "Extension.InitError" if failed is State.INIT_ERROR else "Extension.ExitError"
        self._on_error(found.name, value if _KNOWN_TYPE.search(value) else default)
        return messages.ACCEPTED

    def _find(self, identifier: str) -> Extension | None:
        return next((one for one in self._by_name.values() if one.identifier == identifier), None)


class _EventPoll(Discard):
    __slots__ = ("_extension",)

    def __init__(self, extension: Extension) -> None:
        self._extension = extension

    def lost(self) -> None:
        self._extension.poll = None


def _read_identifier(headers: dict[bytes, bytes]) -> str | bytes:
    """The identifier an extension was given when it registered, or the refusal."""
    value = headers.get(b"lambda-extension-identifier", b"").decode("latin-1")
    if not value:
        return messages.MISSING_IDENTIFIER
    try:
        return str(UUID(value))
    except ValueError:
        return messages.INVALID_IDENTIFIER


def _read_registration(body: bytes) -> tuple[str, ...] | bytes:
    """The events asked for, or the refusal."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return messages.refusal("InvalidRequestFormat", str(error))
    if value is None:
        value = {}
    if not isinstance(value, dict):
        return messages.refusal("InvalidRequestFormat", "the body is not a JSON object")
    if value.get("configurationKeys"):
        return messages.CONFIGURATION_KEYS
    events = value.get("events") or []
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        return messages.refusal("InvalidRequestFormat", "events is not a list of strings")
    return tuple(dict.fromkeys(events))
