"""One look at what an app's modules hold: names, and for each what kind of thing, which one, and a digest of it.

Bounded in depth, number and time. Nothing of the app's is called: attributes are read where Python keeps them, and only
its own containers are gone through.
"""

from __future__ import annotations

import types
from collections import deque
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator, Sequence

MOST_SLOTS = 4000
SECONDS = 0.05
DEPTH = 4
# A dict of more keys is a store of things, not a group of variables.
_GROUP = 32
_ITEMS = 200
_TEXT = 4096
_TOKENS = 5
_FOREIGN_NODES = 300

_SCALARS = (str, bytes, int, float, complex, bool, type(None))
_CONTAINERS = (dict, list, set, deque, bytearray)
# What is made to be shared, or holds nothing of a request's, by the module of its type.
_HARMLESS = frozenset(
    (
        *("_contextvars", "_thread", "_weakref", "asyncio", "concurrent", "contextvars", "functools", "logging"),
        *("multiprocessing", "queue", "re", "threading", "typing", "weakref"),
    )
)
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
# Where web frameworks let an app keep what it likes: Starlette's `app.state`, Flask's and Quart's `app.extensions`.
_FRAMEWORK_STATES = ("state", "extensions")


class Slot(NamedTuple):
    """`kind` is value, container, object or thread-local. `identity` and `digest` compare within one process; `size` is
    that of a container, else -1. `tokens` are those of requests that it holds, a few of them.
    """

    kind: str
    type: str
    identity: int
    size: int
    digest: int
    tokens: tuple[str, ...]


class Looker:
    """`tokens` finds the token of a request in bytes."""

    def __init__(self, tokens: re.Pattern[bytes]) -> None:
        self._tokens = tokens
        self._identities: dict[str, int] = {}
        """Of foreign objects, at the last look."""

    def look(self, modules: Sequence[types.ModuleType]) -> dict[str, Slot]:
        """What the modules hold now, by name: `main.current_user`."""
        look = _Look(self._tokens, self._identities, {module.__name__ for module in modules})
        for module in modules:
            look.module(module)
        self._identities = look.identities
        return look.slots


class _Look:
    def __init__(self, tokens: re.Pattern[bytes], before: dict[str, int], own: set[str]) -> None:
        self.slots: dict[str, Slot] = {}
        self.identities: dict[str, int] = {}
        self._tokens = tokens
        self._before = before
        self._own = own
        self._seen: set[int] = set()
        self._ends = perf_counter() + SECONDS

    def is_over(self) -> bool:
        return len(self.slots) >= MOST_SLOTS or perf_counter() > self._ends

    def module(self, module: types.ModuleType) -> None:
        for name, value in _items(vars(module)):
            full = f"{module.__name__}.{name}"
            if name.startswith("__") or _is(value, types.ModuleType):
                continue
            if _is(value, type):
                if value.__module__ == module.__name__:  # where it is defined, not where it is imported
                    self._class(full, value)
            elif _is(value, types.FunctionType):
                if value.__module__ == module.__name__:
                    self._function(full, value)
            elif not _is(value, _FUNCTIONS):
                self._visit(full, value, 0)

    def _class(self, name: str, cls: type) -> None:
        if _is_enum(cls):
            return
        for key, value in _items(dict(vars(cls))):
            # What a library that made the class keeps there, as pydantic does, changes with no request.
            if not key.startswith(("__", "_abc", "model_")) and type(value) in (*_SCALARS, *_CONTAINERS, tuple):
                self._visit(f"{name}.{key}", value, 1)

    def _function(self, name: str, function: types.FunctionType) -> None:
        """Its attributes, and defaults that all calls share."""
        for key, value in _items(function.__dict__):
            if not key.startswith("__"):
                self._visit(f"{name}.{key}", value, 1)
        positional = function.__code__.co_varnames[: function.__code__.co_argcount]
        defaults = function.__defaults__ or ()
        named = [
            *zip(positional[len(positional) - len(defaults) :], defaults, strict=False),
            *(function.__kwdefaults__ or {}).items(),
        ]
        for key, value in named:
            if _is(value, _CONTAINERS):
                self._visit(f"{name}({key}=)", value, 1)

    def _visit(self, name: str, value: object, depth: int) -> None:
        if self.is_over():
            return
        kind = type(value)
        if kind in _SCALARS:
            self._add(name, "value", value, digest=_digest(value), tokens=self._find((value,)))
        elif issubclass(kind, (tuple, frozenset)):
            items = _some(value)
            self._add(name, "value", value, digest=_digest_all(items), tokens=self._find(items))
        elif id(value) in self._seen:
            return
        elif issubclass(kind, _CONTAINERS):
            self._seen.add(id(value))
            self._container(name, value, depth)
        elif kind.__name__ == "_local" and kind.__module__ in ("_thread", "_threading_local"):
            self._add(name, "thread-local", value)
        elif kind.__module__ in self._own or kind is types.SimpleNamespace:
            self._seen.add(id(value))
            self._instance(name, value, depth)
        elif kind.__module__.partition(".")[0] not in _HARMLESS and not _is_enum(kind):
            self._seen.add(id(value))
            self._foreign(name, value, depth)

    def _container(self, name: str, value: Any, depth: int) -> None:
        items = _some(value)
        size = _size(value)
        self._add(name, "container", value, size=size, digest=_digest_all(items), tokens=self._find(items))
        if depth >= DEPTH:
            return
        if _is(value, dict) and size <= _GROUP:
            for key, item in zip(items[::2], items[1::2], strict=False):
                # One key for each request is a store again.
                if type(key) in (str, int) and not self._find((key,)):
                    self._visit(f"{name}[{key!r}]", item, depth + 1)
        elif _is(value, list) and size == 1:  # a variable that functions can set without `global`
            for item in items:
                self._visit(f"{name}[0]", item, depth + 1)

    def _instance(self, name: str, value: object, depth: int) -> None:
        if _is_enum(type(value)):
            return
        self._add(name, "object", value)
        if depth < DEPTH:
            for key, item in _attributes(value):
                self._visit(f"{name}.{key}", item, depth + 1)

    def _foreign(self, name: str, value: object, depth: int) -> None:
        """Of a library's class. What is in it is the library's, but for a place made for the app's own; another one in
        its place may be the request itself.
        """
        self.identities[name] = id(value)
        is_new = self._before.get(name) not in (None, id(value))
        self._add(name, "object", value, tokens=self._find(_reach(value)) if is_new else ())
        for key, item in _attributes(value):
            if key in _FRAMEWORK_STATES and depth < DEPTH:
                inner = dict(_attributes(item)).get("_state", item)
                if _is(inner, dict):
                    for inner_key, inner_item in _items(inner):
                        self._visit(f"{name}.{key}.{inner_key}", inner_item, depth + 1)

    def _add(
        self,
        name: str,
        kind: str,
        value: object,
        *,
        size: int = -1,
        digest: int = 0,
        tokens: tuple[str, ...] = (),
    ) -> None:
        self.slots[name] = Slot(kind, type(value).__name__, id(value), size, digest, tokens)

    def _find(self, values: Iterable[object]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for value in values:
            found.update((token.decode(), None) for token in self._tokens.findall(_text(value)))
            if len(found) >= _TOKENS:
                break
        return tuple(found)[:_TOKENS]


def _is(value: object, kinds: type | tuple[type, ...]) -> bool:
    """As isinstance, which would ask a proxy what it stands for."""
    return issubclass(type(value), kinds)


def _text(value: Any) -> bytes:
    """The beginning of what is text, nothing of what is not."""
    if _is(value, str):
        return str.encode(str.__getitem__(value, slice(_TEXT)), "utf-8", "replace")
    return bytes(value[:_TEXT]) if type(value) in (bytes, bytearray) else b""


def _items(mapping: dict[str, Any]) -> list[tuple[str, Any]]:
    """Of a dict that the app may be changing."""
    for _ in range(3):
        try:
            return [(key, value) for key, value in list(mapping.items()) if isinstance(key, str)]
        except RuntimeError:
            continue
    return []


def _some(value: Any) -> list[object]:
    """The first items of a container; of a dict keys and values in turn. What cannot be read now is left out."""
    try:
        if _is(value, dict):
            return [part for pair in islice(dict.items(value), _ITEMS) for part in pair]
        if _is(value, bytearray):
            return [bytes(value[:_TEXT])]
        kind: Any = next(base for base in (list, set, deque, tuple, frozenset) if _is(value, base))
        return list(islice(kind.__iter__(value), _ITEMS))
    except RuntimeError:  # changed meanwhile
        return []


def _size(value: Any) -> int:
    kind: Any = next(base for base in _CONTAINERS if _is(value, base))
    return int(kind.__len__(value))


def _digest(value: object) -> int:
    return hash((type(value).__name__, value)) if type(value) in _SCALARS else id(value)


def _digest_all(values: Iterable[object]) -> int:
    return hash(tuple(map(_digest, values)))


def _attributes(value: Any) -> list[tuple[str, Any]]:
    found = _items(dict_of(value))
    for base in type(value).__mro__:
        for key, descriptor in _items(dict(vars(base))):
            if type(descriptor) is types.MemberDescriptorType and not key.startswith("__"):
                try:
                    found.append((key, descriptor.__get__(value)))
                except AttributeError:  # not set
                    continue
    return found


def dict_of(value: object) -> dict[str, Any]:
    """Its `__dict__`, however its class words attribute access."""
    for base in type(value).__mro__:
        descriptor: Any = vars(base).get("__dict__")
        if type(descriptor) in (types.GetSetDescriptorType, types.MemberDescriptorType):
            found = descriptor.__get__(value)
            return found if isinstance(found, dict) else {}
    return {}


def _is_enum(cls: type) -> bool:
    return type(cls).__name__ in ("EnumMeta", "EnumType")


def _reach(value: Any) -> Iterator[object]:
    """Texts within a few steps of an object."""
    waiting = deque([value])
    seen: set[int] = set()
    for _ in range(_FOREIGN_NODES):
        if not waiting:
            return
        one = waiting.popleft()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if _is(one, (str, bytes, bytearray)):
            yield one
        elif _is(one, (dict, list, tuple, set, frozenset, deque)):
            waiting.extend(_some(one))
        elif not _is(one, (type, types.ModuleType, *_FUNCTIONS)):
            waiting.extend(item for _, item in _attributes(one))
