"""The real Lambda Web Adapter, AWS's own binary, as the client of an environment: streaming mode."""

import http.client
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.calls import PATIENCE_S, Call
from support.gate import Gate, Visit
from support.projects import Shape
from support.sandbox_rig import need_namespaces
from support.up import Up, eventually, running, shared_cache
from support.web_adapter import BINARY, SLOTS, layer_flags, make_site

# What the adapter writes into the body when the app breaks off: the trailers that it announced and never sends. The
# answer then ends as if it were whole, on AWS as well.
# https://docs.rs/lambda_runtime/1.1.0/src/lambda_runtime/types.rs.html (ToStreamErrorTrailer)
BROKEN_OFF = b"Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\nLambda-Runtime-Function-Error-Body: "


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, gate: Gate) -> Iterator[Up]:
    """One environment, which outlives all that is done to it here."""
    flags = layer_flags()
    project = make_site(tmp_path_factory.mktemp("lwa") / "site", gate, Shape({"AWS_LWA_ERROR_STATUS_CODES": "555"}))
    with running(project, shared_cache(tmp_path_factory), *flags) as up:
        yield up
        assert not up.said("environment", state="died")


@pytest.fixture
def mortal(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, gate: Gate) -> Iterator[Up]:
    """One environment, for a test that ends it."""
    flags = layer_flags()
    with running(make_site(tmp_path / "site", gate), shared_cache(tmp_path_factory), *flags) as up:
        yield up


@pytest.fixture(scope="module")
def client(up: Up) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=up.url, timeout=PATIENCE_S, trust_env=False) as client:
        yield client


def begin(up: Up, gate: Gate, count: int) -> dict[Call, Visit]:
    """Streams that have begun, all at the same time, each with the app's visit under the request's own id."""
    return dict(eventually(lambda: _begin(up, gate), "a free slot") for _ in range(count))


def _begin(up: Up, gate: Gate) -> tuple[Call, Visit] | None:
    """A slot is free again a moment after its answer was complete: None for what is refused in between."""
    call = up.call("/characters")
    if call.response.status == 429:
        call.close()
        return None
    return call, gate.next(str(call.response.getheader("x-amzn-requestid")))


def step(visit: Visit) -> None:
    """Let a stream's next character go."""
    visit.connection.sendall(b".")


def finish(streams: dict[Call, Visit]) -> list[str]:
    """Let all of them go on to their end; what came."""
    for visit in streams.values():
        for _ in visit.name:
            step(visit)
    return [call.rest().text for call in streams]


def ending(call: Call) -> bytes | None:
    """The rest of the answer; None when it was cut."""
    try:
        return call.rest().body
    except (http.client.IncompleteRead, ConnectionError):
        return None


def test_the_adapter_is_the_real_one(up: Up) -> None:
    [environment] = up.environments
    adapter = up.adapter(environment)
    assert adapter.name() == BINARY
    assert adapter.environ()["AWS_LAMBDA_MAX_CONCURRENCY"] == str(SLOTS)
    assert up.get("/any").text == "any text"


def test_64_streams_at_once_in_one_environment_each_with_its_own_id(up: Up, gate: Gate) -> None:
    """Character by character: the app sends the next one only when all clients have the one before."""
    streams = begin(up, gate, SLOTS)
    assert len({visit.name for visit in streams.values()}) == SLOTS
    assert {visit.environment for visit in streams.values()} == set(up.environments)
    assert len({visit.pid for visit in streams.values()}) == 1
    assert up.get().status == 429
    received = dict.fromkeys(streams, b"")
    for _ in range(len("01234567-89ab-cdef-0123-456789abcdef")):
        for visit in streams.values():
            step(visit)
        for call in streams:
            piece = call.read(100)
            assert len(piece) == 1
            received[call] += piece
    for call, visit in streams.items():
        assert received[call].decode() == visit.name
        assert call.rest().body == b""


@pytest.mark.parametrize("status", [200, 204, 301, 304, 404, 500, 503])
def test_the_apps_status_is_the_answers(up: Up, status: int) -> None:
    reply = up.get(f"/status?{status}")
    assert reply.status == status
    assert reply.text == ("" if status in (204, 304) else f"status {status}")


def test_a_status_that_is_to_be_an_error_is_502(up: Up) -> None:
    """AWS_LWA_ERROR_STATUS_CODES."""
    reply = up.get("/status?555")
    assert (reply.status, reply.text) == (502, "Internal Server Error")
    note = up.wait_for("request", requestId=reply.request_id)["note"]
    # The adapter gives the name of a Rust type, where Lambda takes only names of its own.
    assert note.startswith("Runtime.Unknown")
    assert note.endswith("Request failed with configured error status code: 555")


def test_cookies_both_ways(client: httpx.Client) -> None:
    response = client.get("/cookies", headers={"cookie": "a=b; c=d"})
    assert response.headers.get_list("set-cookie") == ["one=1; Path=/", "two=2"]
    assert response.text == "a=b;c=d"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("application/octet-stream", os.urandom(4_000_000)), ("text/plain; charset=utf-8", b"\xc3\xa9\n" * 1_600_000)],
    ids=["binary", "text"],
)
def test_a_large_body_both_ways(client: httpx.Client, content_type: str, body: bytes) -> None:
    response = client.post("/echo", content=body, headers={"content-type": content_type})
    assert (response.status_code, response.headers["content-type"]) == (200, content_type)
    assert response.content == body


def test_a_stream_over_the_limit_of_buffered_answers(up: Up) -> None:
    """32 MiB."""
    assert up.get("/pieces?512").body == bytes(range(256)) * 256 * 512


def test_clients_that_hang_up_free_their_slots_and_disturb_nobody(up: Up, gate: Gate) -> None:
    streams = begin(up, gate, SLOTS)
    gone = dict(list(streams.items())[::2])
    for call in gone:
        call.close()
    stay = {call: visit for call, visit in streams.items() if call not in gone}
    assert finish(stay) == [visit.name for visit in stay.values()]
    for visit in gone.values():
        visit.release()
    again = begin(up, gate, SLOTS)
    assert finish(again) == [visit.name for visit in again.values()]


def test_an_app_that_breaks_off_is_seen_as_whole(up: Up, gate: Gate) -> None:
    call = up.call("/cut")
    assert call.read(100) == b"begin\n"
    gate.next("cut").release()
    reply = call.rest()
    assert reply.status == 200
    assert reply.body.startswith(BROKEN_OFF)


def test_an_app_that_hangs_up_at_once_is_502(up: Up) -> None:
    assert up.get("/vanish").status == 502
    assert up.get().status == 200


def test_streams_of_a_killed_app_end_and_its_environment_is_replaced(mortal: Up, gate: Gate) -> None:
    """Whether the adapter or the platform sees it first: an answer is cut, or ends in the adapter's words."""
    streams = begin(mortal, gate, 8)
    [lost] = mortal.environments
    mortal.runtime(lost).kill()
    endings = [ending(call) for call in streams]
    assert all(end is None or end.startswith(BROKEN_OFF) for end in endings)
    replaced(mortal, lost)


def test_streams_of_a_killed_adapter_are_cut_and_its_environment_is_replaced(mortal: Up, gate: Gate) -> None:
    streams = begin(mortal, gate, 8)
    [lost] = mortal.environments
    mortal.adapter(lost).kill()
    assert [ending(call) for call in streams] == [None] * 8
    died = mortal.wait_for("environment", state="died", environment=lost)
    assert died["error"].startswith("Extension.Crash")
    replaced(mortal, lost)


def replaced(up: Up, lost: str) -> None:
    died = up.wait_for("environment", state="died", environment=lost)
    up.wait_for("environment", after=up.events.index(died), state="ready")
    reply = up.get()
    assert reply.status == 200
    assert reply.environment != lost


@pytest.fixture
def hasty(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, gate: Gate) -> Iterator[Up]:
    """One environment whose requests time out after a second."""
    flags = layer_flags()
    project = make_site(tmp_path / "site", gate, Shape(timeout=1))
    with running(project, shared_cache(tmp_path_factory), *flags) as up:
        yield up
        assert not up.said("environment", state="died")


def test_a_timeout_keeps_the_slot_until_the_app_answers(hasty: Up, gate: Gate) -> None:
    held = [hasty.occupy(gate) for _ in range(SLOTS)]
    assert {one.call.rest().status for one in held} == {502}
    assert not any(one.visit.is_over() for one in held)
    assert hasty.get().status == 429
    for one in held:
        one.visit.release()
    assert eventually(lambda: hasty.get().status == 200, "a slot of its own again")


def test_a_stream_that_takes_too_long_is_cut_and_its_slot_comes_back(hasty: Up, gate: Gate) -> None:
    """The adapter gives up a stream that nobody takes any more, though the app has not ended it."""
    streams = begin(hasty, gate, SLOTS)
    assert [ending(call) for call in streams] == [None] * SLOTS
    assert eventually(lambda: hasty.get().status == 200, "a slot of its own again")
    assert not any(visit.is_over() for visit in streams.values())


def test_the_end_of_up_waits_for_streams_and_leaves_nothing(mortal: Up, gate: Gate) -> None:
    """The app is asked to leave, since there is an extension beside it; the adapter itself is not told."""
    streams = begin(mortal, gate, 8)
    adapter = mortal.adapter(mortal.environments[0])
    mortal.interrupt()
    mortal.wait_for("stopping")
    assert finish(streams) == [visit.name for visit in streams.values()]
    gate.next("term").release()
    assert mortal.ended() == 0
    assert not adapter.is_running()
    mortal.assert_nothing_left(0)


@pytest.mark.parametrize("flags", [("--network", "isolated"), ("--no-namespaces",)], ids=" ".join)
def test_in_each_kind_of_environment(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, gate: Gate, flags: tuple[str, ...]
) -> None:
    """Networks of their own, with the address that AWS has; or no namespaces at all, and paths rewritten."""
    isolated = "isolated" in flags
    if isolated:
        need_namespaces()
    flags += layer_flags()
    project = make_site(tmp_path / "site", gate)
    with running(project, shared_cache(tmp_path_factory), *flags, environments=2) as up:
        adapters = [up.adapter(environment) for environment in up.environments]
        assert [adapter.name() for adapter in adapters] == [BINARY] * 2
        addresses = {adapter.environ()["AWS_LAMBDA_RUNTIME_API"] for adapter in adapters}
        assert addresses == {"127.0.0.1:9001"} if isolated else len(addresses) == 2
        assert len(up.get("/pieces?16").body) == 16 * 65536
