"""Clients that leave where the function is told, and offers of another protocol."""

import orjson
import pytest

from penstock.model.errors import InvocationError, PlatformError
from support.url_story import GET, Rig, prelude

LEFT = "Client.Disconnected: the client left before its answer was complete"


class Cancelled(Rig):
    """What a Target does: `cancel` fails the invocation, until it has ended."""

    def __init__(self, *, cancel_on_disconnect: bool = True) -> None:
        super().__init__(cancel_on_disconnect=cancel_on_disconnect)
        self.errors: list[InvocationError] = []

    def request(self, data: bytes = GET) -> "Cancelled":
        super().request(data)
        self.invocation.cancel = self._cancel
        return self

    def _cancel(self, error: InvocationError) -> None:
        self.errors.append(error)
        self.invocation.sink.fail(error)


class TestCancelOnDisconnect:
    @pytest.mark.parametrize("how", ["hang_up", "reset"])
    @pytest.mark.parametrize("phase", ["waiting", "prelude", "streaming", "buffered"])
    def test_ends_the_invocation(self, how: str, phase: str) -> None:
        rig = Cancelled().request()
        if phase != "waiting":
            rig.begin(streaming=phase != "buffered").write(b"{" if phase == "prelude" else prelude() + b"part")
        before = len(rig.peer.received)
        getattr(rig.peer, how)()
        [error] = rig.errors
        assert isinstance(error, PlatformError)
        assert str(error) == rig.record.note == LEFT
        assert len(rig.peer.received) == before
        assert rig.peer.transport.late == b""
        assert rig.door.open_requests == 0
        assert not rig.source.paused

    def test_of_a_client_that_held_the_function_back(self) -> None:
        rig = Cancelled().request()
        rig.begin().write(prelude())
        rig.peer.transport.stuck = True
        rig.write(b"x" * 70_000)
        rig.peer.reset()
        assert len(rig.errors) == 1
        assert not rig.source.paused

    @pytest.mark.parametrize(
        ("method", "status"), [(b"HEAD", 200), (b"GET", 204), (b"GET", 304), (b"GET", 205), (b"HEAD", 204)]
    )
    def test_not_when_the_head_was_the_whole_answer(self, method: bytes, status: int) -> None:
        rig = Cancelled().request(b"%b / HTTP/1.1\r\nhost: x\r\n\r\n" % method)
        rig.begin().write(prelude(status))
        rig.peer.hang_up()
        assert rig.errors == []
        rig.finish()
        assert (rig.record.status, rig.record.note) == (status, "")

    def test_not_after_the_answer(self) -> None:
        rig = Cancelled().request()
        rig.begin("text/plain").write(b"x").finish()
        rig.peer.hang_up()
        assert rig.errors == []

    def test_not_before_the_request_is_complete(self) -> None:
        rig = Rig(cancel_on_disconnect=True).request(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhi")
        rig.peer.hang_up()
        assert rig.record.note == "client left before its request was complete"

    def test_not_of_an_invocation_that_has_ended_by_itself(self) -> None:
        rig = Cancelled().request()
        rig.invocation.cancel = None
        rig.peer.hang_up()
        assert rig.records == []
        rig.fail()
        assert len(rig.records) == 1

    def test_not_unless_asked_for(self) -> None:
        rig = Cancelled(cancel_on_disconnect=False).request()
        rig.peer.hang_up()
        assert rig.errors == []
        assert rig.begin("text/plain").write(b"x").finish().record.note == "client left"


class TestUpgrade:
    WEBSOCKET = (
        b"GET /socket HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: %b\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )

    @pytest.mark.parametrize("offer", [b"websocket", b"WebSocket", b"h2c, websocket"])
    def test_websocket_is_refused_in_words(self, offer: bytes) -> None:
        rig = Rig().request(self.WEBSOCKET % offer)
        answer = rig.answer()
        assert (answer.status, answer.header("content-type")) == (400, "application/json")
        assert "WebSocket" in orjson.loads(answer.body)["message"]
        assert rig.target.taken == []
        assert (rig.record.status, rig.record.path) == (400, "/socket")
        assert "WebSocket" in rig.record.note
        assert rig.door.open_requests == 0

    def test_connection_goes_on_after_it(self) -> None:
        rig = Rig().request(self.WEBSOCKET % b"websocket")
        rig.answer()
        assert rig.request().target.taken

    @pytest.mark.parametrize("offer", [b"h2c", b"TLS/1.0", b"x"])
    def test_other_offers_are_declined_and_the_request_served(self, offer: bytes) -> None:
        rig = Rig().request(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: %b\r\n\r\n" % offer)
        [event] = rig.target.events
        assert "upgrade" not in orjson.loads(event)["headers"]
