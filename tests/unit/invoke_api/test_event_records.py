"""What a destination and a dead-letter queue receive."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.invoke_api.event_record import MAX_RESPONSE_PAYLOAD, Response, dead_letter, failure, invocation_record
from penstock.invoke_api.retry import Condition
from penstock.model.errors import FunctionError, PlatformError, ThrottleError
from support.event_rig import SQS, EventRig

ERROR = FunctionError("ValueError", "no", b'{"errorMessage": "no",\n "errorType": "ValueError"}')


def test_success(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, on_success=f"{SQS}done")
    rig.accept(b'{"ORDER_IDS": ["a", "b"]}')
    rig.target.end(b'{"sum": 3}')
    assert rig.files("done") == [
        {
            "version": "1.0",
            "timestamp": "2023-11-14T22:13:20.000Z",
            "requestContext": {
                "requestId": "r1",
                "functionArn": rig.function.qualified_arn,
                "condition": "Success",
                "approximateInvokeCount": 1,
            },
            "requestPayload": {"ORDER_IDS": ["a", "b"]},
            "responseContext": {"statusCode": 200, "executedVersion": "1"},
            "responsePayload": {"sum": 3},
        }
    ]


def test_retries_exhausted(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, on_failure=f"{SQS}failed", dead_letter=f"{SQS}dead", max_retry_attempts=1)
    rig.accept(b'{"n": 1}')
    rig.target.end(ERROR)
    rig.clock.advance(60.0)
    rig.target.end(ERROR)
    assert rig.files("failed") == [
        {
            "version": "1.0",
            "timestamp": "2023-11-14T22:14:20.000Z",
            "requestContext": {
                "requestId": "r1",
                "functionArn": rig.function.qualified_arn,
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 2,
            },
            "requestPayload": {"n": 1},
            "responseContext": {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"},
            "responsePayload": {"errorMessage": "no", "errorType": "ValueError"},
        }
    ]
    assert rig.files("dead") == [
        {
            "Body": '{"n": 1}',
            "MessageAttributes": {
                "RequestID": {"DataType": "String", "StringValue": "r1"},
                "ErrorCode": {"DataType": "Number", "StringValue": "200"},
                "ErrorMessage": {"DataType": "String", "StringValue": "no"},
            },
        }
    ]
    assert rig.discarded[0].kept_in == (f"{SQS}failed", f"{SQS}dead")


def test_a_throttled_event_names_no_version() -> None:
    assert failure(ThrottleError(), "1") == Response(429, message="Rate Exceeded.")
    assert failure(PlatformError("Runtime.Unknown"), "1") == Response(500, message="Runtime.Unknown")


def test_an_event_never_tried_has_no_response() -> None:
    letter = orjson.loads(
        dead_letter(request_id="r1", request_payload=b"\xff{", condition=Condition.EVENT_AGE_EXCEEDED, response=None)
    )
    assert letter["Body"] == "\\xff{"
    assert sorted(letter["MessageAttributes"]) == ["ErrorMessage", "RequestID"]
    assert letter["MessageAttributes"]["ErrorMessage"]["StringValue"] == "EventAgeExceeded"


@pytest.mark.parametrize("message", ["é" * 1000, "\ud800" * 500, "x" * 1025])
def test_a_long_error_message_is_cut_within_its_characters(message: str) -> None:
    response = failure(FunctionError("E", message, b"{}"), "1")
    letter = dead_letter(
        request_id="r1", request_payload=b"{}", condition=Condition.RETRIES_EXHAUSTED, response=response
    )
    text = orjson.loads(letter)["MessageAttributes"]["ErrorMessage"]["StringValue"]
    assert len(text.encode()) == 1024
    assert text[:500] in message.encode(errors="backslashreplace").decode()


def recorded(payload: bytes, response: Response | None = None) -> bytes:
    return invocation_record(
        request_id="r1",
        function_arn="arn",
        condition=Condition.SUCCESS,
        invoke_count=1,
        epoch=0.0,
        request_payload=payload,
        response=response,
    )


def test_numbers_stay_as_they_were_written() -> None:
    digits = b"123456789012345678901234567890.10"
    assert b'"requestPayload":{"n":  %b}' % digits in recorded(b'{"n":\n\r%b}'.replace(b"\n\r", b"\n ") % digits)


@settings(deadline=None)
@given(st.binary() | st.text().map(lambda text: orjson.dumps(text)) | st.sampled_from([b"[" * 3000, b"", b"NaN"]))
def test_a_record_is_one_line_of_json_whatever_the_payloads(payload: bytes) -> None:
    record = recorded(payload, Response(200, "1", payload=payload))
    assert b"\n" not in record
    assert b"\r" not in record
    value = orjson.loads(record)
    try:
        expected = orjson.loads(payload)
    except orjson.JSONDecodeError:
        expected = payload.decode(errors="backslashreplace")
    assert value["requestPayload"] == value["responsePayload"] == expected


def test_a_large_answer_is_left_out(tmp_path: Path) -> None:
    rig = EventRig(tmp_path, on_success=f"{SQS}done")
    for size in (MAX_RESPONSE_PAYLOAD, MAX_RESPONSE_PAYLOAD + 1):
        rig.accept()
        rig.target.end(b'"%b"' % (b"x" * (size - 2)))
    whole, cut = rig.files("done")
    assert len(whole["responsePayload"]) == MAX_RESPONSE_PAYLOAD - 2
    assert "responsePayload" not in cut
    assert cut["responseContext"] == {"statusCode": 200, "executedVersion": "1"}
    assert failure(FunctionError("E", "", b"x" * (MAX_RESPONSE_PAYLOAD + 1)), "1").payload is None
