"""The certificate of `--https`: an authority of the user's own, kept on disk, and a new leaf at each start."""

import fcntl
import os
import secrets
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from penstock.model.errors import Place, UserError

if TYPE_CHECKING:
    import trustme  # where it is used it is imported late: it takes a tenth of a second

_CA: Final = "ca.pem"
_KEY: Final = "ca.key"
_LOCK: Final = "lock"
# Apple's systems take no leaf of a user's own authority that lasts longer than 825 days.
# https://support.apple.com/en-us/103769
_LEAF_LIFE: Final = timedelta(days=820)
# A clock behind ours, as of a phone in the same network, takes the leaf as well (assumed).
_SKEW: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """`context` serves TLS with the leaf; a client that trusts the file `ca` accepts it."""

    context: ssl.SSLContext
    ca: Path


def load_certificate(folder: Path, names: Sequence[str], now: datetime | None = None) -> Certificate:
    """A leaf for `names` (host names, `*.` may begin one, and IP addresses), issued by the authority in `folder`.

    The authority is made when there is none that can be used at `now`: ca.pem for clients, ca.key for us alone. Raises
    UserError when it cannot be kept in `folder`, or a name cannot stand in a certificate.
    """
    now = now or datetime.now(UTC)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        with _locked(folder):
            authority = _read(folder, now) or _make(folder)
        return Certificate(_context(_issue(authority, names, now)), folder / _CA)
    except OSError as error:
        raise UserError(f"--https: cannot keep a certificate here: {error.strerror}", Place(folder)) from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time. The lock ends with its file descriptor, so with a process that was killed."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(folder: Path, now: datetime) -> "trustme.CA | None":
    """The authority on disk; None when there is none, or it is damaged or will not outlast a leaf."""
    import trustme
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        pem, key = (folder / _CA).read_bytes(), (folder / _KEY).read_bytes()
        certificate = x509.load_pem_x509_certificate(pem)
        belongs = load_pem_private_key(key, None).public_key() == certificate.public_key()
    except (FileNotFoundError, IsADirectoryError, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    lasts = certificate.not_valid_before_utc <= now and now + _LEAF_LIFE < certificate.not_valid_after_utc
    if not (belongs and lasts):
        return None
    (folder / _KEY).chmod(0o600)
    return trustme.CA.from_pem(pem, key)


def _make(folder: Path) -> "trustme.CA":
    import trustme

    # A name of its own: trust stores tell authorities apart by their names.
    authority = trustme.CA(organization_name="Penstock", organization_unit_name=f"local CA {secrets.token_hex(4)}")
    _write(folder / _KEY, authority.private_key_pem.bytes(), 0o600)
    _write(folder / _CA, authority.cert_pem.bytes(), 0o644)
    return authority


def _write(path: Path, data: bytes, mode: int) -> None:
    """Whole or not at all."""
    descriptor, made = tempfile.mkstemp(dir=path.parent)  # for us alone from its first byte
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(made, mode)
        os.replace(made, path)
    except OSError:
        os.unlink(made)
        raise


def _issue(authority: "trustme.CA", names: Sequence[str], now: datetime) -> "trustme.LeafCert":
    names = tuple(dict.fromkeys(names))
    try:
        return authority.issue_cert(
            *names, organization_name="Penstock", not_before=now - _SKEW, not_after=now + _LEAF_LIFE
        )
    except ValueError:
        if len(names) > 1:  # tell which
            for name in names:
                _issue(authority, (name,), now)
        raise UserError(f"--https: {', '.join(names)!r} cannot stand in a certificate") from None


def _context(leaf: "trustme.LeafCert") -> ssl.SSLContext:
    """For a server of HTTP/1.1. TLS 1.2 is the least that AWS takes.

    https://docs.aws.amazon.com/lambda/latest/dg/security-infrastructure.html
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    leaf.configure_cert(context)
    return context
