"""The local key file: the access keys that may sign requests here.

It has the format of AWS's shared credentials file, so a client finds its key when AWS_SHARED_CREDENTIALS_FILE names the
file: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html. Nothing here looks into ~/.aws by itself.
"""

import configparser
import os
import re
import secrets
import shlex
import stat
import string
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from penstock.model.errors import Place, UserError
from penstock.template.intrinsics import partition
from penstock.wire.sigv4 import Key

_ID: Final = "aws_access_key_id"
_SECRET: Final = "aws_secret_access_key"
_TOKEN: Final = "aws_session_token"

# https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKey.html, less the least length: keys of other local
# tools are as short as "test".
_ID_PATTERN: Final = re.compile(r"\w{1,128}", re.ASCII)
# What may not be in the name of a user: https://docs.aws.amazon.com/IAM/latest/APIReference/API_User.html
_NOT_IN_USER: Final = re.compile(r"[^\w+=,.@-]", re.ASCII)
# AKIA and 16 more of base32 for the key of a user, and 40 for its secret, as AWS makes them.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
_ID_ALPHABET: Final = string.ascii_uppercase + "234567"
_SECRET_ALPHABET: Final = string.ascii_letters + string.digits + "+/"
# Thousands of keys; what is larger is another file (assumed).
_MAX_BYTES: Final = 1024 * 1024


def load_keys(path: Path, account_id: str, region: str) -> Mapping[str, Key]:
    """The key of every profile that has one, by access key id; the profile's name is the user's.

    `account_id` and `region` are those of the users' ARNs. Raises UserError.
    """
    text = _read(path)
    keys: dict[str, Key] = {}
    for profile, values in _sections(path, text).items():
        key = _key(path, text, profile, values, account_id, partition(region))
        if key is None:
            continue
        if key.access_key_id in keys:
            raise _wrong(path, text, profile, f"{_ID} {key.access_key_id} is in another profile as well")
        keys[key.access_key_id] = key
    if not keys:
        raise UserError(f"no profile has {_ID} and {_SECRET}", Place(path))
    return keys


def make_keys(path: Path) -> bool:
    """Whether the file was missing and is made now, with one new key as the default profile, for the user's eyes only.

    Of two processes that make it at once one succeeds; nobody ever sees half a file. Raises UserError.
    """
    try:
        if path.exists():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        return _put(path, _new_profile())
    except OSError as error:
        raise UserError(f"the key file cannot be made: {error.strerror}", Place(path)) from None


def usage_line(path: Path, region: str) -> str:
    """How to sign with these keys, in one line."""
    # Version 1 of the AWS CLI knows the second name of the region alone.
    file = shlex.quote(str(path.absolute()))
    variables = f"AWS_SHARED_CREDENTIALS_FILE={file} AWS_REGION={region} AWS_DEFAULT_REGION={region}"
    return f"Sign requests with the keys in {path}: export {variables}"


def _put(path: Path, text: str) -> bool:
    """Whether there was no such file: one of mode 0600 becomes visible under its name, whole, by one act."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(text)
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(draft)
    return True


def _new_profile() -> str:
    access_key_id = "AKIA" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(16))
    secret = "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(40))
    return f"# Keys for local use; AWS does not know them.\n[default]\n{_ID} = {access_key_id}\n{_SECRET} = {secret}\n"


def _read(path: Path) -> str:
    """The file's text, if nobody else can have written it."""
    try:
        # Without O_NONBLOCK a named pipe would hold us up.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _check_status(path, os.fstat(descriptor))
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(_MAX_BYTES).decode()
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise UserError("there is no such key file", Place(path)) from None
    except OSError as error:
        raise UserError(f"the key file cannot be read: {error.strerror}", Place(path)) from None
    except UnicodeDecodeError:
        raise UserError("the key file must be UTF-8 text", Place(path)) from None


def _check_status(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UserError("the key file must be a regular file", Place(path))
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UserError("other users may write to the key file; allowed is mode 0600: chmod 600 it", Place(path))
    if status.st_uid not in (os.geteuid(), 0):
        raise UserError("the key file belongs to another user; it must be yours", Place(path))
    if status.st_size > _MAX_BYTES:
        raise UserError(f"the key file has more than {_MAX_BYTES} bytes", Place(path))


def _sections(path: Path, text: str) -> dict[str, Mapping[str, str]]:
    # As botocore reads it: "%" means nothing, and [DEFAULT] is a profile like any other.
    parser = configparser.RawConfigParser(default_section="")
    try:
        parser.read_string(text)
    except configparser.MissingSectionHeaderError as error:
        raise UserError("a [profile] line must come first", Place(path, error.lineno)) from None
    except configparser.DuplicateSectionError as error:
        raise UserError(f"the profile [{error.section}] is there twice", Place(path, error.lineno)) from None
    except configparser.DuplicateOptionError as error:
        raise UserError(f"a name is there twice in [{error.section}]", Place(path, error.lineno)) from None
    except configparser.ParsingError as error:
        # The error's own text quotes the line, and there may be a secret in it.
        line = error.errors[0][0] if error.errors else None
        raise UserError("allowed are [profile] and name = value", Place(path, line)) from None
    return {name: parser[name] for name in parser.sections()}


def _key(
    path: Path, text: str, profile: str, values: Mapping[str, str], account_id: str, arn_partition: str
) -> Key | None:
    access_key_id, secret = values.get(_ID, ""), values.get(_SECRET, "")
    if not access_key_id and not secret:
        return None  # a profile may have other settings alone
    if not access_key_id or not secret:
        raise _wrong(path, text, profile, f"has no {_SECRET if access_key_id else _ID}")
    if not _ID_PATTERN.fullmatch(access_key_id):
        raise _wrong(path, text, profile, f"{_ID} may hold letters, digits and _ alone, 128 at most")
    token = values.get(_TOKEN)
    for name, value in ((_SECRET, secret), (_TOKEN, token or "")):
        if not value.isascii() or not value.isprintable():
            raise _wrong(path, text, profile, f"{name} must be one line of ASCII")
    return Key(
        access_key_id=access_key_id,
        secret_access_key=secret,
        session_token=token or None,
        account_id=account_id,
        user=_NOT_IN_USER.sub("-", profile)[:64],
        partition=arn_partition,
    )


def _wrong(path: Path, text: str, profile: str, problem: str) -> UserError:
    line = next((number for number, line in enumerate(text.splitlines(), 1) if f"[{profile}]" in line), None)
    return UserError(f"[{profile}]: {problem}", Place(path, line))
