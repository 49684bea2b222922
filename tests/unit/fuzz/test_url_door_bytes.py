"""Any request at a Function URL of any configuration, and any answer to it: one sound answer, and nothing left open."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.function_url import UrlHosts
from penstock.model.errors import FunctionError
from penstock.model.function import Cors, InvokeMode
from penstock.wire.prelude import CONTENT_TYPE as PRELUDE_TYPE
from penstock.wire.prelude import SEPARATOR
from penstock.wire.sigv4 import Verifier
from support.answers import read_answer
from support.clock import VirtualClock
from support.fuzzing import TRIED, examples
from support.signing import KEYS, REGION, SERVICE
from support.url_story import Rig

VALUES = st.one_of(
    st.sampled_from(
        [
            "https://a.example",
            "*",
            "GET",
            "websocket",
            "h2c",
            "x.lambda-url.y",
            "Root=1-a-b",
            "AWS4-HMAC-SHA256 x=y",
            "",
        ]
    ),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12),
)
NAMES = st.sampled_from(
    [
        "host",
        "origin",
        "access-control-request-method",
        "access-control-request-headers",
        "authorization",
        "x-amz-date",
        "x-amzn-trace-id",
        "cookie",
        "content-type",
        "content-encoding",
        "x-forwarded-for",
        "upgrade",
        "x-a",
    ]
)
TARGETS = st.one_of(
    st.just("/"),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=12).map(lambda text: f"/{text}"),
    st.just("http://x.lambda-url.y/?X-Amz-Signature=1"),
)
RESULTS = st.one_of(
    st.binary(max_size=40),
    st.fixed_dictionaries(
        {"statusCode": st.one_of(st.integers(-1, 1000), st.text(max_size=4), st.none())},
        optional={
            "headers": st.dictionaries(st.text(max_size=20), st.one_of(st.text(max_size=8), st.integers(), st.none())),
            "cookies": st.lists(st.text(max_size=8), max_size=2),
            "body": st.one_of(st.text(max_size=20), st.none(), st.dictionaries(st.text(max_size=3), st.booleans())),
            "isBase64Encoded": st.one_of(st.booleans(), st.text(max_size=5)),
        },
    ).map(lambda value: json.dumps(value).encode()),
)


def made(data: st.DataObject) -> Rig:
    clock = VirtualClock()
    return Rig(
        data.draw(st.sampled_from(InvokeMode)),
        cors=data.draw(st.sampled_from([None, Cors(), Cors(allow_origins=("*",), allow_credentials=True)])),
        verifier=data.draw(st.sampled_from([None, Verifier(KEYS, service=SERVICE, region=REGION)])),
        hosts=data.draw(st.sampled_from([None, UrlHosts(clock)])),
        cancel_on_disconnect=data.draw(st.booleans()),
    )


@settings(max_examples=examples(100), deadline=None)
@given(data=st.data())
def test_one_request_one_answer(data: st.DataObject) -> None:
    TRIED["requests at a Function URL"] += 1
    rig = made(data)
    method = data.draw(st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT"]))
    fields = data.draw(st.lists(st.tuples(NAMES, VALUES), max_size=6))
    body = data.draw(st.binary(max_size=20))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    head = f"{method} {data.draw(TARGETS)} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n"
    rig.target.free_slots = data.draw(st.integers(0, 1))
    rig.peer.trickle(head.encode("latin-1") + body, data.draw(st.lists(st.integers(1, 30), max_size=5)))
    if rig.target.taken:
        answered(rig, data)
    answer, rest = read_answer(rig.peer.take(), method, closed=rig.peer.sees_end)
    if answer.status == 400 and not answer.header("x-amzn-requestid"):  # no HTTP: the request never reached the door
        assert rig.peer.sees_end
        assert rig.records == []
        return
    assert rest == b""
    assert 200 <= answer.status <= 599
    assert len(answer.header("x-amzn-requestid") or "") == 36
    assert rig.door.open_requests == 0
    assert len(rig.records) <= 1


def answered(rig: Rig, data: st.DataObject) -> None:
    """The function's part: a result, a stream, an error, in pieces."""
    payload = data.draw(RESULTS)
    streaming = data.draw(st.booleans())
    if streaming and data.draw(st.booleans()):
        payload += SEPARATOR + data.draw(st.binary(max_size=20))
    if data.draw(st.booleans()):
        rig.begin(data.draw(st.sampled_from([PRELUDE_TYPE, "application/json", "text/\xe9"])), streaming=streaming)
        cut = data.draw(st.integers(0, len(payload)))
        rig.write(payload[:cut], payload[cut:])
        if data.draw(st.booleans()):
            rig.finish()
            return
    rig.fail(FunctionError("Runtime.ExitError"))
