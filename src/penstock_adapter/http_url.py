"""Path and query of an event, made fit for a request line. Pure.

Rules are those of https://url.spec.whatwg.org/ as LWA applies them: what is already percent-encoded stays as it is,
nothing is decoded, and what cannot stand in a request line is encoded as UTF-8.
"""

import re

# What needs no work at all: no dot segment (a dot right after a slash, or spelled %2e), nothing to encode.
_PLAIN_PATH = re.compile(r"/(?:[A-Za-z0-9_~!$&'()*+,;=:@|\[\]/-]|(?<!/)\.|%(?!2[eE]))*")
_UNSAFE_IN_PATH = re.compile(r"[\x00-\x20\"#<>?^`{}\x7f-\U0010ffff]+")
_UNSAFE_IN_QUERY = re.compile(r"[\x00-\x20\"#<>'\x7f-\U0010ffff]+")
_DROPPED = {ord(char): None for char in "\t\r\n"}


def _encoded(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "replace"))


def clean_path(path: str) -> str:
    """`path` with a leading slash, dot segments resolved and unsafe characters encoded (`/Año` -> `/A%C3%B1o`)."""
    if _PLAIN_PATH.fullmatch(path):
        return path
    segments = path.translate(_DROPPED).replace("\\", "/").removeprefix("/").split("/")
    kept: list[str] = []
    for place, segment in enumerate(segments, start=1):
        dots = segment.lower().replace("%2e", ".")
        if dots == ".." and kept:
            kept.pop()
        if dots not in (".", ".."):
            kept.append(_UNSAFE_IN_PATH.sub(_encoded, segment))
        elif place == len(segments):
            kept.append("")
    return "/" + "/".join(kept)


def clean_query(query: str) -> str:
    """`query` without its question mark, as it came, save for characters that would break the request line."""
    if not _UNSAFE_IN_QUERY.search(query):
        return query
    return _UNSAFE_IN_QUERY.sub(_encoded, query.translate(_DROPPED))


def remove_base_path(path: str, base: str) -> str:
    """`path` without one leading `base`, on a segment boundary only: `/prod/x` -> `/x`, `/production` stays."""
    if not base or not path.startswith(base):
        return path
    rest = path[len(base) :]
    if rest.startswith("/"):
        return rest
    return path if rest else "/"
