"""The platform's end of the control socket: never blocks the event loop."""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence

from penstock.environment.sandbox.init.wire import Inbox, Message, encode


class Channel:
    """Messages out in order, each with its descriptors; messages in to `on_message`; `on_end` once, when the other
    side is gone. `close` ends it without `on_end`.
    """

    def __init__(
        self, control: socket.socket, on_message: Callable[[Message], None], on_end: Callable[[], None]
    ) -> None:
        control.setblocking(False)
        self._control = control
        self._on_message = on_message
        self._on_end = on_end
        self._inbox = Inbox()
        self._outgoing: deque[tuple[memoryview, Sequence[int]]] = deque()
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(control, self._readable)

    def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send when the socket takes it. The channel closes `fds`, also when nothing can be sent any more."""
        if self._closed:
            _close_all(fds)
            return
        self._outgoing.append((memoryview(encode(message)), fds))
        if len(self._outgoing) == 1:
            self._flush()

    def take_fd(self) -> int:
        """A descriptor that came with the message being handled; the caller owns it."""
        return self._inbox.take_fd()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._control)
        self._loop.remove_writer(self._control)
        self._control.close()
        self._inbox.close()
        for _, fds in self._outgoing:
            _close_all(fds)
        self._outgoing.clear()

    def _flush(self) -> None:
        while self._outgoing:
            data, fds = self._outgoing[0]
            try:
                sent = socket.send_fds(self._control, [data], fds) if fds else self._control.send(data)
            except BlockingIOError:
                self._loop.add_writer(self._control, self._flush)
                return
            except OSError:
                self._end()
                return
            # Descriptors travel with the first byte.
            _close_all(fds)
            if sent < len(data):
                self._outgoing[0] = (data[sent:], ())
            else:
                self._outgoing.popleft()
        self._loop.remove_writer(self._control)

    def _readable(self) -> None:
        try:
            messages = self._inbox.receive(self._control)
        except BlockingIOError:
            return
        except (EOFError, OSError):
            self._end()
            return
        for message in messages:
            if not self._closed:
                self._on_message(message)

    def _end(self) -> None:
        self.close()
        self._on_end()


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
