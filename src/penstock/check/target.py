"""What each request asks for, and where it carries its token. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import quote

import orjson

from penstock.model.errors import UserError

MARK: Final = "{token}"
"""Where the token stands in a path, a header or a body of the user's."""
HEADER: Final = "x-penstock-token"
PARAMETER: Final = "penstock_token"

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_FRAMING: Final = frozenset(("connection", "content-length", "host", "transfer-encoding"))
# What may stand in a request target as it is; the rest is percent-encoded (RFC 3986 section 2).
_SAFE: Final = "/?:@!$&'()*+,;=-._~%[]"


class TokenPlace(StrEnum):
    HEADER = "header"
    QUERY = "query"
    PATH = "path"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Target:
    """One request, but for its token. `path` begins with `/` and may have a query; `MARK` may stand in it, in values of
    `headers` and in `body`. In a place of `places` without the mark, a field of our own carries the token.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: str | None
    places: frozenset[TokenPlace]

    @property
    def name(self) -> str:
        """For messages: `GET /hello`."""
        return f"{self.method} {self.path}"

    def request(self, token: str, host: str) -> bytes:
        """The whole request, in HTTP/1.1."""
        path = quote(self._path().replace(MARK, token), safe=_SAFE)
        lines = [f"{self.method} {path} HTTP/1.1", f"host: {host}", "accept-encoding: identity"]
        lines += (f"{name}: {value.replace(MARK, token)}" for name, value in self.headers)
        if TokenPlace.HEADER in self.places:
            lines.append(f"{HEADER}: {token}")
        body = b"" if self.body is None else self._body(self.body).replace(MARK, token).encode()
        if self.body is not None or self.method in ("POST", "PUT", "PATCH"):
            lines.append(f"content-length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    def _path(self) -> str:
        if TokenPlace.QUERY not in self.places:
            return self.path
        return f"{self.path}{'&' if '?' in self.path else '?'}{PARAMETER}={MARK}"

    def _body(self, body: str) -> str:
        if TokenPlace.BODY not in self.places or MARK in body:
            return body
        return orjson.dumps({**orjson.loads(body), PARAMETER: MARK}).decode()


def make_targets(
    *, method: str | None, paths: Sequence[str], headers: Sequence[str], body: str | None, places: Sequence[TokenPlace]
) -> tuple[Target, ...]:
    """One for each path, `/` when there is none. Without `method` it is GET, or POST with a body. Raises UserError."""
    chosen = frozenset(places or (TokenPlace.HEADER, TokenPlace.QUERY))
    fields = tuple(map(_header, headers))
    verb = (method or ("GET" if body is None else "POST")).upper()
    if not _TOKEN.fullmatch(verb):
        raise UserError(f"--method: {verb!r} is no method: letters alone are allowed")
    if body is not None and not any(name.lower() == "content-type" for name, _ in fields):
        fields = (*fields, ("content-type", "application/json" if _is_json(body) else "text/plain; charset=utf-8"))
    if TokenPlace.BODY in chosen:
        _check_body(body)
    return tuple(Target(verb, _checked(path, chosen), fields, body, chosen) for path in paths or ("/",))


def _checked(path: str, places: frozenset[TokenPlace]) -> str:
    if not path.startswith("/") or "#" in path or any(letter.isspace() for letter in path):
        raise UserError(f"--path: {path!r} must begin with / and have no spaces and no #")
    if TokenPlace.PATH in places and MARK not in path:
        raise UserError(f"--token-in path: {path!r} does not say where: put {MARK} there, as in /items/{MARK}")
    return path


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    value = value.strip()
    if not colon or not _TOKEN.fullmatch(name) or not value.isprintable():
        raise UserError(f"--header: {text!r} is not NAME: VALUE")
    if name.lower() in _FRAMING:
        raise UserError(f"--header: {name} is set by penstock check itself")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise UserError(f"--header: {name} has letters that no header can carry") from None
    return name, value


def _check_body(body: str | None) -> None:
    if body is None:
        raise UserError("--token-in body needs a --body")
    if MARK not in body and not (_is_json(body) and isinstance(orjson.loads(body), dict)):
        raise UserError(f"--token-in body: put {MARK} where the token is to stand: the body is no JSON object")


def _is_json(body: str) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True
