"""Ports kept for apps that bind them later."""

import os
import socket
import tempfile
from pathlib import Path

import pytest

from penstock.environment import ports
from penstock.environment.ports import PortReservation, reserve_port


@pytest.fixture(autouse=True)
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def one_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """The only port there is to choose from, and free."""
    reservation = reserve_port()
    reservation.release()
    monkeypatch.setattr(ports, "_FIRST", reservation.number)
    monkeypatch.setattr(ports, "_LAST", reservation.number)
    monkeypatch.setattr(ports, "_ATTEMPTS", 3)
    return reservation.number


def test_below_the_ports_the_kernel_hands_out_and_free() -> None:
    reservation = reserve_port()
    assert 20_000 <= reservation.number <= 32_000
    with socket.socket() as app:
        app.bind(("127.0.0.1", reservation.number))
    reservation.release()


def test_two_are_never_the_same(one_port: int) -> None:
    first = reserve_port()
    with pytest.raises(OSError, match=f"no free port between {one_port} and {one_port}"):
        reserve_port()
    first.release()
    first.release()
    second = reserve_port()
    assert second.number == one_port
    second.release()


def test_port_in_use_is_not_chosen(one_port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", one_port))
        other.listen()
        with pytest.raises(OSError, match="no free port"):
            reserve_port()


def test_nothing_stays_open_after_the_refusals(one_port: int) -> None:
    held = reserve_port()
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(OSError, match="no free port"):
        reserve_port()
    assert len(os.listdir("/dev/fd")) == before
    held.release()
    assert isinstance(held, PortReservation)
