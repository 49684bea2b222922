"""Which trace header a request goes on with: its own, or a new one."""

import re

import pytest

from penstock.model import ids
from penstock.wire.trace_header import MAX_BYTES, trace_header

EPOCH = 1_700_000_000.9


def read(*values: bytes) -> str:
    return trace_header([(b"host", b"x"), *((b"x-amzn-trace-id", one) for one in values)], EPOCH, ids.request_id())


@pytest.mark.parametrize(
    "sent",
    [
        b"Root=1-a-b",
        b"Self=1-c;Root=1-a-b;Sampled=1",
        b"Parent=x; Root=1-a-b",
        b"Root=".ljust(MAX_BYTES, b"1"),
    ],
)
def test_one_with_a_root_is_kept(sent: bytes) -> None:
    assert read(sent) == sent.decode()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"Sampled=1",
        b"root=1-a-b",
        b"Root=",
        b"Root=;x",
        b"xRoot=1-a-b",
        b"caf\xe9;Root=1",
        b"Root=".ljust(MAX_BYTES + 1, b"1"),
    ],
)
def test_any_other_is_replaced(sent: bytes) -> None:
    assert re.fullmatch("Root=1-6553f100-[0-9a-f]{24}", read(sent))


def test_the_first_of_two_counts() -> None:
    assert read(b"Root=1", b"Root=2") == "Root=1"
    assert read(b"Root=", b"Root=2").startswith("Root=1-6553f100-")


def test_two_requests_have_two_roots() -> None:
    assert read() != read()
