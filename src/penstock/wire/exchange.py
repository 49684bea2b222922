"""What a door does with one request: the port between a connection and whoever answers."""

from typing import Final, Protocol


class Exchange(Protocol):
    """One request and its answer, as a door handles it. Calls come from the event loop, in this order:
    `body` any number of times, then `end`; `lost` at any moment before the answer is complete, and then no more.
    """

    def body(self, chunk: bytes) -> None: ...
    def end(self) -> None:
        """The request is complete; its trailers, if any, are in `connection.trailers`."""

    def lost(self) -> None:
        """The peer went away, or broke the protocol, before the answer was complete."""

    def pause_writing(self) -> None:
        """The peer reads more slowly than we write: stop the source of the bytes."""

    def resume_writing(self) -> None: ...


class Discard:
    """An exchange already answered: what still arrives is thrown away. Also the base of simple exchanges."""

    __slots__ = ()

    def body(self, chunk: bytes) -> None: ...
    def end(self) -> None: ...
    def lost(self) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...


DISCARD: Final = Discard()
