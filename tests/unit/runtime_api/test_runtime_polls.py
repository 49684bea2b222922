"""Routes and polls of the Runtime API (`rt-<number>`: the checklist of AWS's own suites)."""

import pytest

from support.runtime_rig import ARN, INVOCATION, RuntimeRig, request
from support.sink import RecordingSink


@pytest.mark.parametrize(
    ("method", "path", "status", "body", "content_type"),
    [
        ("GET", "/2018-06-01/ping", 200, b"pong", "text/plain; charset=utf-8"),
        ("POST", "/2018-06-01/ping", 405, b"", None),
        ("POST", f"{INVOCATION}next", 405, b"", None),
        ("GET", f"{INVOCATION}r1/response", 405, b"", None),
        ("PUT", f"{INVOCATION}r1/error", 405, b"", None),
        ("GET", "/2018-06-01/runtime/init/error", 405, b"", None),
        ("GET", f"{INVOCATION}next/", 404, b"404 page not found\n", "text/plain; charset=utf-8"),
        ("GET", "/2018-06-01/RUNTIME/invocation/next", 404, b"404 page not found\n", "text/plain; charset=utf-8"),
        ("POST", f"{INVOCATION}r1/response/", 404, b"404 page not found\n", "text/plain; charset=utf-8"),
        ("POST", f"{INVOCATION}r1", 404, b"404 page not found\n", "text/plain; charset=utf-8"),
        ("POST", f"{INVOCATION}a/b/response", 404, b"404 page not found\n", "text/plain; charset=utf-8"),
        ("GET", "/2018-06-01/runtime/restore/next", 404, b"404 page not found\n", "text/plain; charset=utf-8"),
        ("GET", "/2018-06-01/", 404, b"404 page not found\n", "text/plain; charset=utf-8"),
    ],
)
def test_routes(method: str, path: str, status: int, body: bytes, content_type: str | None) -> None:
    answer = RuntimeRig().worker().send(request(method, path)).answer()
    assert (answer.status, answer.body) == (status, body)
    if content_type:
        assert answer.header("content-type") == content_type
    if status == 404:
        assert answer.header("x-content-type-options") == "nosniff"


# --- next ---


def test_nothing_is_sent_until_an_invocation_comes() -> None:
    rig = RuntimeRig()
    worker = rig.poll()
    assert not worker.answered
    assert (rig.api.idle, rig.first_polls) == (1, 1)


def test_only_the_first_poll_is_told() -> None:
    rig = RuntimeRig()
    rig.poll()
    rig.poll()
    assert rig.first_polls == 1


def test_event_arrives_byte_for_byte_with_its_headers() -> None:
    rig = RuntimeRig()
    worker = rig.poll()
    invocation = rig.invocation(timeout=7)
    invocation.event = lambda: b' {"raw":\xff\0} '
    invocation.trace_id = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
    invocation.client_context = '{"custom":{}}'
    invocation.cognito_identity = '{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}'
    assert rig.api.invoke(invocation)
    answer = worker.answer()
    attempt = rig.api.running["r1"].attempt_id
    assert answer.body == b' {"raw":\xff\0} '
    assert answer.headers == (
        ("content-type", "application/json"),
        ("content-length", "12"),
        ("lambda-runtime-aws-request-id", "r1"),
        ("lambda-runtime-invocation-id", attempt),
        ("lambda-runtime-deadline-ms", "1700000007000"),
        ("lambda-runtime-invoked-function-arn", ARN),
        ("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"),
        ("lambda-runtime-client-context", '{"custom":{}}'),
        ("lambda-runtime-cognito-identity", '{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}'),
    )


@pytest.mark.parametrize("name", ["trace-id", "client-context", "cognito-identity"])
def test_empty_headers_are_left_out(name: str) -> None:
    rig = RuntimeRig()
    worker = rig.poll()
    assert rig.api.invoke(rig.invocation())
    assert worker.answer().header(f"lambda-runtime-{name}") is None


def test_content_type_is_always_there() -> None:
    """Without it AWS's own Python client ends with a segmentation fault (rt-214)."""
    rig = RuntimeRig()
    worker = rig.poll()
    invocation = rig.invocation()
    invocation.event = lambda: b""
    assert rig.api.invoke(invocation)
    answer = worker.answer()
    assert (answer.header("content-type"), answer.header("content-length")) == ("application/json", "0")


def test_oldest_poll_is_answered_first() -> None:
    rig = RuntimeRig()
    workers = [rig.poll() for _ in range(3)]
    for number, worker in enumerate(workers):
        assert rig.api.invoke(rig.invocation(f"r{number}"))
        assert worker.answer().header("lambda-runtime-aws-request-id") == f"r{number}"


def test_body_of_a_poll_is_ignored_and_the_poll_counts_when_it_is_complete() -> None:
    rig = RuntimeRig()
    worker = rig.worker().send(request("GET", f"{INVOCATION}next", {"content-length": "4"}), b"ab")
    assert rig.api.idle == 0
    worker.send(b"cd")
    assert rig.api.idle == 1


class TestDeadPolls:
    def test_hung_up_poll_is_no_slot(self) -> None:
        rig = RuntimeRig()
        first, second = rig.poll(), rig.poll()
        first.peer.hang_up()
        assert rig.api.idle == 1
        assert rig.api.invoke(rig.invocation())
        assert second.answer().status == 200

    def test_hung_up_in_the_middle_of_its_request(self) -> None:
        rig = RuntimeRig()
        rig.worker().send(request("GET", f"{INVOCATION}next", {"content-length": "4"})).peer.hang_up()
        assert rig.api.idle == 0

    def test_hanging_up_this_very_moment(self) -> None:
        """The end of the stream was read, the loss of the connection not told yet."""
        rig = RuntimeRig()
        first, second = rig.poll(), rig.poll()
        first.peer.transport.close()
        assert rig.api.invoke(rig.invocation())
        assert second.answer().status == 200
        first.peer.settle()
        assert rig.api.idle == 0

    def test_only_worker_hanging_up_takes_nothing(self) -> None:
        rig = RuntimeRig()
        worker = rig.poll()
        worker.peer.transport.close()
        sink = RecordingSink()
        assert not rig.api.invoke(rig.invocation(sink=sink))
        worker.peer.settle()
        assert (rig.api.idle, rig.started, sink.over) == (0, [], False)
        assert rig.at_rest
