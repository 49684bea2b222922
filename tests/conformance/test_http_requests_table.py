"""Every shape of http_requests.yaml at a connection, in one read, in many, and after a request that was answered."""

from pathlib import Path
from typing import Final

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from penstock.wire.request_head import MAX_HEADERS
from support.answers import Answer, read_answers
from support.http_door import Door

BUDGET: Final = 16 * 1024
BEGUN: Final = {
    "GET": "GET / HTTP/1.1\r\nhost: a\r\n",
    "POST": "POST / HTTP/1.1\r\nhost: a\r\n",
    "CHUNKED": "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
    "BIG": "b" * (2 * BUDGET),
    "MANY": "a:\r\n" * (MAX_HEADERS + 1),
}
BEFORE: Final = b"GET /before HTTP/1.1\r\nhost: a\r\n\r\n"
NEXT: Final = b"GET /next HTTP/1.1\r\nhost: a\r\n\r\n"


class Shape(BaseModel):
    """One row. Exactly one of `refused`, `served` and `waits`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    shape: str
    request: str
    source: str
    refused: int | None = None
    served: str | None = None
    waits: bool = False
    closes: bool = False
    target: str | None = None
    host: str | None = None

    @model_validator(mode="after")
    def _one_outcome(self) -> "Shape":
        assert (self.refused is not None) + (self.served is not None) + self.waits == 1, self.number
        return self

    @property
    def bytes(self) -> bytes:
        return self.request.format(**BEGUN).encode("latin-1")


def load() -> list[Shape]:
    rows = yaml.safe_load(Path(__file__).with_name("http_requests.yaml").read_text())["shapes"]
    return [Shape.model_validate(row) for row in rows]


SHAPES: Final = load()


def test_every_number_once() -> None:
    assert [shape.number for shape in SHAPES] == list(range(1, len(SHAPES) + 1))
    assert len({shape.shape for shape in SHAPES}) == len(SHAPES)


def feed(door: Door, data: bytes, how: str) -> None:
    """Trickled ones byte by byte, the others in reads as large as they may be beside the budget."""
    size = 1 if how == "trickled" and len(data) < 1000 else BUDGET // 4
    door.peer.send(*(data[at : at + size] for at in range(0, len(data), size)))


@pytest.mark.parametrize("how", ["whole", "trickled", "after another"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.number} {shape.shape}")
def test_shape(shape: Shape, how: str) -> None:
    door = Door(at_once=True, max_header_bytes=BUDGET)
    if how == "after another":
        feed(door, BEFORE + shape.bytes + NEXT, how)
        assert door.exchanges.pop(0).target == b"/before"
    else:
        feed(door, shape.bytes + NEXT, how)
    answers = read_answers(door.peer.received)[1 if how == "after another" else 0 :]
    if shape.refused is not None:
        check_refused(shape.refused, door, answers)
    elif shape.waits:
        assert (answers, door.peer.sees_end, len(door.exchanges)) == ([], False, 1)
    else:
        check_served(shape, door, answers)


def check_refused(status: int, door: Door, answers: list[Answer]) -> None:
    assert [answer.status for answer in answers] == [status]
    assert answers[0].header("connection") == "close"
    assert door.peer.sees_end
    assert all(exchange.calls == ["lost"] for exchange in door.exchanges)


def check_served(shape: Shape, door: Door, answers: list[Answer]) -> None:
    first, *others = door.exchanges
    assert first.calls == ["end"]
    assert first.received.decode() == shape.served
    if shape.target is not None:
        assert first.target.decode() == shape.target.format()
    if shape.host is not None:
        assert dict(first.headers)[b"host"].decode() == shape.host
    assert [exchange.target for exchange in others] == ([] if shape.closes else [b"/next"])
    assert [answer.status for answer in answers] == [200] * len(door.exchanges)
    assert door.peer.sees_end is shape.closes
