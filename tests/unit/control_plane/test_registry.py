"""The functions that run, by name."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from penstock.control_plane.registry import LATEST, LATEST_PUBLISHED, Registry
from penstock.invoke_api.refusal import RefusalError
from penstock.model.function import Function
from penstock.router import Router
from support.functions import CAPACITY_PROVIDER, function

if TYPE_CHECKING:
    from penstock.invoke_api.directory import Directory

APP = function(Path("/code"))


def add(registry: Registry, made: Function, last_modified: float = 0.0) -> Router:
    router = Router()
    registry.add(made, router, url=None, code_sha256="c2hh", code_size=1, last_modified=last_modified)
    return router


@pytest.mark.parametrize("qualifier", [None, "", "1", "live", LATEST_PUBLISHED])
def test_an_invocation_reaches_the_published_version(qualifier: str | None) -> None:
    registry = Registry()
    router = add(registry, APP)
    directory: Directory = registry
    found = directory.find("app", qualifier)
    assert found is not None
    assert (found.function, found.router, found.version) == (APP, router, "1")


@pytest.mark.parametrize(
    ("name", "qualifier"), [("ap", LATEST), ("app", "2"), ("app", "Live"), ("ap", None), ("App", "live"), ("", None)]
)
def test_what_is_not_there_is_not_found(name: str, qualifier: str | None) -> None:
    registry = Registry()
    add(registry, APP)
    assert registry.find(name, qualifier) is None


def test_latest_itself_takes_no_invocation() -> None:
    registry = Registry()
    add(registry, APP)
    with pytest.raises(RefusalError, match="can't be invoked with \\$LATEST qualifier") as caught:
        registry.find("app", LATEST)
    assert (caught.value.status, caught.value.error_type) == (400, "InvalidParameterValueException")


def test_a_function_without_an_alias_has_none_to_be_found_by() -> None:
    registry = Registry()
    add(registry, replace(APP, alias=None, version=LATEST_PUBLISHED))
    found = registry.find("app", None)
    assert found is not None
    assert found.version == LATEST_PUBLISHED
    assert registry.find("app", "1") is None
    assert registry.find("app", "None") is None


def test_functions_come_in_the_order_of_their_names() -> None:
    registry = Registry()
    for name in ("b", "app-2", "app", "B"):
        add(registry, replace(APP, name=name))
    assert [one.function.name for one in registry.functions] == ["B", "app", "app-2", "b"]


def test_a_function_shown_again_takes_its_own_place() -> None:
    registry = Registry()
    add(registry, APP)
    router = add(registry, replace(APP, version="2"))
    found = registry.find("app", "live")
    assert found is not None
    assert (found.version, found.router) == ("2", router)
    assert len(registry.functions) == 1


def test_capacity_providers_are_told_once_each() -> None:
    registry = Registry()
    other = replace(CAPACITY_PROVIDER, name="a-second")
    add(registry, replace(APP, name="one"), 30.0)
    add(registry, replace(APP, name="two"), 20.0)
    add(registry, replace(APP, name="three", capacity_provider=other), 40.0)
    assert list(registry.capacity_providers.items()) == [
        ("a-second", (other, 40.0)),
        ("capacity", (CAPACITY_PROVIDER, 20.0)),
    ]
