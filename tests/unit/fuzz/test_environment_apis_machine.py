"""Any calls of the APIs inside an environment, in any order, cut anywhere, from several connections at once.

What must hold however it goes: nothing raises, every invocation ends exactly once, free slots are the polls that wait,
and nothing is left when the clients have gone.
"""

import asyncio
from typing import Final

import orjson
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from penstock.model.errors import FunctionError
from penstock.model.limits import MAX_EXTENSIONS
from support.answers import read_answers
from support.apis_rig import ApisRig
from support.fuzzing import TRIED, examples
from support.runtime_rig import INVOCATION, chunks, request
from support.transport import Peer

EXTENSION: Final = "/2020-01-01/extension/"
IDS: Final = ("a", "b", "c")
STRANGER: Final = "11111111-2222-4333-8444-555555555555"
STATUSES: Final = {200, 202, 400, 403, 404, 405, 410, 413, 431, 500}

NEXT: Final = request("GET", f"{INVOCATION}next")

GARBAGE: Final = [
    b"\0", b"\r\n", b"GET", b" / HTTP/1.1\r\n\r\n", b"content-length: 5\r\n\r\n", b"zz\r\n", b"0\r\n\r\n",
    b"POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
    b"POST /2018-06-01/runtime/invocation/a/error HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n",
    b"GET /2018-06-01/runtime/invocation/next HTTP/1.0\r\n\r\n", b"connection: close\r\n", b"\xff" * 9,
    b"CONNECT a:1 HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
]  # fmt: skip


def response_post(request_id: str, mode: str, kind: str, echo: str | None) -> bytes:
    """One answer of a worker. `kind` says how its body is framed, or how it fails."""
    headers = {"lambda-runtime-function-response-mode": mode} if mode else {}
    if echo:
        headers["lambda-runtime-invocation-id"] = echo
    path = f"{INVOCATION}{request_id}/response"
    if kind == "whole":
        return request("POST", path, headers, b"answer")
    framed = {**headers, "transfer-encoding": "chunked"}
    if kind == "chunked":
        return request("POST", path, framed) + chunks(b"an", b"swer")
    if kind == "trailers":
        trailers = {"lambda-runtime-function-error-type": "Function.Odd", "lambda-runtime-function-error-body": "e30="}
        return request("POST", path, framed) + chunks(b"an", trailers=trailers)
    if kind == "open":
        return request("POST", path, framed) + chunks(b"an", end=False)
    return request("POST", path, framed) + b"2\r\nanBROKEN"


REQUESTS = st.one_of(
    st.just(NEXT),
    st.builds(
        response_post,
        st.sampled_from((*IDS, "nobody")),
        st.sampled_from(("", "streaming", "odd")),
        st.sampled_from(("whole", "chunked", "trailers", "open", "broken")),
        st.sampled_from((None, STRANGER)),
    ),
    st.sampled_from(
        [request("POST", f"{INVOCATION}{one}/error", {"lambda-runtime-function-error-type": "X"}, b"{}") for one in IDS]
        + [
            request("POST", "/2018-06-01/runtime/init/error", {}, b"why"),
            request("GET", "/2018-06-01/ping"),
            request("GET", "/elsewhere"),
            request("PUT", f"{INVOCATION}a/response", {}, b""),
        ]
    ),
)


class EnvironmentApisMachine(RuleBasedStateMachine):
    """Each step runs inside one event loop, as it would."""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.accepted: dict[str, int] = dict.fromkeys(IDS, 0)
        self.rest: dict[Peer, bytes] = {}
        self.identifiers: list[str] = [STRANGER, "no uuid", ""]
        self.tame: set[Peer] = set()
        self.rig = self.loop.run_until_complete(self._make())

    async def _make(self) -> ApisRig:
        rig = ApisRig()
        rig.apis.extensions.expect("external")
        return rig

    def run(self, peer: Peer, data: bytes) -> None:
        """One read of the server's."""

        async def step() -> None:
            peer.send(data)
            await self.rig.settle()

        TRIED["calls of an environment's APIs"] += 1
        self.loop.run_until_complete(step())

    def peer(self, number: int) -> Peer:
        while len(self.rig.peers) < 1 + number:
            made = self.loop.run_until_complete(self._connect())
            self.rest[made] = b""
            self.tame.add(made)
        return self.rig.peers[number]

    async def _connect(self) -> Peer:
        return self.rig.connect()

    def say(self, number: int, data: bytes, cut: float) -> None:
        """Send the first part of `data`, after what is left of what was begun before."""
        peer = self.peer(number)
        data = self.rest[peer] + data
        now = int(len(data) * cut) if cut < 1 else len(data)
        self.rest[peer] = data[now:]
        self.run(peer, data[:now])

    # --- from inside ---

    numbers = st.integers(0, 4)
    cuts = st.floats(0, 1) | st.just(1.0)

    @rule(number=numbers, data=REQUESTS, cut=cuts)
    def call(self, number: int, data: bytes, cut: float) -> None:
        self.say(number, data, cut)

    @rule(number=numbers)
    def poll(self, number: int) -> None:
        self.say(number, NEXT, 1.0)

    @rule(number=numbers, request_id=st.sampled_from(IDS), kind=st.sampled_from(("whole", "chunked", "open")))
    def answer(self, number: int, request_id: str, kind: str) -> None:
        self.say(number, response_post(request_id, "streaming", kind, None), 1.0)

    @rule(number=numbers)
    def finish_sentence(self, number: int) -> None:
        self.say(number, b"", 1.0)

    @rule(number=numbers, data=st.sampled_from(GARBAGE) | st.binary(min_size=1, max_size=30))
    def garbage(self, number: int, data: bytes) -> None:
        self.tame.discard(self.peer(number))
        self.say(number, data, 1.0)

    @rule(number=numbers, name=st.sampled_from(["external", "internal", "x", ""]), events=st.booleans())
    def register(self, number: int, name: str, events: bool) -> None:
        body = orjson.dumps({"events": ["SHUTDOWN"] if events else []})
        self.say(number, request("POST", f"{EXTENSION}register", {"lambda-extension-name": name}, body), 1.0)
        self.identifiers += [one.identifier for one in self.rig.apis.extensions.extensions]

    @rule(
        number=numbers,
        which=st.integers(0, 30),
        call=st.sampled_from([("GET", "event/next"), ("POST", "init/error"), ("POST", "exit/error")]),
        cut=cuts,
    )
    def extension(self, number: int, which: int, call: tuple[str, str], cut: float) -> None:
        headers = {
            "lambda-extension-identifier": self.identifiers[which % len(self.identifiers)],
            "lambda-extension-function-error-type": "Extension.Odd",
        }
        self.say(number, request(call[0], EXTENSION + call[1], headers, b""), cut)

    @rule(number=numbers, which=st.integers(0, 30), tcp=st.booleans())
    def subscribe(self, number: int, which: int, tcp: bool) -> None:
        destination: dict[str, object] = {"protocol": "HTTP", "URI": "http://sandbox:1/"}
        if tcp:
            destination = {"protocol": "TCP", "port": 1}
        value = {"schemaVersion": "2025-01-29", "types": ["platform", "function"], "destination": destination}
        headers = {"lambda-extension-identifier": self.identifiers[which % len(self.identifiers)]}
        self.say(number, request("PUT", "/2022-07-01/telemetry", headers, orjson.dumps(value)), 1.0)

    @rule(number=numbers, how=st.sampled_from([Peer.hang_up, Peer.reset]))
    def leave(self, number: int, how: object) -> None:
        if number < len(self.rig.peers):
            peer = self.rig.peers.pop(number)
            self.check_peer(peer)
            self.loop.run_until_complete(self._leave(peer, reset=how is Peer.reset))

    async def _leave(self, peer: Peer, *, reset: bool) -> None:
        peer.reset() if reset else peer.hang_up()
        assert peer.transport.lost
        assert not peer.transport.late, "written where nobody reads"

    @rule(number=numbers, stuck=st.booleans())
    def stop_or_start_reading(self, number: int, stuck: bool) -> None:
        transport = self.peer(number).transport
        if stuck:
            transport.stuck = True
        else:
            self.loop.run_until_complete(self._flush(self.peer(number)))

    async def _flush(self, peer: Peer) -> None:
        peer.transport.flush()
        peer.settle()

    # --- from the platform ---

    @rule(request_id=st.sampled_from(IDS), timeout=st.integers(1, 3))
    def invoke(self, request_id: str, timeout: int) -> None:
        free = self.rig.apis.runtime.idle
        running = request_id in self.rig.apis.runtime.running
        sink = self.rig.invoke(request_id, timeout)
        if running or not free:
            assert sink is None
        if sink:
            self.rig.sinks[f"{request_id}-{self.accepted[request_id]}"] = sink
            self.accepted[request_id] += 1

    @rule()
    def dispatch(self) -> None:
        self.rig.clock.run_soon()

    @rule(seconds=st.sampled_from((0.5, 1.0, 5.0)))
    def time_passes(self, seconds: float) -> None:
        async def step() -> None:
            self.rig.clock.advance(seconds)
            await self.rig.settle()

        self.loop.run_until_complete(step())

    @rule()
    def runtime_dies(self) -> None:
        self.rig.apis.runtime.abort(FunctionError("Runtime.ExitError"))
        assert not self.rig.apis.runtime.running

    @rule(closing=st.sampled_from(("registration", "subscriptions", "environment")))
    def close(self, closing: str) -> None:
        if closing == "registration":
            self.rig.apis.extensions.close_registration()
        elif closing == "subscriptions":
            self.rig.apis.telemetry.close_subscriptions()
        else:
            self.rig.apis.extensions.shut_down("spindown", 1)

    @rule()
    def something_is_logged(self) -> None:
        async def step() -> None:
            self.rig.apis.telemetry.publish("function", "line", self.rig.clock.epoch())
            await self.rig.settle()

        self.loop.run_until_complete(step())

    # --- what always holds ---

    @invariant()
    @precondition(lambda self: hasattr(self, "rig"))
    def invocations_end_once(self) -> None:
        running = self.rig.apis.runtime.running
        over = sum(sink.over for sink in self.rig.sinks.values())
        assert len(self.rig.ended) == over == sum(self.accepted.values()) - len(running)
        assert len(self.rig.started) <= sum(self.accepted.values())

    @invariant()
    @precondition(lambda self: hasattr(self, "rig"))
    def free_slots_are_waiting_polls(self) -> None:
        undispatched = len(self.rig.clock.soon)
        assert self.rig.apis.runtime.idle == self.rig.parked
        if not undispatched:
            waiting = [peer for peer in self.tame & set(self.rig.peers) if peer.connection.answerable]
            assert self.rig.apis.runtime.idle >= sum(self.is_polling(peer) for peer in waiting)

    def is_polling(self, peer: Peer) -> bool:
        """As its client sees it: the last thing it asked for was an invocation, and no answer has come."""
        connection = peer.connection
        return (
            connection.target == f"{INVOCATION}next".encode() and connection.method == b"GET" and connection._received
        )

    @invariant()
    @precondition(lambda self: hasattr(self, "rig"))
    def nothing_grows(self) -> None:
        assert len(self.rig.connections) == sum(not peer.transport.lost for peer in self.rig.peers)
        assert len(list(self.rig.apis.extensions.extensions)) <= MAX_EXTENSIONS
        assert len(self.rig.apis.telemetry._subscribers) <= MAX_EXTENSIONS
        assert not self.rig.apis.telemetry._subscribing

    def check_peer(self, peer: Peer) -> None:
        """Whatever it was sent is whole answers of known statuses, and at most one for each request."""
        if peer in self.tame and not peer.transport.stuck:
            answers = read_answers(peer.received)
            assert {one.status for one in answers} <= STATUSES
            assert all(one.complete for one in answers)

    def teardown(self) -> None:
        if not hasattr(self, "rig"):
            return
        self.loop.run_until_complete(self._end())
        self.loop.close()

    async def _end(self) -> None:
        rig = self.rig
        for peer in rig.peers:
            self.check_peer(peer)
            peer.reset()
        rig.clock.run_soon()
        rig.clock.advance(10)
        await rig.apis.close()
        assert (rig.apis.runtime.idle, rig.apis.runtime.running, rig.connections) == (0, {}, set())
        assert rig.clock.waiting == 0
        assert all(sink.over for sink in rig.sinks.values())


TestEnvironmentApis = EnvironmentApisMachine.TestCase
TestEnvironmentApis.settings = settings(
    max_examples=examples(60),
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
