"""Where the app's SnapStart hooks are, and which requests from outside would reach them. Pure.

Variables and rules are LWA's (https://github.com/aws/aws-lambda-web-adapter/pull/837): a hook changes what the app
holds open, so nobody but the adapter may call it, however the path is spelled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from penstock_adapter.endpoint import OptionError
from penstock_adapter.http_url import clean_path

BEFORE_CHECKPOINT: Final = "AWS_LWA_SNAPSTART_BEFORE_CHECKPOINT_PATH"
AFTER_RESTORE: Final = "AWS_LWA_SNAPSTART_AFTER_RESTORE_PATH"

_NO_CONTROLS: Final = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)])
# What bytes that are not UTF-8 become when they are decoded.
_REPLACEMENT: Final = "\ufffd"

Route = tuple[str, ...]
"""The segments of a path in canonical form."""


@dataclass(frozen=True, slots=True)
class HookPaths:
    """Paths as they stand in a request line; empty where there is no such hook. `guarded` are the routes of both."""

    before_checkpoint: str = ""
    after_restore: str = ""
    guarded: frozenset[Route] = frozenset()

    def covers(self, target: str) -> bool:
        """Whether the path of a request's `target` leads to a hook."""
        return bool(self.guarded) and route(target.partition("?")[0]) in self.guarded


NO_HOOKS: Final = HookPaths()


def read_hook_paths(environ: Mapping[str, str], pass_through_path: str) -> HookPaths:
    """Both hooks; an empty variable counts as unset. Raises `OptionError` for a path that cannot be guarded."""
    paths: dict[str, str] = {}
    for name in (BEFORE_CHECKPOINT, AFTER_RESTORE):
        given = environ.get(name, "")
        paths[name] = clean_path(f"/{given.removeprefix('/')}") if given else ""
        if given:
            _check(name, given, route(paths[name]), pass_through_path)
    guarded = frozenset(route(path) for path in paths.values() if path)
    return HookPaths(paths[BEFORE_CHECKPOINT], paths[AFTER_RESTORE], guarded)


def route(path: str) -> Route:
    """`path` as any web framework might read it: decoded once, without empty and dot segments, parameters after a
    semicolon and control characters, in one case. Two spellings of one route are equal; so are some that are two.
    """
    from urllib.parse import unquote  # only functions with hooks pay for the import

    kept: list[str] = []
    for segment in unquote(path).translate(_NO_CONTROLS).replace("\\", "/").split("/"):
        name = segment.partition(";")[0]
        if name == "..":
            del kept[-1:]
        elif name not in ("", "."):
            kept.append(name.casefold())
    return tuple(kept)


def _check(name: str, given: str, found: Route, pass_through_path: str) -> None:
    if not found:
        raise OptionError(f"{name}={given!r} is the root of the app, which requests need: expected /something")
    if any("%" in segment or _REPLACEMENT in segment for segment in found):
        # Frameworks read what is left of an escape each in its own way: not every spelling could be refused.
        raise OptionError(f"{name}={given!r} holds a percent sign when it is decoded: expected a path without one")
    if found == route(clean_path(pass_through_path)):
        raise OptionError(f"{name}={given!r} is where events that are not HTTP go: expected another path")
