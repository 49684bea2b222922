"""What the Telemetry API takes for a subscription (`rt-<number>` of AWS's own suites)."""

import socket

import orjson
import pytest

from penstock.telemetry_api.destinations import HttpDestination, Patience
from penstock.telemetry_api.subscription import Buffering, HttpTarget, TcpTarget, read_subscription
from penstock.telemetry_api.subscription_error import InvalidSubscription

HTTP = {"protocol": "HTTP", "URI": "http://sandbox.localdomain:4243"}
TCP = {"protocol": "TCP", "port": 4243}


def body(**changes: object) -> bytes:
    """A sound subscription with some keys changed; `...` leaves one out."""
    value = {"schemaVersion": "2025-01-29", "types": ["platform"], "destination": HTTP, **changes}
    return orjson.dumps({key: part for key, part in value.items() if part is not ...})


def refusal(sent: bytes) -> str:
    with pytest.raises(InvalidSubscription) as caught:
        read_subscription(sent)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(body(schemaVersion="2022-12-13"), id="rt-188 older version"),
        pytest.param(body(schemaVersion=...), id="rt-184 no version"),
        pytest.param(body(types=...), id="rt-184 no types"),
        pytest.param(body(types=[]), id="rt-186 empty types"),
        pytest.param(body(types=["platform", "runtime"]), id="unknown type"),
        pytest.param(body(types="platform"), id="types no list"),
        pytest.param(body(destination=...), id="rt-187 no destination"),
        pytest.param(body(destination={"protocol": "UDP", "port": 1}), id="rt-185 protocol"),
        pytest.param(body(destination={"protocol": "http", "URI": HTTP["URI"]}), id="lower case"),
        pytest.param(body(destination={"URI": HTTP["URI"]}), id="no protocol"),
        pytest.param(body(destination={"protocol": "TCP"}), id="rt-189 no port"),
        pytest.param(body(destination={"protocol": "HTTP"}), id="rt-190 no URI"),
        pytest.param(body(destination={"protocol": "HTTP", "URI": ""}), id="empty URI"),
        pytest.param(body(destination={"protocol": "TCP", "port": 0}), id="port 0"),
        pytest.param(body(destination={"protocol": "TCP", "port": 65536}), id="port 65536"),
        pytest.param(body(destination={"protocol": "TCP", "port": "4243"}), id="port as text"),
        pytest.param(body(destination={"protocol": "TCP", "port": True}), id="port as boolean"),
        pytest.param(body(buffering=None), id="null buffering"),
        pytest.param(body(buffering={"maxItems": 999}), id="maxItems 999"),
        pytest.param(body(buffering={"maxItems": 10001}), id="maxItems 10001"),
        pytest.param(body(buffering={"maxBytes": 262143}), id="maxBytes 262143"),
        pytest.param(body(buffering={"maxBytes": 1048577}), id="maxBytes 1048577"),
        pytest.param(body(buffering={"timeoutMs": 24}), id="timeoutMs 24"),
        pytest.param(body(buffering={"timeoutMs": 30001}), id="timeoutMs 30001"),
        pytest.param(body(buffering={"timeoutMs": None}), id="timeoutMs null"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="list"),
    ],
)
def test_what_the_schema_refuses(sent: bytes) -> None:
    assert refusal(sent).startswith("schema validation error: ")


def test_the_reason_names_the_place() -> None:
    assert refusal(body(types=["platform", "x"])).startswith("schema validation error: types.1: ")
    assert refusal(body(buffering={"timeoutMs": 1})).startswith("schema validation error: buffering.timeoutMs: ")


@pytest.mark.parametrize("sent", [b"", b"{", b"\xff", b"{'a':1}", b'{"a":NaN}'])
def test_rt_183_what_is_no_json(sent: bytes) -> None:
    assert refusal(sent).startswith("failed to parse JSON: ")


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        pytest.param(..., (10_000, 262_144, 1_000), id="rt-181 none"),
        pytest.param({}, (10_000, 262_144, 1_000), id="empty"),
        pytest.param({"maxItems": 1_000}, (1_000, 262_144, 1_000), id="rt-182 some"),
        pytest.param({"maxItems": 10_000, "maxBytes": 1_048_576, "timeoutMs": 25}, (10_000, 1_048_576, 25), id="all"),
        pytest.param({"timeoutMs": 30_000, "x": 1}, (10_000, 262_144, 30_000), id="an extra key"),
    ],
)
def test_buffering(given: object, taken: tuple[int, int, int]) -> None:
    buffering = read_subscription(body(buffering=given)).buffering
    assert (buffering.max_items, buffering.max_bytes, buffering.timeout_ms) == taken


def test_extra_keys_and_repeated_types_are_taken() -> None:
    subscription = read_subscription(body(types=["function", "platform", "function"], more=[1], destination=TCP))
    assert subscription.types == ["function", "platform", "function"]
    assert subscription.destination == TcpTarget(protocol="TCP", port=4243)
    assert subscription.buffering == Buffering()


def head_for(uri: str) -> list[str]:
    """Request line and Host of a batch sent there."""
    destination = HttpDestination(HttpTarget.model_validate({"protocol": "HTTP", "URI": uri}), no_socket, Patience())
    return destination.head(b"").decode().split("\r\n")[:2]


async def no_socket() -> socket.socket:
    raise AssertionError("nothing is sent here")


@pytest.mark.parametrize(
    ("uri", "line", "host"),
    [
        ("http://sandbox.localdomain:4243", "/", "sandbox.localdomain:4243"),
        ("http://sandbox:80/", "/", "sandbox:80"),
        ("https://sandbox.localdomain/path", "/path", "sandbox.localdomain"),
        ("http://sandbox.localdomain:1/a/b?c=d&e=%20f", "/a/b?c=d&e=%20f", "sandbox.localdomain:1"),
        ("http://sandbox.localdomain:1/é x", "/%C3%A9%20x", "sandbox.localdomain:1"),
        ("http://sandbox.localdomain:1/a#b", "/a", "sandbox.localdomain:1"),
        ("http://sandbox.localdomain:1/a\r\nX: y", "/aX:%20y", "sandbox.localdomain:1"),
        ("http://user:word@sandbox:1/?q", "/?q", "sandbox:1"),
    ],
)
def test_rt_199_http_destinations(uri: str, line: str, host: str) -> None:
    assert head_for(uri) == [f"POST {line} HTTP/1.1", f"Host: {host}"]


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:4243",
        "http://127.0.0.1:4243",
        "http://sandbox.localdomain.example.com",
        "http://example.com/sandbox",
        "not a URI",
        "sandbox.localdomain:4243",
        "http://sandbox:99999",
        "http://sandbox:port",
        "http://[",
        "/",
    ],
)
def test_rt_199_other_destinations(uri: str) -> None:
    with pytest.raises(InvalidSubscription, match=r"^Invalid destination: "):
        head_for(uri)
