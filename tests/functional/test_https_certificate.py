"""The authority that `--https` keeps, and the leaves it issues."""

import multiprocessing
import ssl
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from penstock.cli.certificate import load_certificate
from penstock.model.errors import UserError

NAMES = ("localhost", "127.0.0.1", "::1", "*.lambda-url.us-east-1.localhost")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def accepted(ca: Path, server: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """A handshake in memory. Raises ssl.SSLError when the client refuses the certificate."""
    trusting = ssl.create_default_context(cafile=str(ca))
    trusting.set_alpn_protocols(["h2", "http/1.1"])
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(down, up, server_hostname=name)
    served = server.wrap_bio(up, down, server_side=True)
    for step in (client, served, client, served):
        try:
            step.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return client


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "abc.lambda-url.us-east-1.localhost"])
def test_a_client_that_trusts_the_authority_accepts_the_leaf(tmp_path: Path, name: str) -> None:
    made = load_certificate(tmp_path, NAMES)
    client = accepted(made.ca, made.context, name)
    assert client.selected_alpn_protocol() == "http/1.1"
    assert client.version() in ("TLSv1.2", "TLSv1.3")


def test_other_names_and_other_authorities_are_refused(tmp_path: Path) -> None:
    made, other = load_certificate(tmp_path / "a", NAMES), load_certificate(tmp_path / "b", NAMES)
    with pytest.raises(ssl.SSLCertVerificationError):
        accepted(made.ca, made.context, "example.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        accepted(other.ca, made.context, "localhost")


def test_old_tls_is_not_spoken(tmp_path: Path) -> None:
    assert load_certificate(tmp_path, NAMES).context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_authority_is_made_once_and_its_key_is_ours_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "https"
    first = load_certificate(folder, NAMES)
    pem = first.ca.read_bytes()
    second = load_certificate(folder, (*NAMES, "example.com", "localhost"))
    assert second.ca.read_bytes() == pem
    accepted(first.ca, second.context, "example.com")
    assert (mode(folder), mode(folder / "ca.key"), mode(folder / "ca.pem")) == (0o700, 0o600, 0o644)
    assert b"PRIVATE" not in pem
    assert sorted(path.name for path in folder.iterdir()) == ["ca.key", "ca.pem", "lock"]


def test_what_others_could_read_is_closed(tmp_path: Path) -> None:
    load_certificate(tmp_path, NAMES)
    tmp_path.chmod(0o755)
    (tmp_path / "ca.key").chmod(0o644)
    load_certificate(tmp_path, NAMES)
    assert (mode(tmp_path), mode(tmp_path / "ca.key")) == (0o700, 0o600)


def other_key(folder: Path) -> None:
    load_certificate(folder / "other", NAMES)
    (folder / "ca.key").write_bytes((folder / "other" / "ca.key").read_bytes())


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "ca.pem").write_bytes(b""),
        lambda folder: (folder / "ca.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\nnonsense\n"),
        lambda folder: (folder / "ca.pem").unlink(),
        lambda folder: (folder / "ca.key").write_bytes(b"\0" * 100),
        lambda folder: (folder / "ca.key").unlink(),
        lambda folder: (folder / "ca.key").write_bytes((folder / "ca.pem").read_bytes()),
        other_key,
    ],
    ids=["empty", "nonsense", "no certificate", "damaged key", "no key", "no key in it", "another's key"],
)
def test_a_damaged_authority_is_made_anew(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    load_certificate(tmp_path, NAMES)
    damage(tmp_path)
    made = load_certificate(tmp_path, NAMES)
    pem = made.ca.read_bytes()
    accepted(made.ca, made.context, "localhost")
    assert load_certificate(tmp_path, NAMES).ca.read_bytes() == pem


def test_an_authority_that_ends_is_made_anew(tmp_path: Path) -> None:
    first = load_certificate(tmp_path, NAMES).ca.read_bytes()
    soon = datetime.now(UTC) + timedelta(days=365)
    assert load_certificate(tmp_path, NAMES, soon).ca.read_bytes() == first
    assert load_certificate(tmp_path, NAMES, datetime(2999, 12, 1, tzinfo=UTC)).ca.read_bytes() != first


def load_in_another_process(folder: Path) -> bytes:
    return load_certificate(folder, NAMES).ca.read_bytes()


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        made = pool.map(load_in_another_process, [tmp_path] * 4, chunksize=1)
    assert set(made) == {(tmp_path / "ca.pem").read_bytes()}


def test_a_folder_that_cannot_be_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/https: --https: cannot keep a certificate here: Not a directory"):
        load_certificate(tmp_path / "file" / "https", NAMES)


def test_a_name_that_cannot_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--https: 'a b' cannot stand in a certificate"):
        load_certificate(tmp_path, ("localhost", "a b"))


def test_nothing_secret_is_shown(tmp_path: Path) -> None:
    assert "PRIVATE" not in repr(load_certificate(tmp_path, NAMES))
