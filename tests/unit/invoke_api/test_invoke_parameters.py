"""Headers, payloads and paths of invocations."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.invoke_api.operations import Call, Operation, read_call
from penstock.invoke_api.parameters import (
    InvocationType,
    Parameters,
    read_parameters,
    read_payload,
    require_event_size,
)
from penstock.invoke_api.refusal import RefusalError


class TestParameters:
    def test_defaults(self) -> None:
        assert read_parameters([(b"host", b"x"), (b"x-amz-date", b"y")], streaming=False) == Parameters()

    @pytest.mark.parametrize("value", ["RequestResponse", "Event", "DryRun"])
    def test_invocation_types(self, value: str) -> None:
        read = read_parameters([(b"x-amz-invocation-type", value.encode())], streaming=False)
        assert read.invocation_type is InvocationType(value)

    @pytest.mark.parametrize("value", ["event", "", "Sync", "\xff"])
    def test_unknown_invocation_type(self, value: str) -> None:
        with pytest.raises(RefusalError) as refused:
            read_parameters([(b"x-amz-invocation-type", value.encode("latin-1"))], streaming=False)
        assert refused.value.error_type == "ValidationException"
        assert refused.value.message == (
            f"1 validation error detected: Value '{value}' at 'invocationType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [Event, RequestResponse, DryRun]"
        )

    def test_a_stream_is_no_event(self) -> None:
        with pytest.raises(RefusalError, match=r"enum value set: \[RequestResponse, DryRun\]"):
            read_parameters([(b"x-amz-invocation-type", b"Event")], streaming=True)

    @pytest.mark.parametrize(("value", "tail"), [(b"None", False), (b"Tail", True)])
    def test_log_types(self, value: bytes, tail: bool) -> None:
        assert read_parameters([(b"x-amz-log-type", value)], streaming=True).tail is tail

    def test_unknown_log_type(self) -> None:
        with pytest.raises(RefusalError, match=r"at 'logType' .* \[None, Tail\]"):
            read_parameters([(b"x-amz-log-type", b"All")], streaming=False)

    @pytest.mark.parametrize("name", [b"x-amz-tenant-id", b"x-amz-durable-execution-name"])
    def test_what_no_function_here_is_made_for(self, name: bytes) -> None:
        with pytest.raises(RefusalError) as refused:
            read_parameters([(name, b"x")], streaming=False)
        assert refused.value.error_type == "InvalidParameterValueException"


class TestClientContext:
    def read(self, value: bytes) -> str:
        return read_parameters([(b"x-amz-client-context", value)], streaming=False).client_context

    @given(st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=5))
    def test_is_one_line_of_ascii_json(self, context: dict[str, str]) -> None:
        try:
            raw = orjson.dumps(context, option=orjson.OPT_INDENT_2)
        except orjson.JSONEncodeError:  # lone surrogates
            return
        text = self.read(base64.b64encode(raw))
        assert text.isascii()
        assert text.isprintable()
        assert orjson.loads(text) == context

    @pytest.mark.parametrize(
        "value",
        [
            b"not base64",
            base64.b64encode(b"not json"),
            base64.b64encode(b"[1]"),
            base64.b64encode(b'"x"'),
            base64.b64encode(b'{"a":' + b"[" * 1_300),
            base64.b64encode(b'{"a":1}')[:-2],
            b"\xff\xfe",
        ],
    )
    def test_malformed(self, value: bytes) -> None:
        with pytest.raises(RefusalError) as refused:
            self.read(value)
        assert refused.value.error_type == "InvalidRequestContentException"
        assert refused.value.message == "Client context must be a valid Base64-encoded JSON object."

    def test_deepest(self) -> None:
        """As deep as fits: it is taken or refused, and nothing else."""
        depth = 440
        value = base64.b64encode(b'{"a":' * depth + b"1" + b"}" * depth)
        assert len(value) <= 3_583
        assert self.read(value).count("{") == depth

    def test_limit(self) -> None:
        fits = base64.b64encode(orjson.dumps({"a": "x" * 2_670}))
        assert len(fits) == 3_572
        assert self.read(fits)
        with pytest.raises(RefusalError, match="3583 bytes"):
            self.read(base64.b64encode(orjson.dumps({"a": "x" * 2_690})))

    def test_empty(self) -> None:
        assert self.read(b"") == ""


class TestPayload:
    @pytest.mark.parametrize("body", [b"{}", b"null", b'"x"', b" [1] ", '"é"'.encode()])
    def test_json_is_left_as_it_is(self, body: bytes) -> None:
        assert read_payload(body) is body

    def test_none_is_an_empty_object(self) -> None:
        assert read_payload(b"") == b"{}"

    @pytest.mark.parametrize("body", [b" ", b"{", b"nope", b"\xff", b"[1,]", b"[" * 5_000, b"NaN", b'"\xed\xa0\x80"'])
    def test_not_json(self, body: bytes) -> None:
        with pytest.raises(RefusalError) as refused:
            read_payload(body)
        assert (refused.value.status, refused.value.error_type) == (400, "InvalidRequestContentException")
        assert refused.value.message.startswith("Could not parse request body into json: Could not parse payload into")

    def test_size_of_an_event(self) -> None:
        require_event_size(b"x" * 1_048_576)
        with pytest.raises(RefusalError) as refused:
            require_event_size(b"x" * 1_048_577)
        assert (refused.value.status, refused.value.error_type) == (413, "RequestTooLargeException")
        assert refused.value.message == (
            "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)"
        )


class TestCalls:
    @pytest.mark.parametrize(
        ("target", "call"),
        [
            (b"/2015-03-31/functions/app/invocations", Call(Operation.INVOKE, "app", None)),
            (b"/2015-03-31/functions/app/invocations?Qualifier=live", Call(Operation.INVOKE, "app", "live")),
            (b"/2015-03-31/functions/a%3Ab/invocations?x=1&Qualifier=%24L", Call(Operation.INVOKE, "a%3Ab", "$L")),
            (b"/2015-03-31/functions/a/invocations?Qualifier=", Call(Operation.INVOKE, "a", None)),
            (
                b"/2021-11-15/functions/app/response-streaming-invocations?Qualifier=2",
                Call(Operation.INVOKE_WITH_RESPONSE_STREAM, "app", "2"),
            ),
            (b"/2014-11-13/functions/app/invoke-async/", Call(Operation.INVOKE_ASYNC, "app", None)),
            (b"/2014-11-13/functions/app/invoke-async", Call(Operation.INVOKE_ASYNC, "app", None)),
        ],
    )
    def test_read(self, target: bytes, call: Call) -> None:
        assert read_call(b"POST", target) == call

    @pytest.mark.parametrize(
        "target",
        [
            b"/",
            b"",
            b"*",
            b"/2015-03-31/functions",
            b"/2015-03-31/functions/",
            b"/2015-03-31/functions/app",
            b"/2015-03-31/functions/invocations",
            b"/2015-03-31/functions//invocations",
            b"/2015-03-31/functions/a/b/invocations",
            b"/2015-03-31/functions/app/invocations/",
            b"/2021-11-15/functions/app/invocations",
            b"/2015-03-31/functions/app/response-streaming-invocations",
            b"/2015-03-31/functions/app?x=/invocations",
        ],
    )
    def test_no_invocation(self, target: bytes) -> None:
        assert read_call(b"POST", target) is None

    def test_other_methods(self) -> None:
        assert read_call(b"GET", b"/2015-03-31/functions/app/invocations") is None
