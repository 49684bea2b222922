"""Unpacking a deployment package or layer archive without trusting it."""

import os
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Final

from penstock.model.errors import Place, UserError

# "250 MB: the contents of a deployment package, including layers and custom runtimes, unzipped"; in bytes it is the
# number in Lambda's own message, "Unzipped size must be smaller than 262144000 bytes".
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_UNZIPPED_BYTES: Final = 262_144_000

_CHUNK: Final = 1024 * 1024
_MAX_LINK_BYTES: Final = 4096  # PATH_MAX
_MOUNTS: Final = (PurePosixPath("/opt"), PurePosixPath("/var/task"))


def unzip(archive: Path, target: Path) -> None:
    """Unpack `archive` into the directory `target`, with modes and symbolic links.

    Raises UserError for what is no zip archive, holds a name or link that leads outside, or is larger than Lambda
    takes. The bound counts bytes as they come out: what the archive says about itself is not believed.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            _unpack(opened, archive, target)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        # RuntimeError is zipfile's word for an encrypted member.
        raise UserError(f"not a zip archive that can be read ({error})", Place(archive)) from None
    except OSError as error:
        raise UserError(f"cannot be unpacked: {error.strerror or error}", Place(archive)) from None


def _unpack(opened: zipfile.ZipFile, archive: Path, target: Path) -> None:
    links: list[tuple[zipfile.ZipInfo, str]] = []
    left = MAX_UNZIPPED_BYTES
    for member in opened.infolist():
        name = _safe_name(member.filename, archive)
        mode = member.external_attr >> 16
        if member.is_dir():
            (target / name).mkdir(parents=True, exist_ok=True)
        elif stat.S_ISLNK(mode):
            links.append((member, name))
        else:
            left -= _extract(opened, member, target / name, left)
            if left < 0:
                raise UserError(f"unzipped it is larger than Lambda's {MAX_UNZIPPED_BYTES:,} bytes", Place(archive))
            # Archives made on Windows carry no mode at all.
            (target / name).chmod(stat.S_IMODE(mode) & 0o777 or 0o644)
    # Last, so that nothing is ever written through a link.
    for member, name in links:
        _link(opened, member, target, name, archive)


def _safe_name(name: str, archive: Path) -> str:
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise UserError(f"holds the name {name!r}, which leads outside of it", Place(archive))
    return str(path)


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, place: Path, left: int) -> int:
    """Write one file; its size, which is larger than `left` when the file was given up."""
    place.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with opened.open(member) as source, place.open("wb") as out:
        while size <= left and (chunk := source.read(min(_CHUNK, left + 1 - size))):
            out.write(chunk)
            size += len(chunk)
    return size


def _link(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, name: str, archive: Path) -> None:
    with opened.open(member) as source:
        text = os.fsdecode(source.read(_MAX_LINK_BYTES))
    root, place = Path(os.path.realpath(target)), target / name
    if "\0" not in text and Path(os.path.realpath(place.parent)).is_relative_to(root):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(text)
        if _stays_inside(text, place, root):
            return
    raise UserError(f"holds the link {name} -> {text}, which leads outside of it", Place(archive))


def _stays_inside(text: str, place: Path, root: Path) -> bool:
    if text.startswith("/"):
        # Only where the archive itself will be mounted; nothing else on this machine.
        return any(PurePosixPath(os.path.normpath(text)).is_relative_to(mount) for mount in _MOUNTS)
    return Path(os.path.realpath(place)).is_relative_to(root)
