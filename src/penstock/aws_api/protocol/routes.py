"""Which operation of a REST service a request is for: by method, path, and what is in its query and headers.

The templates: https://smithy.io/2.0/spec/http-bindings.html#http-trait
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from penstock.aws_api.protocol.shapes import Operation, ServiceModel
from penstock.aws_api.protocol.unreadable import BAD_URI, UnreadableError


@dataclass(frozen=True, slots=True)
class Match:
    """`labels` are the path's parameters, decoded once."""

    operation: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Route:
    """`segments` of the path's template; the last may be greedy. `fixed` is what the query has to hold; `query` and
    `headers` are what the operation requires there.
    """

    operation: str
    segments: tuple[str, ...]
    fixed: Mapping[str, str]
    query: frozenset[str]
    headers: frozenset[str]
    deprecated: bool

    def match(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        """The labels of a path that fits. Raises UnreadableError."""
        greedy = self.segments[-1].endswith("+}")
        if len(segments) < len(self.segments) or (len(segments) > len(self.segments) and not greedy):
            return None
        labels = {}
        last = len(self.segments) - 1
        for at, template in enumerate(self.segments):
            segment = "/".join(segments[at:]) if greedy and at == last else segments[at]
            if template.startswith("{"):
                if not segment:
                    return None
                labels[template.strip("{+}")] = _decoded(segment)
            elif template != segment:
                return None
        return labels


class Routes:
    """Those of one service."""

    def __init__(self, model: ServiceModel, offered: Collection[str]) -> None:
        self._offered = offered
        self._by_method: dict[str, list[_Route]] = {}
        for name in model.operations:
            operation = model.operation(name)
            if operation is not None:
                self._by_method.setdefault(operation.method, []).append(_route(operation))

    def find(self, method: str, path: str, query: Mapping[str, str], headers: Collection[str]) -> Match | None:
        """`path` as sent, `query` decoded, names of `headers` in lower case. Where several fit, what was sent decides:
        S3 has PutObject, UploadPart and CopyObject at one path. Raises UnreadableError.
        """
        segments = tuple(path.split("/"))
        # A slash at the end is no matter: older clients of Lambda send one, S3's after a bucket.
        shorter = segments[:-1] if len(segments) > 2 and not segments[-1] else segments
        best: tuple[tuple[bool, bool, int, bool, bool], Match] | None = None
        for route in self._by_method.get(method, ()):
            labels = route.match(segments)
            if labels is None and shorter is not segments:
                labels = route.match(shorter)
            if labels is None or any(query.get(name) != value for name, value in route.fixed.items()):
                continue
            needed = len(route.query) + len(route.headers)
            complete = route.query <= query.keys() and route.headers <= set(headers)
            rank = (
                query.get("x-id") == route.operation,  # newer clients say which one they mean
                complete,
                len(route.fixed) + (needed if complete else 0),
                route.operation in self._offered,
                not route.deprecated,
            )
            if best is None or rank > best[0]:
                best = rank, Match(route.operation, labels)
        return best[1] if best else None


def _decoded(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise UnreadableError(BAD_URI) from None


def read_query(query: str) -> dict[str, list[str]]:
    """Names and values, decoded."""
    read: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        read.setdefault(name, []).append(value)
    return read


def _route(operation: Operation) -> _Route:
    path, _, query = operation.uri.partition("?")
    required: dict[str, set[str]] = {"querystring": set(), "header": set()}
    if operation.input is not None:
        for name in operation.input.required:
            member = operation.input.members[name]
            if member.location in required:
                required[member.location].add(member.wire_name(name))
    return _Route(
        operation.name,
        tuple(path.split("/")),
        dict(parse_qsl(query, keep_blank_values=True)),
        frozenset(required["querystring"]),
        frozenset(name.lower() for name in required["header"]),
        operation.deprecated,
    )
