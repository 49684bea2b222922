"""Archives are not trusted: names, links, sizes."""

import stat
import zipfile
from pathlib import Path

import pytest

from penstock.model.errors import UserError
from penstock.packaging import archive


def make_zip(path: Path, *members: tuple[str, str, int]) -> Path:
    """Members are (name, content, mode)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16 or 0x20  # a DOS attribute, and no mode, as made on Windows
            out.writestr(info, content, zipfile.ZIP_DEFLATED)
    return path


def unzip(path: Path) -> Path:
    target = path.parent / "target"
    target.mkdir()
    archive.unzip(path, target)
    return target


FILE = stat.S_IFREG | 0o644
LINK = stat.S_IFLNK | 0o777


def test_content_and_modes(tmp_path: Path) -> None:
    target = unzip(
        make_zip(
            tmp_path / "code.zip",
            ("pkg/", "", stat.S_IFDIR | 0o755),
            ("pkg/a.py", "a", FILE),
            ("deep/er/b.py", "b", FILE),
            ("run.sh", "#!/bin/sh", stat.S_IFREG | 0o755),
            ("windows.py", "w", 0),
        )
    )
    assert (target / "pkg" / "a.py").read_text() == "a"
    assert (target / "deep" / "er" / "b.py").read_text() == "b"
    assert stat.S_IMODE((target / "run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((target / "windows.py").stat().st_mode) == 0o644


def test_setuid_is_not_taken_over(tmp_path: Path) -> None:
    target = unzip(make_zip(tmp_path / "code.zip", ("tool", "x", stat.S_IFREG | 0o4755)))
    assert stat.S_IMODE((target / "tool").stat().st_mode) == 0o755


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil", "a/../../evil", ".."])
def test_names_that_lead_outside(tmp_path: Path, name: str) -> None:
    path = make_zip(tmp_path / "code.zip", (name, "x", FILE))
    with pytest.raises(UserError, match=r"code\.zip: holds the name .*, which leads outside of it"):
        unzip(path)
    assert not (tmp_path / "evil.py").exists()
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("name", "text"), [("l", "../x"), ("a/l", "../../x"), ("l", "/etc/passwd"), ("l", "/opt/../etc")]
)
def test_links_that_lead_outside(tmp_path: Path, name: str, text: str) -> None:
    path = make_zip(tmp_path / "code.zip", (name, text, LINK))
    with pytest.raises(UserError, match=r"holds the link .*, which leads outside of it"):
        unzip(path)


def test_links_that_lead_outside_by_way_of_each_other(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "code.zip", ("p/q/top", "../..", LINK), ("l", "p/q/top/../x", LINK))
    with pytest.raises(UserError, match="holds the link l -> "):
        unzip(path)


def test_links_inside_and_to_the_mount_are_kept(tmp_path: Path) -> None:
    target = unzip(
        make_zip(
            tmp_path / "layer.zip",
            ("lib/libx.so", "x.so.1", LINK),
            ("lib/x.so.1", "elf", FILE),
            ("lib/abs.so", "/opt/lib/x.so.1", LINK),
        )
    )
    assert (target / "lib" / "libx.so").read_text() == "elf"
    assert (target / "lib" / "abs.so").readlink() == Path("/opt/lib/x.so.1")


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    path = make_zip(tmp_path / "code.zip", ("d", str(outside), LINK), ("d/evil.py", "x", FILE))
    with pytest.raises(UserError):
        unzip(path)
    assert list(outside.iterdir()) == []


def test_no_link_is_made_through_a_link_to_the_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mount = tmp_path / "opt"
    mount.mkdir()
    monkeypatch.setattr(archive, "_MOUNTS", (mount,))
    path = make_zip(tmp_path / "layer.zip", ("d", str(mount), LINK), ("d/evil", "x", LINK))
    with pytest.raises(UserError, match="holds the link d/evil"):
        unzip(path)
    assert list(mount.iterdir()) == []


def test_size_is_counted_as_it_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNZIPPED_BYTES", 1000)
    path = make_zip(tmp_path / "code.zip", ("a", "x" * 600, FILE), ("b", "y" * 600, FILE))
    with pytest.raises(UserError, match="larger than Lambda's 1,000 bytes"):
        unzip(path)
    assert (tmp_path / "target" / "b").stat().st_size <= 401


def test_size_at_the_limit_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNZIPPED_BYTES", 1200)
    target = unzip(make_zip(tmp_path / "code.zip", ("a", "x" * 600, FILE), ("b", "y" * 600, FILE)))
    assert (target / "b").stat().st_size == 600


def test_not_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "code.zip"
    path.write_text("hello")
    with pytest.raises(UserError, match=r"code\.zip: not a zip archive that can be read"):
        unzip(path)


def test_damaged_content(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "code.zip", ("a", "x" * 5000, FILE))
    data = bytearray(path.read_bytes())
    data[35:40] = b"\xff" * 5
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"code\.zip: not a zip archive that can be read"):
        unzip(path)
