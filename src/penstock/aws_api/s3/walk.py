"""Going through the keys of a bucket, in their order: with a delimiter, keys that share what stands before it are one.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-prefixes.html
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus

from penstock.aws_api.s3.errors import invalid_argument
from penstock.aws_api.s3.rows import ObjectVersion
from penstock.aws_api.s3.state import versions_of
from penstock.aws_api.store import Table

MAX_KEYS: Final = 1000
_PAGE: Final = 500
# Beyond every key that begins with what stands before it, but for those that hold this noncharacter itself.
_BEYOND: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Group:
    """A common prefix."""

    prefix: str


@dataclass(frozen=True, slots=True)
class Keyed:
    """Versions newest first."""

    key: str
    versions: list[ObjectVersion]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the operations that list have in common. `most`: how many keys and common prefixes together."""

    prefix: str
    delimiter: str
    most: int
    encoded: bool

    def told(self, text: str) -> str:
        """As the answer holds it: XML cannot hold every key, so a client may ask for them URL-encoded."""
        return quote_plus(text, safe="/") if self.encoded else text

    def group_of(self, key: str) -> str | None:
        """The common prefix that stands for `key`."""
        if not self.delimiter:
            return None
        found = key.find(self.delimiter, len(self.prefix))
        return None if found < 0 else key[: found + len(self.delimiter)]

    def beyond(self, marker: str) -> str:
        """The place after `marker`, which may be a common prefix."""
        return marker + _BEYOND if marker and self.group_of(marker) == marker else marker


def asked(params: dict[str, object], name_of_most: str) -> Asked:
    """Raises InvalidArgument."""
    most = params.get(name_of_most)
    if not isinstance(most, int):
        most = MAX_KEYS
    if most < 0:
        shown = name_of_most[0].lower() + name_of_most[1:]
        text = f"Argument {shown} must be an integer between 0 and 2147483647"
        raise invalid_argument(text, shown, most)
    prefix, delimiter = str(params.get("Prefix") or ""), str(params.get("Delimiter") or "")
    return Asked(prefix, delimiter, min(most, MAX_KEYS), params.get("EncodingType") == "url")


def walk(objects: Table, wanted: Asked, after: str, shows: Callable[[Keyed], bool]) -> Iterator[Keyed | Group]:
    """Those beyond `after` that `shows` lets through. A common prefix is there once one of its keys is."""
    while True:
        page = objects.page(wanted.prefix, after, _PAGE)
        for key, row in page:
            after = key
            found = Keyed(key, versions_of(row))
            if not shows(found):
                continue
            group = wanted.group_of(key)
            if group is not None:
                yield Group(group)
                after = group + _BEYOND
                break  # what else is in the group need not be read
            yield found
        else:
            if len(page) < _PAGE:
                return


def echoes(wanted: Asked, **texts: str | None) -> dict[str, str]:
    """What the request said, as the answer repeats it: members that it did not give are left out."""
    told = {name: wanted.told(text) for name, text in texts.items() if text}
    return told | ({"EncodingType": "url"} if wanted.encoded else {})
