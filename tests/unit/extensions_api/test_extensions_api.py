"""The Extensions API against the checklist of AWS's own suites (`rt-<number>`)."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from penstock.extensions_api.api import ExtensionsApi
from penstock.extensions_api.extension import State
from support.answers import Answer, read_answer
from support.runtime_rig import request
from support.transport import Peer

BASE = "/2020-01-01/extension/"
NAME = "lambda-extension-name"
IDENTIFIER = "lambda-extension-identifier"
ERROR_TYPE = "lambda-extension-function-error-type"
SOMEBODY = "11111111-2222-4333-8444-555555555555"


class Rig:
    def __init__(self, account_id: str = "123456789012", expected: tuple[str, ...] = ()) -> None:
        self.changes = 0
        self.errors: list[tuple[str, str]] = []
        identity = {"functionName": "app", "functionVersion": "1", "handler": "run.sh"}
        self.api = ExtensionsApi(
            identity,
            account_id,
            on_change=self._changed,
            on_error=lambda name, error_type: self.errors.append((name, error_type)),
        )
        for name in expected:
            self.api.expect(name)

    def _changed(self) -> None:
        self.changes += 1

    def peer(self) -> Peer:
        return Peer(self.api.open_exchange)

    def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        peer = self.peer().send(request(method, BASE + path, headers, body))
        answer, rest = read_answer(peer.received)
        assert rest == b""
        return answer

    def register(self, name: str | None = "ext", body: bytes = b'{"events":[]}', features: str | None = None) -> Answer:
        headers = {NAME: name} if name is not None else {}
        if features is not None:
            headers["lambda-extension-accept-feature"] = features
        return self.call("POST", "register", headers, body)

    def registered(self, name: str = "ext", body: bytes = b'{"events":[]}') -> str:
        answer = self.register(name, body)
        assert answer.status == 200, answer.body
        return answer.header(IDENTIFIER) or ""

    def park(self, identifier: str) -> Peer:
        return self.peer().send(request("GET", f"{BASE}event/next", {IDENTIFIER: identifier}))

    def state(self, name: str = "ext") -> State:
        return next(extension.state for extension in self.api.extensions if extension.name == name)


def error_of(answer: Answer) -> tuple[str, str]:
    assert answer.status == 403
    assert answer.header("content-type") == "application/json"
    assert answer.body.endswith(b"}\n")
    value: dict[str, Any] = orjson.loads(answer.body)
    assert list(value) == ["errorMessage", "errorType"]
    return value["errorType"], value["errorMessage"]


CONFIGURATION_KEYS = "configurationKeys are deprecated; use environment variables instead"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "register", 405),
        ("POST", "event/next", 405),
        ("GET", "init/error", 405),
        ("PUT", "exit/error", 405),
        ("POST", "register/", 404),
        ("GET", "event", 404),
    ],
)
def test_routes(method: str, path: str, status: int) -> None:
    assert Rig().call(method, path).status == status


class TestRegister:
    @pytest.mark.parametrize("name", [None, ""])
    def test_rt_85_without_a_name(self, name: str | None) -> None:
        assert error_of(Rig().register(name)) == ("Extension.InvalidExtensionName", "Empty extension name")

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b'"x"', b"1", b'{"events":"SHUTDOWN"}', b'{"events":[1]}', b"\xff"]
    )
    def test_body_that_is_no_registration(self, body: bytes) -> None:
        rig = Rig()
        error_type, message = error_of(rig.register(body=body))
        assert error_type == "InvalidRequestFormat"
        assert message
        assert not list(rig.api.extensions)

    def test_configuration_keys(self) -> None:
        answer = Rig().register(body=b'{"events":["X"],"configurationKeys":["a"]}')
        assert error_of(answer) == ("InvalidRequestFormat", CONFIGURATION_KEYS)

    def test_body_over_1_mib(self) -> None:
        answer = Rig().register(body=b" " * (1024 * 1024 + 1))
        assert error_of(answer) == ("InvalidRequestFormat", "http: request body too large")

    @pytest.mark.parametrize("event", ["INVOKE", "abcdef", "shutdown"])
    def test_rt_89_wrong_event_and_a_second_try(self, event: str) -> None:
        rig = Rig(expected=("ext",))
        body = orjson.dumps({"events": ["SHUTDOWN", event]})
        for _ in range(2):
            assert error_of(rig.register(body=body)) == (
                "Extension.InvalidEventType",
                f"{event}: ErrorInvalidEventType",
            )
        [extension] = rig.api.extensions
        assert (extension.state, extension.events) == (State.STARTED, ())
        rig.registered(body=b'{"events":["SHUTDOWN"]}')

    def test_internal_may_ask_for_no_event(self) -> None:
        answer = Rig().register(body=b'{"events":["SHUTDOWN"]}')
        assert error_of(answer) == ("Extension.InvalidEventType", "No events allowed for internal extensions")

    def test_rt_86_internal_after_the_runtime_polled(self) -> None:
        rig = Rig(expected=("external",))
        rig.api.close_registration()
        closed = ("Extension.RegistrationClosed", "Extension registration closed already")
        assert error_of(rig.register("internal")) == closed
        rig.registered("external")

    def test_rt_87_external_twice(self) -> None:
        rig = Rig(expected=("ext",))
        rig.registered()
        assert error_of(rig.register()) == (
            "Extension.InvalidExtensionState",
            "State transition from Registered to Registered failed for extension ext. "
            "Error: state transition is not allowed",
        )

    def test_internal_twice(self) -> None:
        rig = Rig()
        rig.registered()
        assert error_of(rig.register()) == (
            "Extension.InvalidExtensionState",
            "Extension with this name already registered",
        )

    def test_ten_of_both_kinds_and_no_more(self) -> None:
        rig = Rig(expected=("a", "b"))
        for number in range(8):
            rig.registered(f"internal-{number}")
        too_many = ("Extension.TooManyExtensions", "Extension limit (10) reached")
        assert error_of(rig.register("one-more")) == too_many
        assert error_of(rig.register("internal-0")) == too_many
        rig.registered("a")

    def test_order_of_the_checks(self) -> None:
        """Every fault at once, and then one less each time."""
        rig = Rig(expected=("external",))
        for number in range(9):
            rig.registered(f"internal-{number}")
        rig.api.close_registration()
        keys = b'{"events":["X"],"configurationKeys":["a"]}'
        seen = [
            error_of(rig.register("", b"no json"))[0],
            error_of(rig.register("internal-0", b"no json"))[0],
            error_of(rig.register("internal-0", keys))[0],
            error_of(rig.register("internal-0", b'{"events":["X"]}'))[0],
            error_of(rig.register("internal-0"))[0],
        ]
        assert seen == [
            "Extension.InvalidExtensionName",
            "InvalidRequestFormat",
            "InvalidRequestFormat",
            "Extension.InvalidEventType",
            "Extension.RegistrationClosed",
        ]

    @pytest.mark.parametrize("expected", [(), ("ext",)], ids=["rt-90 internal", "rt-91 external"])
    @pytest.mark.parametrize("body", [b"{}", b"null", b'{"events":null}', b'{"events":[]}', b'{"events":[],"x":1}'])
    def test_plain_reply(self, expected: tuple[str, ...], body: bytes) -> None:
        rig = Rig(expected=expected)
        answer = rig.register(body=body)
        assert answer.status == 200
        assert answer.body == b'{"functionName":"app","functionVersion":"1","handler":"run.sh"}'
        assert answer.header(IDENTIFIER) == next(extension.identifier for extension in rig.api.extensions)
        assert (rig.changes, rig.state()) == (1, State.REGISTERED)

    @pytest.mark.parametrize("expected", [(), ("ext",)], ids=["rt-93", "rt-94"])
    @pytest.mark.parametrize(
        "features", ["accountId", "unknown, accountId", " accountId ,x"], ids=["one", "rt-96", "trim"]
    )
    def test_account_id_when_asked_for(self, expected: tuple[str, ...], features: str) -> None:
        answer = Rig(expected=expected).register(features=features)
        value = orjson.loads(answer.body)
        assert value["accountId"] == "123456789012"
        assert list(value) == ["accountId", "functionName", "functionVersion", "handler"]

    @pytest.mark.parametrize("features", ["unknown", "ACCOUNTID", ""])
    def test_rt_95_other_features_are_ignored(self, features: str) -> None:
        assert b"accountId" not in Rig().register(features=features).body

    def test_rt_97_unknown_account_is_left_out(self) -> None:
        assert b"accountId" not in Rig(account_id="").register(features="accountId").body

    def test_rt_88_subscriptions(self) -> None:
        rig = Rig(expected=("ext",))
        rig.registered(body=b'{"events":["SHUTDOWN","SHUTDOWN"]}')
        rig.registered("internal")
        assert {one.name: one.events for one in rig.api.extensions} == {"ext": ("SHUTDOWN",), "internal": ()}


class TestIdentifier:
    @pytest.mark.parametrize(
        ("method", "path"), [("GET", "event/next"), ("POST", "init/error"), ("POST", "exit/error")]
    )
    @pytest.mark.parametrize(
        ("identifier", "refusal"),
        [
            pytest.param(
                None,
                ("Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"),
                id="rt-81",
            ),
            pytest.param(
                "",
                ("Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"),
                id="empty",
            ),
            pytest.param(
                "not-a-uuid",
                ("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"),
                id="rt-82",
            ),
        ],
    )
    def test_missing_or_no_uuid(self, method: str, path: str, identifier: str | None, refusal: tuple[str, str]) -> None:
        """Told before a missing error type (rt-113)."""
        headers = {} if identifier is None else {IDENTIFIER: identifier}
        assert error_of(Rig().call(method, path, headers)) == refusal

    def test_rt_99_unknown_at_next(self) -> None:
        answer = Rig().call("GET", "event/next", {IDENTIFIER: SOMEBODY})
        assert error_of(answer) == ("Extension.UnknownExtensionIdentifier", f"Unknown extension {SOMEBODY}")

    @pytest.mark.parametrize("path", ["init/error", "exit/error"])
    def test_rt_108_unknown_at_errors_and_after_the_missing_type(self, path: str) -> None:
        rig = Rig()
        missing = rig.call("POST", path, {IDENTIFIER: SOMEBODY})
        assert error_of(missing) == ("Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found")
        unknown = rig.call("POST", path, {IDENTIFIER: SOMEBODY, ERROR_TYPE: "Extension.Odd"})
        assert error_of(unknown) == ("Extension.UnknownExtensionIdentifier", "Unknown Lambda-Extension-Identifier")


class TestEventNext:
    def test_first_call_makes_it_ready_and_waits(self) -> None:
        rig = Rig(expected=("ext",))
        identifier = rig.registered()
        assert rig.api.all_registered
        ready = [rig.api.all_ready]
        peer = rig.park(identifier)
        ready.append(rig.api.all_ready)
        assert ready == [False, True]
        assert rig.changes == 2
        assert peer.received == b""

    def test_rt_100_started_but_not_registered(self) -> None:
        rig = Rig(expected=("ext",))
        [extension] = rig.api.extensions
        answer, _ = read_answer(rig.park(extension.identifier).received)
        assert error_of(answer) == (
            "Extension.InvalidExtensionState",
            f"State transition from Started to Ready failed for extension {extension.identifier}. "
            "Error: state transition is not allowed",
        )
        assert not rig.api.all_registered

    def test_second_poll_while_one_waits(self) -> None:
        rig = Rig()
        identifier = rig.registered()
        first = rig.park(identifier)
        answer, _ = read_answer(rig.park(identifier).received)
        assert "from Ready to Ready" in error_of(answer)[1]
        assert first.received == b""

    @pytest.mark.parametrize("reason", ["spindown", "failure"])
    def test_rt_103_shutdown_event(self, reason: str) -> None:
        rig = Rig(expected=("ext",))
        peer = rig.park(rig.registered(body=b'{"events":["SHUTDOWN"]}'))
        assert rig.api.shut_down(reason, 1_700_000_002_000) == {"ext"}
        answer, _ = read_answer(peer.received)
        assert answer.status == 200
        assert answer.header("content-type") == "application/json"
        expected = f'{{"eventType":"SHUTDOWN","deadlineMs":1700000002000,"shutdownReason":"{reason}"}}'
        assert answer.body == expected.encode()
        assert rig.state() is State.RUNNING
        assert rig.api.shut_down(reason, 0) == frozenset()

    def test_only_waiting_subscribers_are_told(self) -> None:
        rig = Rig(expected=("waits", "asks for nothing", "not waiting", "left"))
        events = b'{"events":["SHUTDOWN"]}'
        told = rig.park(rig.registered("waits", events))
        silent = rig.park(rig.registered("asks for nothing"))
        rig.registered("not waiting", events)
        rig.park(rig.registered("left", events)).hang_up()
        assert rig.api.shut_down("spindown", 1) == {"waits"}
        assert told.received
        assert silent.received == b""

    def test_next_after_the_event_waits_until_the_end(self) -> None:
        rig = Rig(expected=("ext",))
        identifier = rig.registered(body=b'{"events":["SHUTDOWN"]}')
        rig.park(identifier)
        rig.api.shut_down("spindown", 1)
        assert rig.park(identifier).received == b""


class TestErrors:
    @pytest.mark.parametrize(
        ("path", "value", "told"),
        [
            pytest.param("init/error", "Extension.Custom", "Extension.Custom", id="rt-110"),
            pytest.param("init/error", "Custom", "Extension.InitError", id="rt-207 init"),
            pytest.param("init/error", "Extension.A", "Extension.InitError", id="rt-207 one letter"),
            pytest.param("init/error", "Extension.Az", "Extension.Az", id="rt-207 two letters"),
            pytest.param("exit/error", "Extension.Custom", "Extension.Custom", id="exit"),
            pytest.param("exit/error", "Extension.az", "Extension.ExitError", id="rt-207 exit"),
        ],
    )
    def test_accepted_and_told(self, path: str, value: str, told: str) -> None:
        rig = Rig()
        headers = {IDENTIFIER: rig.registered(), ERROR_TYPE: value}
        for _ in range(2):  # a second time as well
            answer = rig.call("POST", path, headers, b"ignored")
            assert (answer.status, answer.body) == (202, b'{"status":"OK"}\n')
        assert rig.errors[0] == ("ext", told)

    @pytest.mark.parametrize("state", ["Started", "Ready", "Running"])
    def test_rt_109_init_error_in_a_wrong_state(self, state: str) -> None:
        rig = Rig(expected=("ext",))
        [extension] = rig.api.extensions
        if state != "Started":
            rig.park(rig.registered(body=b'{"events":["SHUTDOWN"]}'))
        if state == "Running":
            rig.api.shut_down("spindown", 1)
        answer = rig.call("POST", "init/error", {IDENTIFIER: extension.identifier, ERROR_TYPE: "Extension.Odd"})
        assert error_of(answer) == (
            "Extension.InvalidExtensionState",
            f"State transition from {state} to InitError failed for extension {extension.identifier}. "
            "Error: state transition is not allowed",
        )
        assert rig.errors == []

    @pytest.mark.parametrize("state", ["Registered", "Ready", "Running"])
    def test_exit_error_while_it_lives(self, state: str) -> None:
        rig = Rig(expected=("ext",))
        identifier = rig.registered(body=b'{"events":["SHUTDOWN"]}')
        if state != "Registered":
            rig.park(identifier)
        if state == "Running":
            rig.api.shut_down("spindown", 1)
        answer = rig.call("POST", "exit/error", {IDENTIFIER: identifier, ERROR_TYPE: "Extension.Odd"})
        assert (answer.status, rig.state()) == (202, State.EXIT_ERROR)

    def test_exit_error_names_its_state_as_the_service_does(self) -> None:
        rig = Rig(expected=("ext",))
        [extension] = rig.api.extensions
        answer = rig.call("POST", "exit/error", {IDENTIFIER: extension.identifier, ERROR_TYPE: "Extension.Odd"})
        assert "from Started to Exited failed" in error_of(answer)[1]

    def test_one_that_gave_up_gets_no_shutdown_event(self) -> None:
        rig = Rig(expected=("ext",))
        identifier = rig.registered(body=b'{"events":["SHUTDOWN"]}')
        rig.park(identifier)
        rig.call("POST", "exit/error", {IDENTIFIER: identifier, ERROR_TYPE: "Extension.Odd"})
        assert rig.api.shut_down("spindown", 1) == frozenset()
