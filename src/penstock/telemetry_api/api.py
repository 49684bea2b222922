"""The Telemetry API of one execution environment.

https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html
https://github.com/aws/aws-lambda-runtime-interface-emulator (internal/lambda-managed-instances)
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from penstock.model.clock import Clock
from penstock.model.limits import MAX_ERROR_BODY_BYTES
from penstock.telemetry_api import events, messages
from penstock.telemetry_api.destinations import (
    DeliveryError,
    Destination,
    OpenSocket,
    Patience,
    make_destination,
)
from penstock.telemetry_api.events import Backlog, Content, TelemetryEventType
from penstock.telemetry_api.subscriber import Subscriber
from penstock.telemetry_api.subscription_error import InvalidSubscription
from penstock.wire.bodies import CollectedBody, answer
from penstock.wire.exchange import Exchange
from penstock.wire.http_messages import METHOD_NOT_ALLOWED, NOT_FOUND
from penstock.wire.http_server import HttpConnection

if TYPE_CHECKING:
    from penstock.telemetry_api.subscription import Subscription

Identify: TypeAlias = Callable[[dict[bytes, bytes]], str | bytes]
"""Given a request's headers: the name of the registered extension that sent it, or the answer that refuses it."""

_PATIENCE: Final = Patience()


class TelemetryApi:
    """Until `close_subscriptions`, everything published is kept as well, for those who subscribe later.

    Nothing a subscriber does, or fails to do, makes `publish` wait or raise.
    """

    def __init__(
        self, clock: Clock, *, identify: Identify, open_socket: OpenSocket, patience: Patience = _PATIENCE
    ) -> None:
        self.listening = True
        """Whether anybody may ever see what is published now: all that a request nobody follows has to look at."""
        self._clock = clock
        self._identify = identify
        self._open_socket = open_socket
        self._patience = patience
        self._backlog: Backlog | None = Backlog()
        self._subscribers: dict[str, Subscriber] = {}
        self._subscribing: set[asyncio.Task[None]] = set()

    # --- the platform's side ---

    def publish(self, event_type: TelemetryEventType, record: Content, time: float) -> None:
        """Tell every subscriber of the event's category. `time` in epoch seconds."""
        category = events.category_of(event_type) if self.listening else None
        if category is None:
            return
        event = events.encode(event_type, record, time)
        if self._backlog is not None:
            self._backlog.add(category, event)
        for subscriber in self._subscribers.values():
            subscriber.offer(category, event)

    def close_subscriptions(self) -> None:
        """Init ended: nobody may subscribe from now on, and nothing is kept."""
        self._backlog = None
        self.listening = bool(self._subscribers)

    async def flush(self, seconds: float) -> None:
        """Send what there is; return when all of it was sent or lost, or `seconds` passed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(subscriber.flush() for subscriber in self._subscribers.values()))

    async def close(self) -> None:
        """Send nothing more. Idempotent."""
        self._backlog = None
        self.listening = False
        for task in self._subscribing:
            task.cancel()
        await asyncio.gather(*self._subscribing, return_exceptions=True)
        subscribers, self._subscribers = self._subscribers, {}
        for subscriber in subscribers.values():
            await subscriber.close()

    # --- the extensions' side ---

    def open_exchange(self, connection: HttpConnection) -> Exchange:
        """Route one request. The connection's target starts with the API's version."""
        if connection.target != messages.PREFIX:
            return answer(connection, NOT_FOUND)
        if connection.method != b"PUT":
            return answer(connection, METHOD_NOT_ALLOWED)
        name = self._identify(dict(connection.headers))
        if isinstance(name, bytes):
            return answer(connection, name)
        return CollectedBody(
            connection,
            lambda body: self._begin(connection, name, body),
            MAX_ERROR_BODY_BYTES,
            messages.INTERNAL_ERROR,
        )

    def _begin(self, connection: HttpConnection, name: str, body: bytes) -> None:
        """In a task of its own: a TCP destination is connected to before the answer is known."""
        task = asyncio.get_running_loop().create_task(self._answer(connection, name, body))
        self._subscribing.add(task)
        task.add_done_callback(self._subscribing.discard)

    async def _answer(self, connection: HttpConnection, name: str, body: bytes) -> None:
        reply = await self._subscribe(name, body)
        if connection.answerable:
            connection.respond(reply)

    async def _subscribe(self, name: str, body: bytes) -> bytes:
        """The checks in the service's order; the reply."""
        from penstock.telemetry_api.subscription import read_subscription  # see there

        try:
            subscription = read_subscription(body)
            destination = make_destination(subscription.destination, self._open_socket, self._patience)
            await destination.open()
        except InvalidSubscription as error:
            return messages.invalid(str(error))
        except DeliveryError as error:
            return messages.invalid(f"Invalid destination: {error}")
        if self._backlog is None or name in self._subscribers:
            destination.close()
            return messages.CLOSED if self._backlog is None else messages.INTERNAL_ERROR
        self._add(name, subscription, destination, self._backlog)
        return messages.SUBSCRIBED

    def _add(self, name: str, subscription: "Subscription", destination: Destination, backlog: Backlog) -> None:
        categories = frozenset(subscription.types)
        subscriber = Subscriber(categories, subscription.buffering, destination, self._clock)
        for category, event in backlog.replay(categories, self._clock.epoch()):
            subscriber.offer(category, event)
        self._subscribers[name] = subscriber
        record = events.telemetry_subscription(name, subscription.types)
        self.publish("platform.telemetrySubscription", record, self._clock.epoch())
