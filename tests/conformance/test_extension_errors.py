"""Extensions that report errors, and extensions nobody expects: the checklist of AWS's own suites (`rt-<number>`)."""

import pytest

from penstock.extensions_api.api import ExtensionsApi
from penstock.extensions_api.extension import TRANSITIONS, State
from support.answers import Answer, read_answer
from support.runtime_rig import request
from support.transport import Peer

BASE = "/2020-01-01/extension/"


class Rig:
    def __init__(self, *expected: str) -> None:
        self.errors: list[tuple[str, str]] = []
        self.api = ExtensionsApi(
            {"functionName": "app"},
            "",
            on_change=lambda: None,
            on_error=lambda name, error_type: self.errors.append((name, error_type)),
        )
        for name in expected:
            self.api.expect(name)

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Peer:
        return Peer(self.api.open_exchange).send(request(method, BASE + path, headers, body))

    def registered(self, name: str, body: bytes = b'{"events":[]}') -> str:
        answer = read(self.send("POST", "register", {"lambda-extension-name": name}, body))
        return answer.header("lambda-extension-identifier") or ""

    def exit_error(self, identifier: str) -> Answer:
        headers = {"lambda-extension-identifier": identifier, "lambda-extension-function-error-type": "Extension.Odd"}
        return read(self.send("POST", "exit/error", headers))


def read(peer: Peer) -> Answer:
    answer, _ = read_answer(peer.take())
    return answer


@pytest.mark.parametrize("events", [b'{"events":["SHUTDOWN"]}', b"{}"])
def test_rt_217_error_told_while_waiting_for_an_event(events: bytes) -> None:
    rig = Rig("ext")
    identifier = rig.registered("ext", events)
    waiting = rig.send("GET", "event/next", {"lambda-extension-identifier": identifier})
    assert rig.exit_error(identifier).status == 202
    assert waiting.received == b""
    assert rig.api.shut_down("failure", 1) == frozenset()
    answer = read(waiting)
    assert answer.status == 403
    assert answer.body == (
        b'{"errorMessage":"State transition from ExitError to Ready failed for extension '
        + identifier.encode()
        + b'. Error: concurrent state modification","errorType":"Extension.InvalidExtensionState"}\n'
    )
    assert rig.api.shut_down("failure", 1) == frozenset()
    assert waiting.received == b""


def test_rt_104_an_internal_extension_hears_of_no_event() -> None:
    """On Managed Instances it can subscribe to none: its poll ends with the environment."""
    rig = Rig()
    waiting = rig.send("GET", "event/next", {"lambda-extension-identifier": rig.registered("internal")})
    assert rig.api.shut_down("spindown", 1) == frozenset()
    assert waiting.received == b""


@pytest.mark.parametrize("source", State)
@pytest.mark.parametrize("target", State)
def test_rt_173_174_states(source: State, target: State) -> None:
    """As a client sees them: which call is taken in which state."""
    allowed = {
        (State.STARTED, State.REGISTERED),
        (State.REGISTERED, State.READY),
        (State.REGISTERED, State.INIT_ERROR),
        (State.REGISTERED, State.EXIT_ERROR),
        (State.READY, State.RUNNING),
        (State.READY, State.EXIT_ERROR),
        (State.RUNNING, State.READY),
        (State.RUNNING, State.EXIT_ERROR),
        (State.INIT_ERROR, State.INIT_ERROR),
        (State.EXIT_ERROR, State.EXIT_ERROR),
    }
    assert (target in TRANSITIONS[source]) == ((source, target) in allowed)
