"""One resource's properties, read with types and ranges; every error names resource, property and line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from penstock.model.errors import Place, UserError
from penstock.template.intrinsics import Absent, Resolved, Resolver, is_intrinsic, text_of
from penstock.template.source import Map, PathInFile, Source, Value

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Properties:
    """A view of transformed properties. Reading resolves what it reads, and nothing else.

    `owner` is the template's own resource; `written` maps the beginning of a path here to how the template writes it
    (SAM's names), so that errors speak of what the user sees.
    """

    owner: str
    values: Map
    source: Source
    resolver: Resolver
    written: Mapping[Path, Path] = field(default_factory=dict)

    def get(self, *path: str | int) -> Value:
        """The resolved value; None when it is not given or `AWS::NoValue`."""
        current: Value = self.values
        for index, step in enumerate(path):
            if index and (isinstance(current, list) or is_intrinsic(current)):
                current = self._resolved(current, path[:index])
            if current is None:
                return None
            if isinstance(step, int) and isinstance(current, list):
                current = current[step] if step < len(current) else None
            elif isinstance(step, str) and isinstance(current, dict):
                current = current.get(step)
            else:
                raise self.error(path[:index], "must be a list" if isinstance(step, int) else "must be a map")
        return self._resolved(current, path)

    def text(self, *path: str | int) -> str | None:
        value = self.get(*path)
        return None if value is None else self._as_text(value, path)

    def required_text(self, *path: str | int) -> str:
        value = self.text(*path)
        if not value:
            raise self.error(path, "is missing")
        return value

    def choice(self, *path: str | int, allowed: tuple[str, ...]) -> str | None:
        value = self.text(*path)
        if value is not None and value not in allowed:
            raise self.bad_value(path, value, f"allowed: {', '.join(allowed)}")
        return value

    def integer(self, *path: str | int, low: int, high: int) -> int | None:
        value = self.number(*path, low=low, high=high)
        if value is not None and value != int(value):
            raise self.bad_value(path, value, f"allowed: whole numbers from {low} to {high}")
        return None if value is None else int(value)

    def number(self, *path: str | int, low: float, high: float) -> float | None:
        value = self.get(*path)
        if value is None:
            return None
        try:
            # Parameters of type Number arrive as text.
            number = None if isinstance(value, (bool, list, dict)) else float(value)
        except ValueError:
            number = None
        if number is None or not low <= number <= high:
            raise self.bad_value(path, value, f"allowed: {low:g} to {high:g}")
        return number

    def boolean(self, *path: str | int) -> bool | None:
        value = self.get(*path)
        if value is None:
            return None
        text = (text_of(value) or "").lower()
        if text not in ("true", "false"):
            raise self.bad_value(path, value, "allowed: true, false")
        return text == "true"

    def texts(self, *path: str | int) -> tuple[str, ...]:
        """A list of texts; empty when not given."""
        value = self.get(*path)
        if value is None or value == {}:
            # aws-sam-translator turns an empty list into an empty map.
            return ()
        if not isinstance(value, list):
            raise self.error(path, "must be a list")
        return tuple(self._as_text(item, (*path, index)) for index, item in enumerate(value))

    def map(self, *path: str | int) -> Map:
        value = self.get(*path)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.error(path, "must be a map")
        return value

    def place(self, *path: str | int) -> Place:
        return self.source.place(*self._in_source(path))

    def error(self, path: Path, message: str) -> UserError:
        """An error about the property at `path`."""
        return UserError(f"{self._named(path)} {message}", self.place(*path))

    def bad_value(self, path: Path, value: Value, rule: str) -> UserError:
        """An error about the value at `path`, and what is allowed."""
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        shown = f"{value:.15g}" if number else repr(text_of(value) or value)
        return UserError(f"{self._named(path)}: bad value {shown}; {rule}", self.place(*path))

    def _named(self, path: Path) -> str:
        return f"{self.owner}: {'.'.join(str(step) for step in self.as_written(path))}"

    def _as_text(self, value: Value, path: Path) -> str:
        text = text_of(value)
        if text is None:
            raise self.error(path, "must be text")
        return text

    def _resolved(self, value: Value, path: Path) -> Value:
        resolved = self._resolve(value, path)
        return None if isinstance(resolved, Absent) else resolved

    def _resolve(self, value: Value, path: Path) -> Resolved:
        """Item by item, so that an error names the line of the item."""
        if isinstance(value, list):
            items = (self._resolve(item, (*path, index)) for index, item in enumerate(value))
            return [item for item in items if not isinstance(item, Absent)]
        if isinstance(value, dict) and not is_intrinsic(value):
            entries = ((key, self._resolve(item, (*path, key))) for key, item in value.items())
            return {key: item for key, item in entries if not isinstance(item, Absent)}
        place = self.place(*path)
        try:
            return self.resolver.resolve(value, place)
        except UserError as error:
            if error.place != place:
                raise
            raise type(error)(f"{self._named(path)}: {error.message}", place) from None

    def as_written(self, path: Path) -> Path:
        """`path` in the names the template uses."""
        known = [begin for begin in self.written if path[: len(begin)] == begin]
        if not known:
            return path
        begin = max(known, key=len)
        return (*self.written[begin], *path[len(begin) :])

    def _in_source(self, path: Path) -> PathInFile:
        return self.source.property_path(self.owner, *self.as_written(path))
