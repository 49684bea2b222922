"""The real Lambda Web Adapter in buffered mode: one JSON document per answer."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from support.calls import PATIENCE_S
from support.gate import Gate
from support.projects import Shape
from support.up import Up, running, shared_cache
from support.web_adapter import BINARY, SLOTS, layer_flags, make_site


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, gate: Gate) -> Iterator[Up]:
    """One environment, which outlives all that is done to it here."""
    flags = layer_flags()
    shape = Shape({"AWS_LWA_ERROR_STATUS_CODES": "555"})
    project = make_site(tmp_path_factory.mktemp("lwa") / "site", gate, shape, buffered=True)
    with running(project, shared_cache(tmp_path_factory), *flags) as up:
        yield up
        assert not up.said("environment", state="died")


@pytest.fixture(scope="module")
def client(up: Up) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=up.url, timeout=PATIENCE_S, trust_env=False) as client:
        yield client


def echo(client: httpx.Client, body: bytes, content_type: str) -> httpx.Response:
    return client.post("/echo", content=body, headers={"content-type": content_type})


def test_64_requests_at_once_in_one_environment(up: Up, gate: Gate) -> None:
    assert up.adapter(up.environments[0]).name() == BINARY
    held = [up.occupy(gate) for _ in range(SLOTS)]
    assert {one.visit.environment for one in held} == set(up.environments)
    assert up.get().status == 429
    replies = [one.release() for one in held]
    assert {reply.text for reply in replies} == {"any text"}
    assert len({reply.request_id for reply in replies}) == SLOTS


def test_each_answer_goes_to_its_own_request(client: httpx.Client) -> None:
    texts = [f"request {number} é".encode() for number in range(SLOTS)]
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda text: echo(client, text, "text/plain; charset=utf-8"), texts))
    assert [response.content for response in responses] == texts


@pytest.mark.parametrize("status", [200, 204, 301, 304, 404, 500, 503])
def test_the_apps_status_is_the_answers(up: Up, status: int) -> None:
    reply = up.get(f"/status?{status}")
    assert reply.status == status
    assert reply.text == ("" if status in (204, 304) else f"status {status}")


def test_a_status_that_is_to_be_an_error_is_502(up: Up) -> None:
    """AWS_LWA_ERROR_STATUS_CODES."""
    reply = up.get("/status?555")
    assert (reply.status, reply.text) == (502, "Internal Server Error")


def test_cookies_both_ways(client: httpx.Client) -> None:
    response = client.get("/cookies", headers={"cookie": "a=b; c=d"})
    assert response.headers.get_list("set-cookie") == ["one=1; Path=/", "two=2"]
    assert response.text == "a=b;c=d"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("application/octet-stream", os.urandom(4_000_000)), ("text/plain; charset=utf-8", b"\xc3\xa9\n" * 1_500_000)],
    ids=["binary", "text"],
)
def test_a_large_body_both_ways(client: httpx.Client, content_type: str, body: bytes) -> None:
    """Bytes travel as base64 in both directions; text as JSON's, just under the limit of 6 MB when escaped."""
    response = echo(client, body, content_type)
    assert (response.status_code, response.headers["content-type"]) == (200, content_type)
    assert response.content == body


def test_an_answer_over_the_limit_is_502(up: Up) -> None:
    """32 MiB: the adapter posts it all, and is refused."""
    reply = up.get("/pieces?512")
    assert (reply.status, reply.text) == (502, "Internal Server Error")
    assert up.wait_for("request", requestId=reply.request_id)["note"].startswith("Function.ResponseSizeTooLarge")
    assert up.get().status == 200


def test_an_app_that_breaks_off_is_502(up: Up, gate: Gate) -> None:
    call = up.call("/cut")
    gate.next("cut").release()
    assert call.rest().status == 502
    assert up.get().status == 200
