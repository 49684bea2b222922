"""A template file as plain values, with the line of every key and item.

Reads YAML with CloudFormation's short tags, and JSON.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import yaml
from yaml.constructor import ConstructorError, SafeConstructor

from penstock.model.errors import Place, UserError
from penstock.template.hints import did_you_mean, one_line, words

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
Map: TypeAlias = dict[str, Value]
PathInFile: TypeAlias = tuple[str | int, ...]

# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
_SHORT_FUNCTIONS: Final = words(
    "And Base64 Cidr Equals FindInMap GetAtt GetAZs If ImportValue Join Length Not Or Select "
    "Split Sub ToJsonString Transform"
)
_SHORT_TAGS: Final = _SHORT_FUNCTIONS | {"Ref", "Condition"}
_YAML = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Source:
    """What one template file says. `lines` maps a path such as `("Resources", "Fn", "Type")` to its line, from 1."""

    file: Path
    content: Map
    lines: dict[PathInFile, int]

    def place(self, *path: str | int) -> Place:
        """The line of `path`, or of the nearest of its parents that the file has."""
        return Place(self.file, self.lines.get(path[: self.depth(*path)]))

    def depth(self, *path: str | int) -> int:
        """How many leading elements of `path` the file has."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return length
        return 0

    def property_path(self, logical_id: str, *path: str | int) -> PathInFile:
        """Where a property of a resource is written: in the resource itself, or in Globals when only there."""
        section = str(self.get("Resources", logical_id, "Type")).removeprefix("AWS::Serverless::")
        own: PathInFile = ("Resources", logical_id, "Properties", *path)
        inherited: PathInFile = ("Globals", section, *path)
        missing = {full: len(full) - self.depth(*full) for full in (own, inherited)}
        return inherited if missing[inherited] < missing[own] else own

    def owner(self, logical_id: str) -> str:
        """The template's own resource behind one that the transform made: its id begins with the owner's."""
        own = [name for name in self.section("Resources") if logical_id.startswith(name)]
        return max(own, key=len, default=logical_id)

    def get(self, *path: str | int) -> Value:
        """The value at `path`; None when the file has none there."""
        value: Value = self.content
        for step in path:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    def section(self, *path: str | int) -> Map:
        """The map at `path`, empty when the file has none. Raises UserError when it is not a map."""
        value = self.get(*path)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise UserError(f"{'.'.join(map(str, path))} must be a map", self.place(*path))
        return value


class _Loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    # Without timestamps: AWSTemplateFormatVersion 2010-09-09 is text for CloudFormation.
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own class attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_YAML}timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_source(file: Path) -> Source:
    """Read a template file. Raises UserError with the line when it cannot be read or is not YAML or JSON."""
    return source_of(_read_text(file), file)


def source_of(text: str, file: Path) -> Source:
    """As `read_source`, for a text that was not read from a file; errors name `file` all the same."""
    if text.lstrip().startswith("{"):
        # JSON may be indented with tabs, which YAML refuses; inside JSON strings a raw tab is not legal.
        text = text.replace("\t", " ")
    try:
        root = yaml.compose(text, Loader=_Loader)
        reader = _Reader(file)
        content = reader.value(root, ()) if root else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise UserError(f"not valid YAML: {one_line(error.problem or str(error))}", Place(file, line)) from None
    except yaml.YAMLError as error:
        raise UserError(f"not valid YAML: {one_line(str(error))}", Place(file)) from None
    except RecursionError:
        raise UserError("not a template: nested too deeply", Place(file)) from None
    if not isinstance(content, dict):
        raise UserError("not a template: it must be a map with a Resources section", Place(file))
    return Source(file, content, reader.lines)


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"template not found: {file}") from None
    except OSError as error:
        raise UserError(f"cannot read the template: {error.strerror}", Place(file)) from None
    except UnicodeDecodeError:
        raise UserError("not a template: the file is not UTF-8 text", Place(file)) from None


class _Reader:
    def __init__(self, file: Path) -> None:
        self.lines: dict[PathInFile, int] = {}
        self._file = file
        self._scalars = SafeConstructor()
        self._open: set[int] = set()

    def value(self, node: yaml.Node, path: PathInFile) -> Value:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self._open:
            raise self._error("an alias contains itself", node)
        self._open.add(id(node))
        try:
            if node.tag.startswith("!"):
                return self._short_tag(node, path)
            return self._plain(node, path)
        finally:
            self._open.discard(id(node))

    def _plain(self, node: yaml.Node, path: PathInFile) -> Value:
        if isinstance(node, yaml.MappingNode):
            return self._map(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node)

    def _map(self, node: yaml.MappingNode, path: PathInFile) -> Map:
        result: Map = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error("a key must be text", key_node)
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key_node.tag == f"{_YAML}merge":
                raise self._error("merge keys (<<) are not supported by CloudFormation", key_node)
            if key in result:
                raise self._error(f"{key} stands twice, first in line {self.lines[*path, key]}", key_node)
            self.lines[*path, key] = line
            result[key] = self.value(value_node, (*path, key))
        return result

    def _scalar(self, node: yaml.ScalarNode) -> Value:
        kind = node.tag.removeprefix(_YAML)
        try:
            if kind == "int":
                return int(self._scalars.construct_yaml_int(node))
            if kind == "float":
                return float(self._scalars.construct_yaml_float(node))
            if kind == "bool":
                return bool(self._scalars.construct_yaml_bool(node))
        except (ValueError, ConstructorError, KeyError):
            raise self._error(f"{node.value} is not a valid {kind}", node) from None
        return None if kind == "null" else str(node.value)

    def _short_tag(self, node: yaml.Node, path: PathInFile) -> Value:
        name = node.tag[1:]
        if name not in _SHORT_TAGS:
            raise self._error(f"unknown tag !{name}{did_you_mean(name, _SHORT_TAGS)}", node)
        key = f"Fn::{name}" if name in _SHORT_FUNCTIONS else name
        if not isinstance(node, yaml.ScalarNode):
            return {key: self._plain(node, (*path, key))}
        text = str(node.value)
        if name == "GetAtt":
            return {key: list(text.split(".", 1))}
        return {key: text}

    def _error(self, message: str, node: yaml.Node) -> UserError:
        return UserError(message, Place(self._file, node.start_mark.line + 1))
