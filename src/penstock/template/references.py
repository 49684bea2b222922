"""Who names whom: every reference must lead somewhere, and resources must not depend on each other in a circle."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from penstock.model.errors import UserError
from penstock.template.hints import did_you_mean
from penstock.template.intrinsics import SUB_VARIABLE, Resolver
from penstock.template.source import Map, PathInFile, Source, Value


@dataclass(frozen=True, slots=True)
class Reference:
    """One `Ref`, `Fn::GetAtt`, `Fn::Sub` variable or `DependsOn`, where it stands."""

    function: str
    name: str
    path: PathInFile


def references(value: Value, path: PathInFile) -> Iterator[Reference]:
    """Every reference inside `value`, which stands at `path`."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from references(item, (*path, index))
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key == "Ref" and isinstance(item, str) and len(value) == 1:
            yield Reference(key, item, path)
        elif key == "Fn::GetAtt" and isinstance(item, str):
            yield Reference(key, item.split(".")[0], path)
        elif key == "Fn::GetAtt" and isinstance(item, list) and item and isinstance(item[0], str):
            yield Reference(key, item[0], path)
        elif key == "Fn::Sub":
            yield from _sub_references(item, path)
        else:
            yield from references(item, (*path, key))


def _sub_references(argument: Value, path: PathInFile) -> Iterator[Reference]:
    text, variables = argument, None
    if isinstance(argument, list) and len(argument) == 2:
        text, variables = argument
        yield from references(variables, path)
    if not isinstance(text, str):
        return
    for match in SUB_VARIABLE.finditer(text):
        name = match[1].strip()
        if not name.startswith("!") and not (isinstance(variables, dict) and name in variables):
            yield Reference("Fn::Sub", name.split(".")[0], path)


def check_references(source: Source, known: Collection[str]) -> None:
    """Raise UserError for the first reference in the template that leads nowhere."""
    for section in ("Conditions", "Resources", "Outputs"):
        for name, item in source.section(section).items():
            for reference in references(item, (section, name)):
                _check(source, reference, known)
            if section == "Resources" and isinstance(item, dict):
                for target in _depends_on(item):
                    _check(source, Reference("DependsOn", target, (section, name, "DependsOn")), known)


def _check(source: Source, reference: Reference, known: Collection[str]) -> None:
    # SAM's own form: `!Ref MyFunction.Alias`.
    name = reference.name.split(".")[0]
    if name not in known:
        owner = reference.path[1]
        hint = did_you_mean(name, [item for item in known if not item.startswith("AWS::")])
        what = "parameter or resource" if reference.function in ("Ref", "Fn::Sub") else "resource"
        message = f"{owner}: {reference.function} names {name}, but the template has no such {what}{hint}"
        raise UserError(message, source.place(*reference.path))


def check_circles(source: Source, resources: dict[str, Map], resolver: Resolver) -> None:
    """Raise UserError when resources depend on each other in a circle. A branch not chosen makes no dependency."""
    edges: dict[str, set[str]] = {}
    for name, item in resources.items():
        chosen = resolver.chosen(item, source.place("Resources", source.owner(name)))
        named = {reference.name for reference in references(chosen, ())}
        edges[name] = {target for target in named | _depends_on(item) if target in resources}
    done: set[str] = set()
    for name in edges:
        circle = _circle(name, edges, [], done)
        if circle:
            first = next((item for item in circle if item in source.section("Resources")), name)
            raise UserError(f"circular reference: {' -> '.join(circle)}", source.place("Resources", first))


def _circle(name: str, edges: dict[str, set[str]], way: list[str], done: set[str]) -> list[str] | None:
    if name in way:
        return [*way[way.index(name) :], name]
    if name in done or name not in edges:
        return None
    for target in sorted(edges[name]):
        circle = _circle(target, edges, [*way, name], done)
        if circle:
            return circle
    done.add(name)
    return None


def _depends_on(resource: Map) -> set[str]:
    names = resource.get("DependsOn", [])
    return {str(name) for name in (names if isinstance(names, list) else [names])}
