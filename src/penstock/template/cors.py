"""The Cors block of a Function URL. https://docs.aws.amazon.com/lambda/latest/api/API_Cors.html"""

import re
from typing import Final

from penstock.model.function import Cors
from penstock.template.properties import Properties

# botocore's service model lambda/2015-03-31 (HeadersList, AllowMethodsList, AllowOriginsList, MaxAge). Preflights are
# the service's own, so that OPTIONS is no method to allow.
_METHODS: Final = ("GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "*")
_MAX_METHODS: Final = 6
_MAX_ITEMS: Final = 100
_MAX_HEADER: Final = 1024
_MAX_ORIGIN: Final = 253
_MAX_AGE_S: Final = 86_400
# The model's `.*` keeps line breaks out; beyond ASCII nothing is a header or an origin.
_PLAIN: Final = re.compile(r"[ -~]*")


def read_cors(properties: Properties) -> Cors:
    """`properties` are a Url's. Raises UserError for what AWS would refuse."""
    return Cors(
        allow_credentials=properties.boolean("Cors", "AllowCredentials") or False,
        allow_headers=_texts(properties, "AllowHeaders", 0, _MAX_HEADER),
        allow_methods=_methods(properties),
        allow_origins=_texts(properties, "AllowOrigins", 1, _MAX_ORIGIN),
        expose_headers=_texts(properties, "ExposeHeaders", 0, _MAX_HEADER),
        max_age=properties.integer("Cors", "MaxAge", low=0, high=_MAX_AGE_S),
    )


def _methods(properties: Properties) -> tuple[str, ...]:
    methods = _items(properties, "AllowMethods", _MAX_METHODS)
    for index, method in enumerate(methods):
        if method not in _METHODS:
            raise properties.bad_value(("Cors", "AllowMethods", index), method, f"allowed: {', '.join(_METHODS)}")
    return methods


def _texts(properties: Properties, name: str, shortest: int, longest: int) -> tuple[str, ...]:
    items = _items(properties, name, _MAX_ITEMS)
    for index, item in enumerate(items):
        path = ("Cors", name, index)
        if not shortest <= len(item) <= longest:
            raise properties.error(path, f"has {len(item)} characters; allowed: {shortest} to {longest}")
        if not _PLAIN.fullmatch(item):
            raise properties.bad_value(path, item, "allowed: ASCII without control characters")
    return items


def _items(properties: Properties, name: str, most: int) -> tuple[str, ...]:
    items = properties.texts("Cors", name)
    if len(items) > most:
        raise properties.error(("Cors", name), f"has {len(items)} items; allowed: at most {most}")
    return items
