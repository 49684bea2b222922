"""Directory trees: what counts, what is copied, who wins."""

import os
import stat
from pathlib import Path

import pytest

from penstock.model.errors import UserError
from penstock.packaging import tree


def names(root: Path, excludes: tuple[str, ...] = ()) -> list[str]:
    return [node.relative for node in tree.scan(root, excludes)]


def test_scan_lists_folders_before_their_content(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "c" / "d.py").touch()
    (tmp_path / "a.py").touch()
    assert names(tmp_path) == ["a.py", "b", "b/c", "b/c/d.py"]


def test_scan_leaves_out_what_sam_build_leaves_out_at_every_depth(tmp_path: Path) -> None:
    for name in (".git", ".venv", "pkg/__pycache__", "pkg/.aws-sam", "env"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").touch()
    for name in ("main.py", "old.pyc", "pkg/native.so", "pkg/environment.py"):
        (tmp_path / name).touch()
    assert names(tmp_path, tree.PYTHON_EXCLUDES) == ["main.py", "pkg", "pkg/environment.py", "pkg/native.so"]


def test_other_runtimes_keep_what_only_python_builds_leave_out(tmp_path: Path) -> None:
    for name in ("node_modules", ".env", ".git"):
        (tmp_path / name).mkdir()
    assert names(tmp_path, tree.OTHER_EXCLUDES) == [".env", "node_modules"]


def test_link_inside_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.py").write_text("x")
    (tmp_path / "alias.py").symlink_to("real.py")
    alias = tree.scan(tmp_path)[0]
    assert (alias.relative, alias.link) == ("alias.py", "real.py")


def test_link_that_leads_outside_becomes_what_it_names(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "util.py").write_text("x = 1")
    code = tmp_path / "code"
    code.mkdir()
    (code / "shared").symlink_to("../shared")
    (code / "one.py").symlink_to(shared / "util.py")
    (tmp_path / "out").mkdir()
    tree.lay(tree.scan(code), tmp_path / "out")
    assert not (tmp_path / "out" / "shared").is_symlink()
    assert (tmp_path / "out" / "shared" / "util.py").read_text() == "x = 1"
    assert (tmp_path / "out" / "one.py").read_text() == "x = 1"


def test_unfollowed_and_dangling_links_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "absolute").symlink_to("/usr")
    (tmp_path / "dangling").symlink_to("../nowhere")
    assert [node.link for node in tree.scan(tmp_path, follow=False)] == ["/usr", "../nowhere"]
    (tmp_path / "absolute").unlink()
    assert [node.link for node in tree.scan(tmp_path)] == ["../nowhere"]


def test_link_to_a_folder_that_holds_it_is_one_clear_error(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "up").symlink_to("..")
    with pytest.raises(UserError, match=r"code/up: this symbolic link leads to a folder that holds it"):
        tree.scan(code)


def test_pipes_and_sockets_are_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert names(tmp_path) == []


def test_digest_sees_content_that_size_and_time_hide(tmp_path: Path) -> None:
    file = tmp_path / "main.py"
    file.write_text("a = 1")
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    before = tree.digest(tree.scan(tmp_path))
    file.write_text("a = 2")
    os.utime(file, ns=times)
    assert tree.digest(tree.scan(tmp_path)) != before


def test_digest_sees_the_executable_bit_and_names(tmp_path: Path) -> None:
    file = tmp_path / "run.sh"
    file.write_text("x")
    digests = [tree.digest(tree.scan(tmp_path))]
    file.chmod(0o755)
    digests.append(tree.digest(tree.scan(tmp_path)))
    file.rename(tmp_path / "go.sh")
    digests.append(tree.digest(tree.scan(tmp_path)))
    assert len(set(digests)) == 3


def test_digest_does_not_depend_on_where_the_tree_is(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "pkg").mkdir(parents=True)
        (tmp_path / name / "pkg" / "a.py").write_text("a")
    assert tree.digest(tree.scan(tmp_path / "one")) == tree.digest(tree.scan(tmp_path / "two"))


def test_later_tree_wins_and_shared_files_are_not_written_through(tmp_path: Path) -> None:
    cached, code, target = tmp_path / "cached", tmp_path / "code", tmp_path / "target"
    for folder in (cached, code, target):
        folder.mkdir()
    (cached / "util.py").write_text("theirs")
    (code / "util.py").write_text("mine")
    tree.lay(tree.scan(cached), target, share=True)
    assert (target / "util.py").samefile(cached / "util.py")
    tree.lay(tree.scan(code), target)
    assert (target / "util.py").read_text() == "mine"
    assert (cached / "util.py").read_text() == "theirs"


def test_file_replaces_folder_and_folder_replaces_file(tmp_path: Path) -> None:
    first, second, target = tmp_path / "first", tmp_path / "second", tmp_path / "target"
    (first / "a").mkdir(parents=True)
    (first / "a" / "x").touch()
    (first / "b").touch()
    (second / "b").mkdir(parents=True)
    (second / "b" / "y").touch()
    (second / "a").touch()
    target.mkdir()
    tree.lay(tree.scan(first), target)
    tree.lay(tree.scan(second), target)
    assert names(target) == ["a", "b", "b/y"]


def test_modes_are_kept_and_folders_stay_removable(tmp_path: Path) -> None:
    code, target = tmp_path / "code", tmp_path / "target"
    (code / "locked").mkdir(parents=True)
    (code / "run.sh").touch()
    (code / "run.sh").chmod(0o750)
    (code / "locked").chmod(0o555)
    target.mkdir()
    tree.lay(tree.scan(code), target)
    (code / "locked").chmod(0o755)
    assert stat.S_IMODE((target / "run.sh").stat().st_mode) == 0o750
    assert stat.S_IMODE((target / "locked").stat().st_mode) == 0o755
