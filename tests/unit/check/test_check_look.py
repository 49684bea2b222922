"""One look at made-up modules: which names it tells, and what it leaves alone."""

import asyncio
import enum
import functools
import logging
import re
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from penstock.check.inside.penstock_probe import look as look_module
from penstock.check.inside.penstock_probe.look import Looker, Slot
from penstock.check.inside.penstock_probe.own_modules import OwnModules
from penstock.check.tokens import Tokens

TOKENS = Tokens("0badcafe")
A, B = TOKENS.make(1), TOKENS.make(2)


def looker() -> Looker:
    return Looker(re.compile(TOKENS.pattern.encode(), re.IGNORECASE))


def module(**values: object) -> ModuleType:
    return named("main", values)


def named(name: str, values: Mapping[str, object]) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(values)
    return made


def run(source: str) -> ModuleType:
    """A module whose classes and functions are its own."""
    made = ModuleType("main")
    exec(source, vars(made))
    return made


def look(*modules: ModuleType) -> dict[str, Slot]:
    return looker().look(modules)


def test_values_and_their_tokens() -> None:
    slots = look(module(user=f"hello {A}", hits=3, raw=A.upper().encode(), pair=(1, B), nothing=None))
    assert {name: (slot.kind, slot.type, slot.tokens) for name, slot in slots.items()} == {
        "main.user": ("value", "str", (A,)),
        "main.hits": ("value", "int", ()),
        "main.raw": ("value", "bytes", (A.upper(),)),
        "main.pair": ("value", "tuple", (B,)),
        "main.nothing": ("value", "NoneType", ()),
    }


def test_digests_follow_values() -> None:
    first, same, other = (look(module(x=value))["main.x"].digest for value in (1, 1, 2))
    assert first == same != other
    assert look(module(x=True))["main.x"].digest != first


def test_containers_with_their_sizes() -> None:
    slots = look(module(cache={A: B}, names=[A, B], some={1, 2}, last=deque([A], maxlen=3), order=OrderedDict(a=1)))
    assert {name: slot.size for name, slot in slots.items() if slot.kind == "container"} == {
        "main.cache": 1,
        "main.names": 2,
        "main.some": 2,
        "main.last": 1,
        "main.order": 1,
    }
    assert slots["main.cache"].tokens == (A, B)


def test_a_small_dict_is_a_group_of_variables() -> None:
    slots = look(module(current={"user": A, "deep": {"er": B}}))
    assert slots["main.current['user']"].tokens == (A,)
    assert slots["main.current['deep']['er']"].tokens == (B,)


def test_a_dict_by_request_or_of_many_keys_is_a_store() -> None:
    assert list(look(module(cache={A: {"user": A}}))) == ["main.cache"]
    assert list(look(module(cache={f"k{number}": A for number in range(100)}))) == ["main.cache"]


def test_a_list_of_one_is_a_variable() -> None:
    assert look(module(state=[A]))["main.state[0]"].tokens == (A,)
    assert list(look(module(state=[A, B]))) == ["main.state"]


def test_what_its_own_classes_hold() -> None:
    own = run("""
class Service:
    current = None
    def __init__(self):
        self.user = None
class Slotted:
    __slots__ = ("user", "unset")
service = Service()
slotted = Slotted()
""")
    own.service.user = A
    own.Service.current = B
    own.slotted.user = A
    slots = look(own)
    assert slots["main.service.user"].tokens == (A,)
    assert slots["main.Service.current"].tokens == (B,)
    assert slots["main.slotted.user"].tokens == (A,)
    assert "main.slotted.unset" not in slots
    assert slots["main.service"].kind == "object"


def test_what_functions_keep() -> None:
    own = run("def remember(x, seen=[], *, more={}):\n    pass\nremember.last = None\n")
    own.remember.last = A
    slots = look(own)
    assert {"main.remember(seen=)", "main.remember(more=)"} <= slots.keys()
    assert slots["main.remember.last"].tokens == (A,)


def test_where_frameworks_let_an_app_keep_what_it_likes() -> None:
    state = SimpleNamespace(_state={"user": A})
    framework = type("Framework", (), {})()
    framework.state = state
    framework.extensions = {"db": B}
    framework.internal = A
    slots = look(module(app=framework))
    assert slots["main.app.state.user"].tokens == (A,)
    assert slots["main.app.extensions.db"].tokens == (B,)
    assert "main.app.internal" not in slots


def test_a_foreign_thing_in_the_place_of_another_is_looked_into() -> None:
    request = type("Request", (), {})
    looking, here = looker(), module(last=None)
    found = []
    for token in (A, A, B):
        here.last = request()  # type: ignore[attr-defined]
        here.last.scope = {"headers": [(b"x-user", token.encode())]}
        found.append(looking.look([here])["main.last"].tokens)
    assert found == [(), (A,), (B,)]
    assert looking.look([here])["main.last"].tokens == ()


def test_what_is_made_to_be_shared_is_left_alone() -> None:
    class Color(enum.Enum):
        RED = A

    @functools.lru_cache
    def cached() -> None: ...

    harmless = {
        "lock": threading.Lock(),
        "event": threading.Event(),
        "user": ContextVar("user"),
        "logger": logging.getLogger("x"),
        "pattern": re.compile("x"),
        "queue": asyncio.Queue,
        "color": Color.RED,
        "cached": cached,
        "module": sys,
        "function": len,
        "__version__": A,
    }
    assert look(named("main", harmless)) == {}


def test_a_thread_local_is_told() -> None:
    assert look(module(local=threading.local()))["main.local"].kind == "thread-local"


def test_the_same_container_is_told_once() -> None:
    shared: list[str] = []
    assert list(look(named("one", {"x": shared}), named("two", {"x": shared}))) == ["one.x"]


def test_circles_end() -> None:
    circle: dict[str, Any] = {}
    circle["self"] = circle
    assert list(look(module(circle=circle))) == ["main.circle"]


def test_nothing_of_the_apps_is_called() -> None:
    own = run("""
class Touchy:
    def __getattribute__(self, name):
        raise AssertionError(name)
    def __len__(self):
        raise AssertionError
    def __hash__(self):
        raise AssertionError
    def __eq__(self, other):
        raise AssertionError
    __class__ = property(lambda self: 1 / 0)
class Dict(dict):
    def items(self):
        raise AssertionError
    __iter__ = __len__ = items
class Text(str):
    def encode(self, *args):
        raise AssertionError
touchy = Touchy()
held = {"touchy": touchy}
mapping = Dict(a=1)
text = Text("x")
""")
    slots = look(own)
    assert slots["main.mapping['a']"].kind == "value"
    assert {"main.touchy", "main.held"} <= slots.keys()


def test_it_stops_after_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_module, "MOST_SLOTS", 10)
    assert len(look(named("main", {f"n{number}": number for number in range(50)}))) == 10


# --- whose modules ---


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A task root with the app's code and two installed packages."""
    files = {
        "main.py": "",
        "shop/__init__.py": "",
        "six.py": "",
        "fastapi/__init__.py": "",
        "vendor/site-packages/thing.py": "",
        "fastapi-0.1.dist-info/RECORD": "fastapi/__init__.py,sha256=x,0\nfastapi-0.1.dist-info/RECORD,,\n",
        "six-1.dist-info/RECORD": '"six.py",,\n../../bin/six,,\n',
        "old-1.egg-info/PKG-INFO": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_which_files_are_the_apps_own(root: Path) -> None:
    own = OwnModules(str(root))
    assert own.is_own(str(root / "main.py"))
    assert own.is_own(str(root / "shop" / "__init__.py"))
    for other in ("six.py", "fastapi/__init__.py", "vendor/site-packages/thing.py"):
        assert not own.is_own(str(root / other))
    assert not own.is_own(__file__)
    assert not own.is_own(None)


def test_loaded_modules(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, file in (("own_main", "main.py"), ("own_six", "six.py")):
        loaded = named(name, {"__file__": str(root / file)})
        monkeypatch.setitem(sys.modules, name, loaded)
    assert [one.__name__ for one in OwnModules(str(root)).loaded()] == ["own_main"]
