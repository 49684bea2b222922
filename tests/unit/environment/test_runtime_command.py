"""What is started in an environment."""

from dataclasses import replace
from pathlib import Path

import pytest

from penstock.environment.runtime_command import find_extensions, runtime_command
from penstock.model.errors import StartError
from support.functions import function


def executable(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


class TestExtensions:
    """rt-177: every file directly in /opt/extensions."""

    def test_no_folder(self, tmp_path: Path) -> None:
        assert find_extensions(tmp_path) == ()

    def test_a_file_in_its_place(self, tmp_path: Path) -> None:
        (tmp_path / "extensions").touch()
        assert find_extensions(tmp_path) == ()

    def test_empty_folder(self, tmp_path: Path) -> None:
        (tmp_path / "extensions").mkdir()
        assert find_extensions(tmp_path) == ()

    def test_files_in_order_and_no_folders(self, tmp_path: Path) -> None:
        folder = tmp_path / "extensions"
        executable(folder / "b")
        executable(folder / "a")
        executable(folder / "lib" / "helper")
        (folder / "link").symlink_to("a")
        (folder / "dangling").symlink_to("nowhere")
        assert find_extensions(tmp_path) == ("a", "b", "dangling", "link")


class TestManagedRuntime:
    def test_wrapper_gets_the_runtimes_own_command(self, tmp_path: Path) -> None:
        made = function(tmp_path, runtime="python3.12")
        command = runtime_command(made, {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap"}, tmp_path, tmp_path)
        assert command == ("/opt/bootstrap", "/var/lang/bin/python3.12", "/var/runtime/bootstrap.py")

    @pytest.mark.parametrize("variables", [{}, {"AWS_LAMBDA_EXEC_WRAPPER": ""}])
    def test_without_a_wrapper(self, tmp_path: Path, variables: dict[str, str]) -> None:
        command = runtime_command(function(tmp_path), variables, tmp_path, tmp_path)
        assert command == ("/var/lang/bin/python3.13", "/var/runtime/bootstrap.py")

    def test_without_a_wrapper_only_python_runs(self, tmp_path: Path) -> None:
        with pytest.raises(StartError, match=r"runtime nodejs22\.x needs AWS_LAMBDA_EXEC_WRAPPER") as refusal:
            runtime_command(function(tmp_path, runtime="nodejs22.x"), {}, tmp_path, tmp_path)
        assert refusal.value.error_type == "Runtime.InvalidEntrypoint"


class TestProvidedRuntime:
    """rt-146 to rt-150: the first folder that has an executable bootstrap."""

    def command(self, root: Path) -> tuple[str, ...]:
        made = replace(function(root), runtime="provided.al2023")
        return runtime_command(made, {}, root / "task", root / "opt")

    def test_task_root_before_layers(self, tmp_path: Path) -> None:
        executable(tmp_path / "task" / "bootstrap")
        executable(tmp_path / "opt" / "bootstrap")
        assert self.command(tmp_path) == ("/var/task/bootstrap",)

    def test_layer(self, tmp_path: Path) -> None:
        executable(tmp_path / "task" / "bootstrap", mode=0o644)
        executable(tmp_path / "opt" / "bootstrap")
        assert self.command(tmp_path) == ("/opt/bootstrap",)

    def test_folder_of_that_name_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "task" / "bootstrap").mkdir(parents=True)
        with pytest.raises(StartError, match="no executable bootstrap in any of /var/task, /opt") as refusal:
            self.command(tmp_path)
        assert refusal.value.error_type == "Runtime.InvalidEntrypoint"
