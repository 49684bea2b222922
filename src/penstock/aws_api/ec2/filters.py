"""Filters: the resources that fit all of them, each by any of its values.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html: `*` is any number of characters, `?` is one,
and a backslash before either takes it as it is.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

from penstock.aws_api.ec2.errors import invalid_value

Resource: TypeAlias = dict[str, Any]
Reader: TypeAlias = Callable[[Resource], object]
"""What a filter looks at: a text, number or boolean, or several of them; None is nothing."""

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
_MAX_FILTERS: Final = 50
_MAX_VALUES: Final = 200


def member(*names: str) -> Reader:
    """That is reached by `names`, one below the other; through lists, all of them."""

    def read(resource: Any) -> object:
        found = [resource]
        for name in names:
            found = [below for one in found for below in _flat(one.get(name))]
        return found

    return read


def _flat(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def select(
    resources: Iterable[Resource], filters: Sequence[Mapping[str, Any]] | None, readers: Mapping[str, Reader]
) -> list[Resource]:
    """Those of `resources` that fit. Raises InvalidParameterValue for a filter that is not among `readers`."""
    tests = [_test(one, readers) for one in filters or ()]
    if len(tests) > _MAX_FILTERS:
        raise invalid_value(f"The maximum number of filters is {_MAX_FILTERS}")
    return [resource for resource in resources if all(test(resource) for test in tests)]


def _test(asked: Mapping[str, Any], readers: Mapping[str, Reader]) -> Callable[[Resource], bool]:
    name, values = asked.get("Name") or "", asked.get("Values") or []
    if len(values) > _MAX_VALUES:
        raise invalid_value(f"The maximum number of values of the filter '{name}' is {_MAX_VALUES}")
    reader = _tag(name) or readers.get(name)
    if reader is None:
        raise invalid_value(f"The filter '{name}' is invalid")
    patterns = [_pattern(value) for value in values]

    def test(resource: Resource) -> bool:
        texts = [_text(one) for one in _flat(reader(resource))]
        return any(pattern.fullmatch(text) for pattern in patterns for text in texts)

    return test


def _tag(name: str) -> Reader | None:
    """`tag:<key>` looks at that tag's value, `tag-key` and `tag-value` at all of them."""
    if name.startswith("tag:"):
        key = name.removeprefix("tag:")
        return lambda resource: [tag["Value"] for tag in resource.get("Tags", ()) if tag["Key"] == key]
    return {"tag-key": member("Tags", "Key"), "tag-value": member("Tags", "Value")}.get(name)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@lru_cache(256)
def _pattern(value: str) -> re.Pattern[str]:
    parts = re.findall(r"\\[*?\\]|[*?]|[^*?\\]+|\\", value)
    meant = {"*": ".*", "?": "."}
    return re.compile("".join(meant.get(part) or re.escape(_plain(part)) for part in parts), re.DOTALL)


def _plain(part: str) -> str:
    return part[1:] if len(part) == 2 and part[0] == "\\" and part[1] in "*?\\" else part
