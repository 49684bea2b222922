"""Where service models come from: botocore's files, pruned to what is needed and kept in a cache folder.

EC2's model is 4 MB and most of it descriptions: what its dozen offered operations need is a hundredth of that.
"""

import gzip
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from penstock.aws_api.protocol.shapes import Description, ServiceModel

_FORMAT: Final = 1  # of the cached files

_OF_SHAPES: Final = (
    "type members member key value required enum pattern min max flattened location locationName queryName payload "
    "streaming xmlNamespace xmlAttribute resultWrapper timestampFormat eventstream event eventheader eventpayload "
    "jsonvalue exception error fault document sensitive shape"
)
_OF_OPERATIONS: Final = "name http input output deprecated authtype requestcompression"
_KEPT_OF_SHAPES: Final = frozenset(_OF_SHAPES.split())
_KEPT_OF_OPERATIONS: Final = frozenset(_OF_OPERATIONS.split())
_REST: Final = frozenset({"rest-json", "rest-xml"})


class Models:
    """Each service's model, read when it is first asked for."""

    def __init__(self, cache: Path) -> None:
        """Pruned models are kept in `cache`, which is made when needed; where that cannot be, nothing is kept."""
        self._cache = cache
        self._loaded: dict[str, ServiceModel] = {}

    def load(self, service: str, offered: Iterable[str]) -> ServiceModel:
        """`offered` are the operations that are called; of the others only names and routes are known. Raises KeyError
        for a service that botocore does not know.
        """
        found = self._loaded.get(service)
        if found is None:
            found = self._loaded[service] = ServiceModel(service, self._description(service, sorted(offered)))
        return found

    def _description(self, service: str, offered: list[str]) -> Description:
        source = _source(service)
        path = self._cache / _cache_name(service, source, offered)
        with suppress(OSError, orjson.JSONDecodeError):
            cached: Description = orjson.loads(path.read_bytes())
            return cached
        pruned = prune(_read(source), offered)
        with suppress(OSError):
            _keep(path, orjson.dumps(pruned))
        return pruned


def _data() -> Path:
    import botocore  # late: not every start needs it

    return Path(botocore.__file__).parent / "data"


def _source(service: str) -> Path:
    """The newest version's file; versions are dates."""
    found = sorted((_data() / service).glob("*/service-2.json.gz"))
    if not found:
        raise KeyError(service)
    return found[-1]


def _read(source: Path) -> dict[str, Any]:
    """With what botocore says over AWS's model: https://github.com/boto/botocore/blob/develop/botocore/loaders.py"""
    description: dict[str, Any] = orjson.loads(gzip.decompress(source.read_bytes()))
    extras = source.with_name("service-2.sdk-extras.json")
    if extras.exists():
        _merge(description, orjson.loads(extras.read_bytes()).get("merge", {}))
    return description


def _merge(into: dict[str, Any], what: Mapping[str, Any]) -> None:
    for name, value in what.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value


def _cache_name(service: str, source: Path, offered: list[str]) -> str:
    import botocore

    stat = source.stat()
    what = f"{_FORMAT} {botocore.__version__} {stat.st_size} {stat.st_mtime_ns} {' '.join(offered)}"
    return f"{service}-{hashlib.sha256(what.encode()).hexdigest()[:16]}.json"


def _keep(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".model-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def prune(description: Description, offered: Iterable[str]) -> dict[str, Any]:
    """A model without descriptions, and without the shapes that no offered operation needs. Of the REST services all
    operations are routed, and routes are told apart by what each requires: there all shapes of requests stay.
    """
    operations = {name: _only(each, _KEPT_OF_OPERATIONS) for name, each in description["operations"].items()}
    shapes = {name: _pruned(each) for name, each in description["shapes"].items()}
    rest = description["metadata"]["protocol"] in _REST
    wanted = set(offered)
    roots = [name for name, each in shapes.items() if each.get("exception")]
    for name, operation in operations.items():
        places = ("input", "output") if name in wanted else ("input",) if rest else ()
        roots += [operation[place]["shape"] for place in places if place in operation]
    kept = set(_reachable(shapes, roots))
    return {
        "metadata": dict(description["metadata"]),
        "operations": operations,
        "shapes": {name: each for name, each in shapes.items() if name in kept},
    }


def _reachable(shapes: Mapping[str, Description], roots: list[str]) -> Iterator[str]:
    seen = set(roots)
    waiting = list(seen)
    while waiting:
        name = waiting.pop()
        yield name
        for reference in _references(shapes[name]):
            if reference["shape"] not in seen:
                seen.add(reference["shape"])
                waiting.append(reference["shape"])


def _references(shape: Description) -> Iterator[Description]:
    yield from shape.get("members", {}).values()
    for place in ("member", "key", "value"):
        if place in shape:
            yield shape[place]


def _pruned(shape: Description) -> dict[str, Any]:
    kept = _only(shape, _KEPT_OF_SHAPES)
    if "members" in kept:
        kept["members"] = {name: _only(each, _KEPT_OF_SHAPES) for name, each in kept["members"].items()}
    for place in ("member", "key", "value"):
        if place in kept:
            kept[place] = _only(kept[place], _KEPT_OF_SHAPES)
    return kept


def _only(mapping: Description, names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name in names}
