"""What the user typed, as values or as one clear line."""

import os
from pathlib import Path

import pytest

from penstock.cli.settings import (
    cache_folder,
    default_stack_name,
    find_template,
    is_built,
    project_folder,
    read_env_vars,
    read_layers,
    read_overrides,
    split_arguments,
    state_folder,
)
from penstock.model.errors import UserError


class TestArguments:
    @pytest.mark.parametrize(
        ("words", "template", "overrides"),
        [
            ([], None, ()),
            (["t.yaml"], "t.yaml", ()),
            (["A=1", "B=2"], None, ("A=1", "B=2")),
            (["A=1", "t.yaml", "B=2"], "t.yaml", ("A=1", "B=2")),
        ],
    )
    def test_split(self, words: list[str], template: str | None, overrides: tuple[str, ...]) -> None:
        assert split_arguments(words) == (Path(template) if template else None, overrides)

    def test_file_with_an_equals_sign_is_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "a=b.yaml"
        path.touch()
        assert split_arguments([str(path), "K=V"]) == (path, ("K=V",))

    def test_two_templates(self) -> None:
        with pytest.raises(UserError, match=r"one template at a time: a\.yaml and b\.yaml were given"):
            split_arguments(["a.yaml", "b.yaml"])


class TestTemplate:
    @pytest.mark.parametrize("name", ["template.yaml", "template.yml", "template.json"])
    def test_in_the_folder(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).touch()
        assert find_template(None, tmp_path) == tmp_path / name

    def test_first_name_wins(self, tmp_path: Path) -> None:
        for name in ("template.json", "template.yml", "template.yaml"):
            (tmp_path / name).touch()
        assert find_template(None, tmp_path).name == "template.yaml"

    def test_given_file_or_folder(self, tmp_path: Path) -> None:
        path = tmp_path / "template.yaml"
        path.touch()
        assert find_template(path, Path("/nowhere")) == path
        assert find_template(tmp_path, Path("/nowhere")) == path

    def built(self, folder: Path, seconds: float) -> tuple[Path, Path]:
        """A source and what was built of it, `seconds` later."""
        source, built = folder / "template.yaml", folder / ".aws-sam" / "build" / "template.yaml"
        built.parent.mkdir(parents=True)
        for path, time in ((source, 1_000_000.0), (built, 1_000_000.0 + seconds)):
            path.touch()
            os.utime(path, (time, time))
        return source, built

    def test_built_one_when_it_is_newer(self, tmp_path: Path) -> None:
        _, built = self.built(tmp_path, 1)
        assert find_template(None, tmp_path) == built

    def test_source_when_it_was_changed_since(self, tmp_path: Path) -> None:
        source, _ = self.built(tmp_path, -1)
        assert find_template(None, tmp_path) == source

    def test_built_one_alone(self, tmp_path: Path) -> None:
        source, built = self.built(tmp_path, -1)
        source.unlink()
        assert find_template(None, tmp_path) == built

    @pytest.mark.parametrize(
        ("given", "why"),
        [
            (None, r"no template\.yaml or template\.yml or template\.json in .*; name the template: penstock up PATH"),
            ("nowhere.yaml", r"no template at .*nowhere\.yaml"),
        ],
    )
    def test_none(self, tmp_path: Path, given: str | None, why: str) -> None:
        with pytest.raises(UserError, match=why):
            find_template(tmp_path / given if given else None, tmp_path)


class TestFolders:
    def test_of_a_source(self, tmp_path: Path) -> None:
        template = tmp_path / "template.yaml"
        assert not is_built(template)
        assert project_folder(template) == tmp_path
        assert state_folder(template, "s") == tmp_path / ".penstock" / "s"

    def test_of_a_built_one(self, tmp_path: Path) -> None:
        template = tmp_path / ".aws-sam" / "build" / "template.yaml"
        assert is_built(template)
        assert project_folder(template) == tmp_path

    def test_relative_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert project_folder(Path("template.yaml")) == tmp_path

    @pytest.mark.parametrize(
        ("folder", "name"),
        [
            ("my-app", "my-app"),
            ("my_app 2", "my-app-2"),
            ("été", "t"),
            ("2cool", "stack-2cool"),
            ("...", "stack"),
            ("-a-", "a"),
        ],
    )
    def test_stack_name_from_the_folder(self, folder: str, name: str) -> None:
        assert default_stack_name(Path("/") / folder / "template.yaml") == name

    @pytest.mark.parametrize(
        ("variable", "folder"),
        [("/caches", "/caches/penstock"), ("", "/home/me/.cache/penstock"), ("relative", "/home/me/.cache/penstock")],
    )
    def test_cache(self, monkeypatch: pytest.MonkeyPatch, variable: str, folder: str) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", variable)
        monkeypatch.setenv("HOME", "/home/me")
        assert cache_folder() == Path(folder)


class TestOverrides:
    @pytest.mark.parametrize(
        ("words", "overrides"),
        [
            ([], {}),
            ([""], {}),
            (["A=1"], {"A": "1"}),
            (["A=1", "A=2"], {"A": "2"}),
            (["A=1 B=2\tC=3"], {"A": "1", "B": "2", "C": "3"}),
            (["A="], {"A": ""}),
            (["A=b=c"], {"A": "b=c"}),
            (["Subnets=subnet-1,subnet-2"], {"Subnets": "subnet-1,subnet-2"}),
            (["Message=hello big world"], {"Message": "hello big world"}),
            (['A="x y" B=z'], {"A": "x y", "B": "z"}),
            (["ParameterKey=A,ParameterValue=1"], {"A": "1"}),
            (["ParameterKey=A,ParameterValue=x y ParameterKey=B,ParameterValue=2"], {"A": "x y", "B": "2"}),
        ],
    )
    def test_forms(self, words: list[str], overrides: dict[str, str]) -> None:
        assert read_overrides(words) == overrides

    @pytest.mark.parametrize("word", ["A", "=1", "ParameterKey=A", "ParameterKey=,ParameterValue=1"])
    def test_bad(self, word: str) -> None:
        with pytest.raises(UserError, match=rf"--parameter-overrides: '{word}' is not KEY=VALUE"):
            read_overrides([word])


class TestLayers:
    ARN = "arn:aws:lambda:us-east-1:123456789012:layer:l:1"

    def test_arn_and_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "l=1.zip").touch()
        assert read_layers([f"{self.ARN}=l=1.zip"]) == {self.ARN: tmp_path / "l=1.zip"}

    @pytest.mark.parametrize("word", ["x", "name=path", ARN, f"{ARN}="])
    def test_bad(self, word: str) -> None:
        with pytest.raises(UserError, match=r"--layer: .* is not ARN=PATH"):
            read_layers([word])

    def test_missing_path(self) -> None:
        with pytest.raises(UserError, match="--layer: /nowhere/l does not exist"):
            read_layers([f"{self.ARN}=/nowhere/l"])


class TestEnvVars:
    def write(self, folder: Path, text: str) -> Path:
        path = folder / "env.json"
        path.write_text(text)
        return path

    def test_none(self) -> None:
        assert read_env_vars(None) is None

    def test_values_become_text(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, '{"F":{"A":"x","B":1,"C":true,"D":null,"E":[1]},"Parameters":{}}')
        assert read_env_vars(path) == {
            "F": {"A": "x", "B": "1", "C": "true", "D": "null", "E": "[1]"},
            "Parameters": {},
        }

    @pytest.mark.parametrize(
        ("text", "line", "why"),
        [
            ("{\n  oops\n}", ":2", "--env-vars: not JSON: "),
            ("", ":1", "--env-vars: not JSON: "),
            ("[]", "", "--env-vars: expected an object of objects"),
            ('{"F":"x"}', "", "--env-vars: expected an object of objects"),
        ],
    )
    def test_bad_file(self, tmp_path: Path, text: str, line: str, why: str) -> None:
        path = self.write(tmp_path, text)
        with pytest.raises(UserError) as refusal:
            read_env_vars(path)
        assert str(refusal.value).startswith(f"{path}{line}: {why}")
        assert "\n" not in str(refusal.value)

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="--env-vars: No such file or directory"):
            read_env_vars(tmp_path / "nowhere.json")
