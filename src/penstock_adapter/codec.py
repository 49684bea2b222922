"""JSON on the hot path: `orjson` where it is installed, the standard library elsewhere. Same bytes either way."""

from collections.abc import Callable

dumps: Callable[[object], bytes]
# `object`, not `Any`: readers narrow what they take out of an event.
loads: Callable[[bytes | str], object]

try:
    import orjson
except ImportError:  # pragma: no cover - a layer built for a machine without wheels
    import json

    def dumps(value: object) -> bytes:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")

    loads = json.loads
else:
    dumps = orjson.dumps
    loads = orjson.loads


def as_dict(value: object) -> dict[str, object]:
    """`value` if it is a JSON object, else an empty one: events carry `null` wherever a map is optional."""
    return value if isinstance(value, dict) else {}


def as_text(value: object) -> str:
    """`value` if it is a string, else the empty one."""
    return value if isinstance(value, str) else ""
