"""Metric math: expressions over the results of other queries. Pure.

Arithmetic, comparisons, `&&`, `||`, and the functions of `metric_functions.py`; what is missing is refused by its name.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from penstock.aws_api.cloudwatch.metric_functions import FUNCTIONS
from penstock.aws_api.cloudwatch.metric_values import MAX_SERIES, MathError, Range, TimeSeries, Value, combined

# Parentheses and calls are followed by recursion; assumed.
_MAX_DEPTH: Final = 50
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html
_MAX_LENGTH: Final = 2048
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/^<>(),\[\]]))"
)
_LEVELS: Final = (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">="), ("+", "-"), ("*", "/"))
_METRICS: Final = "METRICS"


@dataclass(frozen=True, slots=True)
class Names:
    """What an expression may name: `value` finds the result of another query by its id, `metrics` are the ids of those
    that retrieve a metric.
    """

    value: Callable[[str], Value]
    metrics: Sequence[str]
    range: Range


_Node: TypeAlias = Callable[[Names], Value]


def parse(text: str) -> _Node:
    """Raises MathError."""
    if len(text) > _MAX_LENGTH:
        raise MathError(f"it is longer than {_MAX_LENGTH} characters")
    parser = _Parser(list(_tokens(text)))
    node = parser.level(0, 0)
    parser.end()
    return node


def _tokens(text: str) -> Iterable[tuple[str, str]]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise MathError(f"unexpected {text[at:].strip()[0]!r}")
        at = found.end()
        yield found.lastgroup, found[found.lastgroup]


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = [*tokens, ("end", "")]
        self._at = 0

    def level(self, level: int, depth: int) -> _Node:
        """An expression of operators that bind as tight as those of `level`, or tighter."""
        if depth > _MAX_DEPTH:
            raise MathError("it is nested too deep")
        if level == len(_LEVELS):
            return self._signed(depth)
        left = self.level(level + 1, depth)
        while self._tokens[self._at][0] == "sign" and self._tokens[self._at][1] in _LEVELS[level]:
            left = _binary(self._take(), left, self.level(level + 1, depth))
        return left

    def end(self) -> None:
        kind, text = self._tokens[self._at]
        if kind != "end":
            raise MathError(f"unexpected {text!r}")

    def _take(self) -> str:
        text = self._tokens[self._at][1]
        self._at += 1
        return text

    def _taken(self, sign: str) -> bool:
        found = self._tokens[self._at] == ("sign", sign)
        self._at += found
        return found

    def _expect(self, sign: str) -> None:
        if not self._taken(sign):
            raise MathError(f"{sign!r} is missing")

    def _signed(self, depth: int) -> _Node:
        if depth > _MAX_DEPTH:
            raise MathError("it is nested too deep")
        if self._taken("-"):
            inner = self._signed(depth + 1)
            return lambda names: combined("-", 0.0, inner(names))
        base = self._single(depth)
        return _binary("^", base, self._signed(depth + 1)) if self._taken("^") else base

    def _single(self, depth: int) -> _Node:
        kind, text = self._tokens[self._at]
        self._at += kind != "end"
        if kind == "number":
            number = float(text)
            return lambda _: number
        if kind == "name":
            return self._call(text, depth) if self._taken("(") else _named(text)
        if (kind, text) == ("sign", "("):
            inner = self.level(0, depth + 1)
            self._expect(")")
            return inner
        if (kind, text) == ("sign", "["):
            return _listed(self._arguments("]", depth))
        raise MathError(f"unexpected {text!r}" if text else "it ends too early")

    def _call(self, name: str, depth: int) -> _Node:
        if name == _METRICS:
            return self._metrics()
        function = FUNCTIONS.get(name)
        if function is None:
            raise MathError(f"Function '{name}' not found")
        keyword = self._keyword(depth) if name == "FILL" else None
        if keyword is not None:
            return keyword
        arguments = self._arguments(")", depth)
        return lambda names: function(names.range, [argument(names) for argument in arguments])

    def _keyword(self, depth: int) -> _Node | None:
        """`FILL(m1, REPEAT)` and `FILL(m1, LINEAR)`."""
        start = self._at
        inner = self.level(0, depth + 1)
        if self._taken(",") and self._tokens[self._at] in (("name", "REPEAT"), ("name", "LINEAR")):
            way = self._take()
            self._expect(")")
            return lambda names: FUNCTIONS[f"FILL {way}"](names.range, [inner(names)])
        self._at = start
        return None

    def _metrics(self) -> _Node:
        part = self._take()[1:-1] if self._tokens[self._at][0] == "text" else ""
        self._expect(")")
        return lambda names: [_series(one, names.value(one)) for one in names.metrics if part in one]

    def _arguments(self, close: str, depth: int) -> list[_Node]:
        if self._taken(close):
            return []
        found = [self.level(0, depth + 1)]
        while self._taken(","):
            found.append(self.level(0, depth + 1))
        self._expect(close)
        return found


def _binary(sign: str, left: _Node, right: _Node) -> _Node:
    return lambda names: combined(sign, left(names), right(names))


def _named(name: str) -> _Node:
    return lambda names: names.value(name)


def _listed(nodes: Sequence[_Node]) -> _Node:
    def value(names: Names) -> Value:
        found: list[TimeSeries] = []
        for node in nodes:
            one = node(names)
            found += one if isinstance(one, list) else [_series("", one)]
            if len(found) > MAX_SERIES:
                raise MathError(f"a list has more than {MAX_SERIES} time series")
        return found

    return value


def _series(name: str, value: Value) -> TimeSeries:
    if isinstance(value, TimeSeries):
        return value
    raise MathError(f"{name or 'a member of a list'} is not a single time series")
