"""The local key file: read as AWS's tools read it, made once, and never quoted."""

import os
import re
import threading
from pathlib import Path
from typing import Final

import botocore.session
import pytest

from penstock.cli.keys import load_keys, make_keys, usage_line
from penstock.model.errors import UserError
from penstock.wire.sigv4 import Key

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"
SECRET: Final = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
PROFILE: Final = f"[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {SECRET}\n"


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "keys"
    path.write_text(text)
    path.chmod(mode)
    return path


def problem(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_keys(path, ACCOUNT, REGION)
    message = str(caught.value)
    assert "\n" not in message
    assert SECRET not in message
    return message


class TestLoad:
    def test_every_profile_with_a_key(self, tmp_path: Path) -> None:
        path = written(
            tmp_path,
            f"# mine\n{PROFILE}region = eu-west-1\n\n"
            "[ci build]\naws_access_key_id=ASIAEXAMPLE\naws_secret_access_key=a%(b)s\naws_session_token=to=ken==\n"
            "[role]\nrole_arn = arn:aws:iam::1:role/x\n"
            "[DEFAULT]\naws_access_key_id: test\naws_secret_access_key: test\n",
        )
        keys = load_keys(path, ACCOUNT, REGION)
        assert list(keys) == ["AKIDEXAMPLE", "ASIAEXAMPLE", "test"]
        assert keys["AKIDEXAMPLE"] == Key(
            access_key_id="AKIDEXAMPLE", secret_access_key=SECRET, account_id=ACCOUNT, user="default"
        )
        assert keys["ASIAEXAMPLE"].secret_access_key == "a%(b)s"
        assert keys["ASIAEXAMPLE"].session_token == "to=ken=="
        assert keys["ASIAEXAMPLE"].user_arn == f"arn:aws:iam::{ACCOUNT}:user/ci-build"
        assert keys["test"].user == "DEFAULT"

    def test_partition_is_the_regions(self, tmp_path: Path) -> None:
        keys = load_keys(written(tmp_path, PROFILE), ACCOUNT, "cn-north-1")
        assert keys["AKIDEXAMPLE"].user_arn == f"arn:aws-cn:iam::{ACCOUNT}:user/default"

    @pytest.mark.parametrize(
        ("text", "line", "words"),
        [
            ("", None, "no profile has aws_access_key_id and aws_secret_access_key"),
            ("[a]\nregion = x\n", None, "no profile has"),
            (f"aws_secret_access_key = {SECRET}\n", 1, "a [profile] line must come first"),
            (f"[a]\n{SECRET}\n", 2, "allowed are [profile] and name = value"),
            (f"{PROFILE}[default]\n", 4, "the profile [default] is there twice"),
            (f"{PROFILE}aws_secret_access_key = {SECRET}\n", 4, "a name is there twice in [default]"),
            ("\n[a]\naws_access_key_id = AKID\n", 2, "[a]: has no aws_secret_access_key"),
            (f"[a]\naws_secret_access_key = {SECRET}\n", 1, "[a]: has no aws_access_key_id"),
            (f"[a]\naws_access_key_id = A/B\naws_secret_access_key = {SECRET}\n", 1, "letters, digits and _"),
            (f"[a]\naws_access_key_id = {'A' * 129}\naws_secret_access_key = {SECRET}\n", 1, "128 at most"),
            (f"{PROFILE}\n[b]\n{PROFILE.partition(chr(10))[2]}", 5, "AKIDEXAMPLE is in another profile as well"),
            (f"[a]\naws_access_key_id = A\naws_secret_access_key = {SECRET}\n  {SECRET}\n", 1, "one line of ASCII"),
            (f"{PROFILE}aws_session_token = é\n", 1, "aws_session_token must be one line of ASCII"),
        ],
    )
    def test_bad_text(self, tmp_path: Path, text: str, line: int | None, words: str) -> None:
        path = written(tmp_path, text)
        message = problem(path)
        assert words in message
        assert message.startswith(f"{path}:{line}: " if line else f"{path}: ")

    @pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
    def test_file_that_others_may_write(self, tmp_path: Path, mode: int) -> None:
        assert "allowed is mode 0600" in problem(written(tmp_path, PROFILE, mode))

    def test_file_that_others_may_read(self, tmp_path: Path) -> None:
        assert load_keys(written(tmp_path, PROFILE, 0o644), ACCOUNT, REGION)

    def test_no_file(self, tmp_path: Path) -> None:
        assert problem(tmp_path / "none") == f"{tmp_path / 'none'}: there is no such key file"

    def test_folder_and_pipe(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe, 0o600)
        assert "regular file" in problem(pipe)
        assert "regular file" in problem(tmp_path)

    def test_binary_file(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        path.write_bytes(b"[a]\n\xff\xfe")
        path.chmod(0o600)
        assert "must be UTF-8 text" in problem(path)

    def test_huge_file(self, tmp_path: Path) -> None:
        path = written(tmp_path, PROFILE)
        os.truncate(path, 1024 * 1024 + 1)
        assert "more than" in problem(path)


class TestMake:
    def test_made_once(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "keys"
        assert make_keys(path)
        made = path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600
        assert not make_keys(path)
        assert path.read_bytes() == made
        assert [file.name for file in path.parent.iterdir()] == ["keys"]

    def test_looks_like_aws(self, tmp_path: Path) -> None:
        make_keys(tmp_path / "keys")
        (key,) = load_keys(tmp_path / "keys", ACCOUNT, REGION).values()
        assert re.fullmatch("AKIA[A-Z2-7]{16}", key.access_key_id)
        assert re.fullmatch("[A-Za-z0-9+/]{40}", key.secret_access_key)
        assert (key.user, key.session_token) == ("default", None)

    def test_each_is_another(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            make_keys(tmp_path / name)
        one, two = (load_keys(tmp_path / name, ACCOUNT, REGION) for name in ("one", "two"))
        assert not one.keys() & two.keys()

    def test_many_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        start = threading.Barrier(8)
        made: list[bool] = []
        read: list[str] = []

        def make() -> None:
            start.wait()
            made.append(make_keys(path))
            read.extend(load_keys(path, ACCOUNT, REGION))

        threads = [threading.Thread(target=make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(made) == [False] * 7 + [True]
        assert len(read) == 8
        assert len(set(read)) == 1

    def test_place_that_cannot_be(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match="the key file cannot be made: "):
            make_keys(tmp_path / "file" / "keys")

    def test_aws_clients_read_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "a key file"
        make_keys(path)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
        credentials = botocore.session.Session().get_credentials()
        assert credentials is not None
        (key,) = load_keys(path, ACCOUNT, REGION).values()
        assert (credentials.access_key, credentials.secret_key) == (key.access_key_id, key.secret_access_key)


def test_usage_line(tmp_path: Path) -> None:
    path = tmp_path / "a b"
    assert usage_line(path, REGION) == (
        f"Sign requests with the keys in {path}: export AWS_SHARED_CREDENTIALS_FILE='{path}' "
        "AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1"
    )
