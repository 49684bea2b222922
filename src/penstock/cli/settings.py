"""Flags of `penstock up` as values: what the user typed is checked here, before anything starts."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson

from penstock.model.errors import Place, UserError
from penstock.scaler import LaunchDelays

_BUILT = Path(".aws-sam/build/template.yaml")
# Where one pair ends and the next begins: a value may hold spaces.
_BEFORE_KEY = re.compile(r"\s+(?=[A-Za-z0-9]+=)")
_NAMES = ("template.yaml", "template.yml", "template.json")


def split_arguments(arguments: Sequence[str]) -> tuple[Path | None, tuple[str, ...]]:
    """The template and the `K=V` words that followed `--parameter-overrides`.

    Like SAM CLI's, that option takes any number of words, so words with `=` among the arguments are its own.
    """
    overrides = tuple(word for word in arguments if "=" in word and not Path(word).exists())
    paths = [word for word in arguments if word not in overrides]
    if len(paths) > 1:
        raise UserError(f"one template at a time: {' and '.join(paths)} were given")
    return (Path(paths[0]) if paths else None), overrides


def find_template(given: Path | None, folder: Path) -> Path:
    """The template to run: the given one, else ./template.yaml, or what `sam build` made of it when that is newer."""
    if given is not None:
        if given.is_dir():
            return find_template(None, given)
        if not given.is_file():
            raise UserError(f"no template at {given}")
        return given
    source = next((path for name in _NAMES if (path := folder / name).is_file()), None)
    built = folder / _BUILT
    if built.is_file() and (source is None or built.stat().st_mtime > source.stat().st_mtime):
        return built
    if source is None:
        raise UserError(f"no {' or '.join(_NAMES)} in {folder.absolute()}; name the template: penstock up PATH")
    return source


def is_built(template: Path) -> bool:
    """Whether `sam build` wrote it: then the code folders hold their dependencies already."""
    return template.absolute().parent.parts[-2:] == (".aws-sam", "build")


def project_folder(template: Path) -> Path:
    """The folder the user works in: the template's, or, for a built one, the folder that holds .aws-sam."""
    parent = template.absolute().parent
    return parent.parent.parent if is_built(template) else parent


# Longer than anybody has waited for an instance (assumed).
_MAX_LAUNCH_DELAY_S: Final = 3600.0


def default_stack_name(template: Path) -> str:
    """The folder's name in the characters CloudFormation takes."""
    name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in project_folder(template).name)
    name = name.strip("-")
    return name if name[:1].isalpha() else f"stack-{name}".rstrip("-")


def state_folder(template: Path, stack_name: str) -> Path:
    """Where logs are kept. A `.gitignore` of its own keeps it out of the user's repository."""
    return project_folder(template) / ".penstock" / stack_name


def read_overrides(words: Sequence[str]) -> dict[str, str]:
    """`K=V`, several in one word, or SAM CLI's `ParameterKey=K,ParameterValue=V`. Raises UserError."""
    overrides: dict[str, str] = {}
    for word in words:
        for pair in filter(None, _BEFORE_KEY.split(word.strip())):
            key, separator, value = pair.partition("=")
            if pair.startswith("ParameterKey="):
                key, separator, value = value.partition(",ParameterValue=")
            if not separator or not key:
                raise UserError(f"--parameter-overrides: {pair!r} is not KEY=VALUE")
            overrides[key] = value.strip('"')
    return overrides


def read_layers(words: Sequence[str]) -> dict[str, Path]:
    """`ARN=PATH`. Raises UserError."""
    layers: dict[str, Path] = {}
    for word in words:
        arn, separator, path = word.partition("=")
        if not separator or not arn.startswith("arn:") or not path:
            raise UserError(f"--layer: {word!r} is not ARN=PATH")
        if not Path(path).exists():
            raise UserError(f"--layer: {path} does not exist")
        layers[arn] = Path(path).absolute()
    return layers


def read_env_vars(path: Path | None) -> dict[str, Mapping[str, str]] | None:
    """SAM CLI's file: `{"Function": {"NAME": "value"}}`, with "Parameters" for every function. Raises UserError.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-using-invoke.html
    """
    if path is None:
        return None
    place = Place(path)
    try:
        value = orjson.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"--env-vars: {error.strerror}", place) from None
    except orjson.JSONDecodeError as error:
        raise UserError(f"--env-vars: not JSON: {error.msg}", Place(path, error.lineno)) from None
    if not isinstance(value, dict) or not all(isinstance(group, dict) for group in value.values()):
        raise UserError('--env-vars: expected an object of objects, like {"MyFunction": {"NAME": "value"}}', place)
    return {name: {key: _text(content) for key, content in group.items()} for name, group in value.items()}


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def cache_folder() -> Path:
    """Dependencies and layers, shared by every project of this user (XDG base directories)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache") / "penstock"


def read_launch_delay(text: str) -> LaunchDelays:
    """Seconds until an instance is there, or `aws` for about as long as there. Raises UserError."""
    if text == "aws":
        return LaunchDelays.aws()
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _MAX_LAUNCH_DELAY_S:
        raise UserError(
            f"--launch-delay: bad value {text!r}; allowed: seconds from 0 to {_MAX_LAUNCH_DELAY_S:g}, or aws"
        )
    return LaunchDelays(seconds)


def default_region() -> str:
    """As AWS's tools find it."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
