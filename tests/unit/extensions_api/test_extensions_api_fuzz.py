"""Whatever a client posts to register: one of the known answers (rt-111, rt-112, rt-113)."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from penstock.extensions_api.api import ExtensionsApi
from support.answers import read_answer
from support.runtime_rig import request
from support.transport import Peer

NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12).map(str.strip)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8) | st.just("SHUTDOWN"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["events", "configurationKeys", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def api() -> ExtensionsApi:
    made = ExtensionsApi({"functionName": "f"}, "1", on_change=lambda: None, on_error=lambda *_: None)
    made.expect("external")
    return made


def call(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    peer = Peer(api().open_exchange).send(request(method, f"/2020-01-01/extension/{path}", headers, body))
    answer, _ = read_answer(peer.received)
    return answer.status, orjson.loads(answer.body).get("errorType", "")


@given(name=st.just("external") | NAMES, body=st.binary(max_size=40) | JSON.map(orjson.dumps))
def test_register(name: str, body: bytes) -> None:
    assert call("POST", "register", {"lambda-extension-name": name}, body) in {
        (200, ""),
        (403, "Extension.InvalidExtensionName"),
        (403, "InvalidRequestFormat"),
        (403, "Extension.InvalidEventType"),
    }


@given(identifier=NAMES | st.uuids().map(str), method_path=st.sampled_from(["event/next", "init/error", "exit/error"]))
def test_identifiers(identifier: str, method_path: str) -> None:
    headers = {"lambda-extension-identifier": identifier, "lambda-extension-function-error-type": "Extension.Odd"}
    status, error_type = call("GET" if method_path == "event/next" else "POST", method_path, headers, b"")
    assert status == 403
    assert error_type in {
        "Extension.MissingExtensionIdentifier",
        "Extension.InvalidExtensionIdentifier",
        "Extension.UnknownExtensionIdentifier",
    }
