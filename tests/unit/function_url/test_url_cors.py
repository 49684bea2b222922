"""Cross-origin rules: who may ask for what, and which headers say so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.function_url.cors import TWICE, CorsRules
from penstock.model.function import Cors, InvokeMode
from penstock.model.limits import MAX_REQUEST_BYTES
from support.answers import Answer
from support.url_story import Rig, prelude

ORIGIN = "https://allowed.example"
CORS = Cors(
    allow_credentials=True,
    allow_headers=("X-Allowed", "content-type"),
    allow_methods=("GET", "POST"),
    allow_origins=(ORIGIN, "http://localhost:60905"),
    expose_headers=("x-owned", "Date"),
    max_age=321,
)
ALL = Cors(allow_origins=("*",), allow_methods=("*",), allow_headers=("*",))


def ask(method: str, fields: dict[str, str], cors: Cors = CORS) -> Rig:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return Rig(cors=cors).request(f"{method} /p HTTP/1.1\r\nhost: x\r\n{lines}\r\n".encode())


def preflight(cors: Cors = CORS, origin: str = ORIGIN, method: str = "POST", headers: str = "") -> Answer:
    fields = {"origin": origin, "access-control-request-method": method}
    if headers:
        fields["access-control-request-headers"] = headers
    rig = ask("OPTIONS", fields, cors)
    assert rig.target.taken == []
    assert (rig.record.status, rig.record.note, rig.record.sent) == (200, "", 0)
    assert rig.door.open_requests == 0
    return rig.answer("OPTIONS")


def cors_fields(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name.startswith("access-control-") or name == "vary"}


class TestPreflight:
    def test_is_answered_without_the_function(self) -> None:
        answer = preflight(headers="x-allowed, Content-Type")
        assert (answer.status, answer.body, answer.header("content-length")) == (200, b"", "0")
        assert answer.header("content-type") == "application/json"
        assert len(answer.header("x-amzn-requestid") or "") == 36
        assert cors_fields(answer) == {
            "access-control-allow-origin": ORIGIN,
            "vary": "Origin",
            "access-control-allow-headers": "X-Allowed,content-type",
            "access-control-allow-methods": "GET,POST",
            "access-control-max-age": "321",
            "access-control-allow-credentials": "true",
        }

    @pytest.mark.parametrize(
        "refused",
        [
            {"origin": "https://other.example"},
            {"origin": ORIGIN + ".evil"},
            {"origin": "null"},
            {"method": "DELETE"},
            {"method": "get"},
            {"headers": "x-not-allowed"},
            {"headers": "x-allowed,x-not-allowed"},
        ],
    )
    def test_that_is_not_allowed_is_answered_without_headers(self, refused: dict[str, str]) -> None:
        answer = preflight(**refused)  # type: ignore[arg-type]
        assert (answer.status, answer.body, cors_fields(answer)) == (200, b"", {})

    def test_all_is_allowed(self) -> None:
        answer = preflight(ALL, origin="https://any.example", method="PATCH", headers="authorization,x-a")
        assert cors_fields(answer) == {
            "access-control-allow-origin": "https://any.example",
            "vary": "Origin",
            "access-control-allow-headers": "*",
            "access-control-allow-methods": "*",
        }

    @pytest.mark.parametrize(("method", "allowed"), [("GET", True), ("POST", True), ("PUT", False)])
    def test_without_a_list_of_methods(self, method: str, allowed: bool) -> None:
        answer = preflight(Cors(allow_origins=(ORIGIN,)), method=method)
        assert bool(cors_fields(answer)) is allowed

    def test_its_body_is_thrown_away_and_the_connection_kept(self) -> None:
        rig = Rig(cors=CORS)
        head = (
            f"OPTIONS / HTTP/1.1\r\nhost: x\r\norigin: {ORIGIN}\r\n"
            "access-control-request-method: GET\r\ncontent-length: 3\r\n"
        )
        rig.request(f"{head}\r\n".encode()).request(b"abc")
        assert rig.answer("OPTIONS").status == 200
        assert rig.request().target.taken
        assert len(rig.records) == 1

    @pytest.mark.parametrize(
        ("method", "fields"),
        [
            ("OPTIONS", {}),
            ("OPTIONS", {"origin": ORIGIN}),
            ("OPTIONS", {"access-control-request-method": "GET"}),
            ("GET", {"origin": ORIGIN, "access-control-request-method": "GET"}),
        ],
    )
    def test_anything_else_reaches_the_function(self, method: str, fields: dict[str, str]) -> None:
        assert len(ask(method, fields).target.taken) == 1

    def test_reaches_the_function_without_cors(self) -> None:
        rig = Rig().request(b"OPTIONS / HTTP/1.1\r\nhost: x\r\norigin: x\r\naccess-control-request-method: GET\r\n\r\n")
        assert len(rig.target.taken) == 1


class TestAnswer:
    def test_gets_the_configured_headers(self) -> None:
        answer = ask("GET", {"origin": ORIGIN}).begin().write(prelude()).finish().answer()
        assert cors_fields(answer) == {
            "access-control-allow-origin": ORIGIN,
            "vary": "Origin",
            "access-control-expose-headers": "x-owned,Date",
            "access-control-allow-credentials": "true",
        }

    @pytest.mark.parametrize("fields", [{}, {"origin": ""}, {"origin": "https://other.example"}])
    def test_to_nobody_it_knows_gets_none(self, fields: dict[str, str]) -> None:
        assert cors_fields(ask("GET", fields).begin().write(prelude()).finish().answer()) == {}

    def test_in_buffered_mode(self) -> None:
        rig = Rig(InvokeMode.BUFFERED, cors=ALL).request(b"GET / HTTP/1.1\r\nhost: x\r\norigin: null\r\n\r\n")
        answer = rig.begin("application/json", streaming=False).write(b"{}").finish().answer()
        assert answer.header("access-control-allow-origin") == "null"

    def test_keeps_what_the_function_set_and_says_so(self) -> None:
        """As on AWS, where browsers then refuse the answer: that must be seen here first."""
        rig = ask("GET", {"origin": ORIGIN}).begin()
        rig.write(prelude(200, **{"Access-Control-Allow-Origin": "https://handler.example", "Vary": "Accept"})).finish()
        answer = rig.answer()
        assert answer.all("access-control-allow-origin") == ["https://handler.example", ORIGIN]
        assert answer.all("vary") == ["Accept", "Origin"]
        assert rig.record.note == TWICE

    def test_of_a_function_that_does_it_alone(self) -> None:
        rig = ask("GET", {"origin": "https://other.example"}).begin()
        rig.write(prelude(200, **{"access-control-allow-origin": "*"})).finish()
        assert rig.answer().header("access-control-allow-origin") == "*"
        assert rig.record.note == ""

    def test_refusals_can_be_read_by_a_page(self) -> None:
        full = Rig(cors=ALL)
        full.target.free_slots = 0
        full.request(b"GET / HTTP/1.1\r\nhost: x\r\norigin: https://a\r\n\r\n")
        large = Rig(cors=ALL)
        large.request(
            b"POST / HTTP/1.1\r\nhost: x\r\norigin: https://a\r\ncontent-length: %d\r\n\r\n" % (MAX_REQUEST_BYTES + 1)
        )
        large.request(b"x" * (MAX_REQUEST_BYTES + 1))
        failed = Rig(cors=ALL).request(b"GET / HTTP/1.1\r\nhost: x\r\norigin: https://a\r\n\r\n").fail()
        for rig, status in ((full, 429), (large, 413), (failed, 502)):
            answer = rig.answer()
            assert (answer.status, answer.header("access-control-allow-origin")) == (status, "https://a")


LISTS = st.lists(st.text(max_size=8), max_size=3).map(tuple)


@given(
    cors=st.builds(
        Cors,
        allow_credentials=st.booleans(),
        allow_headers=LISTS,
        allow_methods=LISTS,
        allow_origins=LISTS,
        expose_headers=LISTS,
        max_age=st.one_of(st.none(), st.integers(0, 86_400)),
    ),
    fields=st.lists(
        st.tuples(
            st.sampled_from([b"origin", b"access-control-request-method", b"access-control-request-headers"]),
            st.binary(max_size=8).filter(lambda value: not set(value) & set(b"\r\n\0")),
        ),
        max_size=4,
    ),
)
def test_any_rules_and_any_request_give_whole_lines(cors: Cors, fields: list[tuple[bytes, bytes]]) -> None:
    rules = CorsRules(cors)
    for lines in (rules.actual(fields), rules.preflight(b"OPTIONS", fields) or b""):
        assert all(b": " in line for line in lines.split(b"\r\n")[:-1])
        assert lines == b"" or lines.endswith(b"\r\n")
        assert b"\n\n" not in lines.replace(b"\r", b"")
