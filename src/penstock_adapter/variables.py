"""Reading variables leniently, as LWA does, but never in silence: whatever a default stands in for is told. Pure."""

from collections.abc import Mapping
from enum import StrEnum

_DEPRECATED = {
    "AWS_LWA_HOST": "HOST",
    "AWS_LWA_READINESS_CHECK_PORT": "READINESS_CHECK_PORT",
    "AWS_LWA_READINESS_CHECK_PATH": "READINESS_CHECK_PATH",
    "AWS_LWA_READINESS_CHECK_PROTOCOL": "READINESS_CHECK_PROTOCOL",
    "AWS_LWA_REMOVE_BASE_PATH": "REMOVE_BASE_PATH",
    "AWS_LWA_ASYNC_INIT": "ASYNC_INIT",
}


def read_statuses(variable: str, text: str, wrong: list[str]) -> frozenset[int]:
    """A list such as `500,502-504`: inclusive ranges, no spaces around a dash. What cannot be read is skipped, with a
    line in `wrong`.
    """
    statuses: set[int] = set()
    for part in (piece.strip() for piece in text.split(",")):
        bounds = part.split("-")
        if not part:
            continue
        if len(bounds) > 2 or not all(_is_u16(bound) for bound in bounds):
            wrong.append(f"{variable}: skipped {part!r}: expected a status such as 500 or a range such as 502-504")
            continue
        statuses.update(range(int(bounds[0]), int(bounds[-1]) + 1))
    return frozenset(statuses)


def _is_u16(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < 65536


class Variables:
    """Looks variables up under their new and old names. `notes` is what a user should know, `wrong` what was set to
    something it cannot be, so that a default took its place.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.notes: list[str] = []
        self.wrong: list[str] = []

    def name(self, name: str) -> str:
        """The name that is in use, for messages: the old one where only that is set."""
        old = _DEPRECATED.get(name, name)
        return old if name not in self.environ and old in self.environ else name

    def get(self, name: str) -> str | None:
        """What is set, None if nothing is."""
        known = self.name(name)
        if known != name:
            self.notes.append(f"{known} is deprecated and goes away in Lambda Web Adapter 2.0: use {name}")
        return self.environ.get(known)

    def flag(self, name: str) -> bool:
        """True for exactly `true`."""
        text = self.get(name)
        if text not in (None, "true", "false"):
            self.wrong.append(f"{self.name(name)}={text!r} counts as false: expected exactly true or false")
        return text == "true"

    def choice(self, name: str, allowed: type[StrEnum], default: str) -> str:
        """One of `allowed`, in any case."""
        text = self.get(name)
        if text is None:
            return default
        if text.lower() in list(allowed):
            return text.lower()
        self.wrong.append(f"{self.name(name)}={text!r} counts as {default}: expected {' or '.join(allowed)}")
        return default

    def seconds(self, name: str) -> float | None:
        """Seconds, 0 or more; None when none are set."""
        text = self.get(name)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if 0 <= value < float("inf"):
            return value
        self.wrong.append(f"{name}={text!r} is ignored: expected seconds such as 4 or 0.5")
        return None

    def whole(self, name: str, default: int) -> int:
        """A whole number; none of those that Lambda gives is near 65535."""
        text = self.get(name)
        if text is None:
            return default
        if _is_u16(text):
            return int(text)
        self.wrong.append(f"{name}={text!r} counts as {default}: expected a whole number")
        return default
