"""Invoke: each call in its phase, no sockets."""

import base64

import orjson
import pytest

from penstock.model.errors import FunctionError, PlatformError
from penstock.model.limits import MAX_BUFFERED_RESPONSE_BYTES, MAX_REQUEST_BYTES
from penstock.wire.sigv4 import Verifier
from support.clock import DeferringClock
from support.invoke_story import ARN, INVOKE, Events, Story
from support.runtime_rig import request

TIMEOUT = FunctionError("Sandbox.Timedout", "Task timed out after 3.00 seconds")


class TestRequest:
    def test_becomes_an_invocation(self) -> None:
        story = Story()
        context = base64.b64encode(b'{ "custom": {"k": "\xc3\xa9"} }').decode()
        headers = {"x-amz-client-context": context, "x-amzn-trace-id": "Root=1-a-b"}
        story.clock.advance(0.25)
        story.call(f"{INVOKE}?Qualifier=live", b'{"a": 1}', headers)
        invocation = story.invocation
        assert story.target.events == [b'{"a": 1}']
        assert invocation.function_arn == f"{ARN}:live"
        assert invocation.client_context == r'{"custom":{"k":"\u00e9"}}'
        assert invocation.trace_id == "Root=1-a-b"
        assert (invocation.timeout_s, invocation.deadline, invocation.deadline_ms) == (3, 3.25, 1_700_000_003_250)

    def test_without_qualifier_or_payload(self) -> None:
        story = Story().call(body=b"")
        assert story.invocation.function_arn == ARN
        assert story.target.events == [b"{}"]
        assert story.invocation.trace_id.startswith("Root=1-6553f100-")

    @pytest.mark.parametrize("sent", ["Self=1-c", "Root=" + "1" * 508, "Root=1-\xe9"])
    def test_of_a_trace_header_that_will_not_do_there_is_a_new_one(self, sent: str) -> None:
        story = Story().call(headers={"x-amzn-trace-id": sent})
        assert story.invocation.trace_id.startswith("Root=1-6553f100-")

    def test_the_deadline_counts_from_the_complete_request(self) -> None:
        story = Story()
        data = request("POST", INVOKE, {}, b"{}")
        story.peer.send(data[:-1])
        story.clock.advance(60)
        story.peer.send(data[-1:])
        assert story.invocation.deadline == 63

    def test_chunked_and_cut_anywhere(self) -> None:
        story = Story()
        head = b"POST /2015-03-31/functions/app/invocations HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        story.peer.trickle(head + b'3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n')
        assert story.target.events == [b'{"a":1}']

    def test_of_exactly_6_mb(self) -> None:
        story = Story().call(body=b'"%b"' % (b"x" * (MAX_REQUEST_BYTES - 2)))
        assert len(story.target.events[0]) == MAX_REQUEST_BYTES

    def test_one_byte_over_6_mb(self) -> None:
        story = Story().call(body=b'"%b"' % (b"x" * (MAX_REQUEST_BYTES - 1)))
        answer = story.answer()
        assert (answer.status, answer.header("x-amzn-errortype")) == (413, "RequestTooLargeException")
        assert answer.header("connection") == "close"
        assert orjson.loads(answer.body) == {
            "Type": "User",
            "message": "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
        }
        assert story.peer.sees_end
        assert story.target.taken == []
        assert story.api.open_requests == 0
        assert len(story.records) == 1

    def test_client_leaves_before_it_is_complete(self) -> None:
        story = Story()
        story.peer.send(request("POST", INVOKE, {}, b"{}")[:-1]).hang_up()
        assert story.record.note == "client left before its request was complete"
        assert story.api.open_requests == 0

    def test_everything_else_is_for_the_other(self) -> None:
        story = Story()
        for method, path in [("GET", "/2015-03-31/functions/"), ("POST", "/"), ("GET", INVOKE)]:
            story.peer.send(request(method, path))
            assert story.answer().status == 404
        assert story.others == [b"/2015-03-31/functions/", b"/", INVOKE.encode()]
        assert story.records == []


class TestRefusals:
    @pytest.mark.parametrize(
        ("path", "body", "headers", "status", "error_type"),
        [
            (INVOKE.replace("app", "a%20b"), b"{}", {}, 400, "ValidationException"),
            (INVOKE, b"{}", {"x-amz-invocation-type": "Sync"}, 400, "ValidationException"),
            (INVOKE, b"{}", {"x-amz-log-type": "All"}, 400, "ValidationException"),
            (INVOKE, b"nope", {}, 400, "InvalidRequestContentException"),
            (INVOKE, b"{}", {"x-amz-client-context": "?"}, 400, "InvalidRequestContentException"),
            (INVOKE.replace("app", "app:1") + "?Qualifier=2", b"{}", {}, 400, "InvalidParameterValueException"),
            (INVOKE.replace("app", "none"), b"{}", {}, 404, "ResourceNotFoundException"),
            (INVOKE + "?Qualifier=9", b"nope", {}, 404, "ResourceNotFoundException"),
            (INVOKE.replace("app", ARN.replace("us-east", "us-west")), b"{}", {}, 404, "ResourceNotFoundException"),
            (INVOKE.replace("app", "999999999999:function:app"), b"{}", {}, 403, "AccessDeniedException"),
        ],
    )
    def test_in_words_and_the_connection_stays(
        self, path: str, body: bytes, headers: dict[str, str], status: int, error_type: str
    ) -> None:
        story = Story().call(path, body, headers)
        answer = story.answer()
        assert (answer.status, answer.header("x-amzn-errortype")) == (status, error_type)
        assert answer.header("x-amzn-requestid") == story.record.request_id
        assert orjson.loads(answer.body).keys() & {"message", "Message"}
        assert (story.record.status, story.record.note, story.record.sent) == (status, error_type, len(answer.body))
        assert story.target.taken == []
        assert story.api.open_requests == 0
        assert not story.peer.sees_end
        assert story.call().target.taken

    def test_all_is_full(self) -> None:
        story = Story()
        story.target.free_slots = 0
        answer = story.call().answer()
        assert (answer.status, answer.header("retry-after")) == (429, "1")
        assert answer.header("x-amzn-errortype") == "TooManyRequestsException"
        assert orjson.loads(answer.body) == {
            "Reason": "ConcurrentInvocationLimitExceeded",
            "Type": "User",
            "message": "Rate Exceeded.",
        }
        assert story.record.note == "every environment is busy"
        assert story.target.events == []

    def test_unsigned(self) -> None:
        """Before anything is told of the function."""
        verifier = Verifier({}, service="lambda", region="us-east-1")
        story = Story(verifier=verifier).call(INVOKE.replace("app", "none"), b"nope")
        answer = story.answer()
        assert answer.status == 403
        assert answer.header("x-amzn-errortype") == story.record.note == "MissingAuthenticationTokenException"
        assert story.target.taken == []


class TestAnswer:
    def test_of_a_buffered_function(self) -> None:
        story = Story().call().begin().write(b'{"a"', b":1}").finish()
        answer = story.answer()
        assert (answer.status, answer.body) == (200, b'{"a":1}')
        assert answer.header("x-amz-executed-version") == "1"
        assert answer.header("x-amzn-requestid") == story.invocation.request_id
        assert answer.header("x-amzn-trace-id") == story.invocation.trace_id
        assert answer.header("content-type") == "application/json"
        assert answer.header("x-amz-function-error") is None
        assert answer.header("x-amz-log-result") is None
        record = story.record
        assert (record.function, record.method, record.path) == ("App", "POST", INVOKE)
        assert (record.status, record.sent, record.environment_id, record.note) == (200, 7, "e" * 32, "")

    def test_of_a_streaming_function_keeps_its_prelude(self) -> None:
        story = Story().call().begin("application/vnd.awslambda.http-integration-response", streaming=True)
        assert story.write(b"{}" + b"\0" * 8, b"body").finish().answer().body == b"{}" + b"\0" * 8 + b"body"

    def test_next_request_on_the_same_connection(self) -> None:
        story = Story()
        for body in (b"1", b"2"):
            assert story.call().begin().write(body).finish().answer().body == body
        assert not story.peer.sees_end

    def test_function_error_is_the_runtimes_bytes(self) -> None:
        posted = b'{"errorType": "ValueError", "errorMessage": "no", "stackTrace": []}'
        answer = Story().call().fail(FunctionError("Runtime.Unknown", "no", posted)).answer()
        assert (answer.status, answer.body) == (200, posted)
        assert answer.header("x-amz-function-error") == "Unhandled"
        assert answer.header("x-amz-executed-version") == "1"

    def test_timeout_names_the_request(self) -> None:
        story = Story().call()
        answer = story.begin().write(b"half").fail(TIMEOUT).answer()
        assert (answer.status, answer.header("x-amz-function-error")) == (200, "Unhandled")
        assert orjson.loads(answer.body) == {
            "errorType": "Sandbox.Timedout",
            "errorMessage": f"RequestId: {story.invocation.request_id} Error: Task timed out after 3.00 seconds",
        }
        assert story.record.note == str(TIMEOUT)

    def test_fault_of_the_platform(self) -> None:
        story = Story().call().fail(PlatformError("Client.ExecutionEnvironmentShutDown"))
        answer = story.answer()
        assert (answer.status, answer.header("x-amzn-errortype")) == (500, "ServiceException")
        assert orjson.loads(answer.body) == {"Type": "Service", "Message": "Client.ExecutionEnvironmentShutDown"}

    def test_largest(self) -> None:
        body = b"x" * MAX_BUFFERED_RESPONSE_BYTES
        assert Story().call().begin().write(body).finish().answer().body == body

    def test_a_stream_longer_than_an_answer_may_be(self) -> None:
        story = Story().call().begin(streaming=True).write(b"x" * MAX_BUFFERED_RESPONSE_BYTES, b"x")
        answer = story.answer()
        assert (answer.status, answer.header("x-amz-function-error")) == (200, "Unhandled")
        assert orjson.loads(answer.body)["errorType"] == "Function.ResponseSizeTooLarge"
        story.write(b"more").finish()
        assert story.peer.received == b""
        assert len(story.records) == 1

    def test_last_of_a_connection_says_so(self) -> None:
        story = Story().call(headers={"connection": "close"}).begin().write(b"1").finish()
        assert story.answer().header("connection") == "close"
        assert story.peer.sees_end

    def test_client_leaves_and_the_function_goes_on(self) -> None:
        story = Story().call().begin().write(b"1")
        story.peer.hang_up()
        assert story.api.open_requests == 1
        story.write(b"2").finish()
        assert (story.record.note, story.api.open_requests) == ("client left", 0)


class TestOtherTypes:
    def test_dry_run(self) -> None:
        story = Story().call(headers={"x-amz-invocation-type": "DryRun"})
        answer = story.answer()
        assert (answer.status, answer.header("content-length"), answer.body) == (204, None, b"")
        assert story.target.taken == []
        assert (story.record.status, story.record.note) == (204, "")

    @pytest.mark.parametrize("path", ["/2014-11-13/functions/app/invoke-async/", INVOKE])
    def test_event(self, path: str) -> None:
        events = Events()
        context = base64.b64encode(b'{"k":1}').decode()
        headers = {"x-amz-client-context": context, "x-amz-invocation-type": "Event", "x-amzn-trace-id": "Root=1-a-b"}
        answer = Story(events=events).call(path, b'{"a":1}', headers).answer()
        assert (answer.status, answer.body) == (202, b"")
        request_id = answer.header("x-amzn-requestid")
        assert events.accepted == [(b'{"a":1}', '{"k":1}', "Root=1-a-b", request_id)]

    def test_event_over_1_mb(self) -> None:
        events = Events()
        headers = {"x-amz-invocation-type": "Event"}
        answer = Story(events=events).call(body=b'"%b"' % (b"x" * 1_048_575), headers=headers).answer()
        assert (answer.status, answer.header("x-amzn-errortype")) == (413, "RequestTooLargeException")
        assert events.accepted == []

    def test_event_without_room(self) -> None:
        story = Story(events=Events(room=0)).call(headers={"x-amz-invocation-type": "Event"})
        assert story.answer().status == 429
        assert story.record.note == "the queue of events is full"

    def test_event_where_none_are_taken(self) -> None:
        answer = Story().call(headers={"x-amz-invocation-type": "Event"}).answer()
        assert (answer.status, answer.header("x-amzn-errortype")) == (500, "ServiceException")


class TestTail:
    def story(self) -> tuple[Story, DeferringClock]:
        clock = DeferringClock()
        return Story(clock).call(headers={"x-amz-log-type": "Tail"}), clock

    def test_waits_for_what_was_written_before_the_end(self) -> None:
        story, clock = self.story()
        request_id = story.invocation.request_id
        story.api.log_tails.add("function", "early", request_id)
        story.begin().write(b"1").finish()
        clock.soon.pop(0)()
        assert story.peer.received == b""
        story.api.log_tails.add("function", "late", request_id)
        clock.run_soon()
        answer = story.answer()
        assert base64.b64decode(answer.header("x-amz-log-result") or "") == b"early\nlate\n"
        assert not story.api.log_tails

    def test_of_an_error(self) -> None:
        story, clock = self.story()
        story.api.log_tails.add("function", "oops", story.invocation.request_id)
        story.fail(TIMEOUT)
        clock.run_soon()
        answer = story.answer()
        assert answer.header("x-amz-function-error") == "Unhandled"
        assert base64.b64decode(answer.header("x-amz-log-result") or "") == b"oops\n"

    def test_client_leaves_meanwhile(self) -> None:
        story, clock = self.story()
        story.begin().write(b"1").finish()
        story.peer.hang_up()
        clock.run_soon()
        assert (story.record.note, story.api.open_requests) == ("client left", 0)
        assert not story.api.log_tails

    def test_a_refused_request_is_not_followed(self) -> None:
        story = Story()
        story.target.free_slots = 0
        assert story.call(headers={"x-amz-log-type": "Tail"}).answer().status == 429
        assert not story.api.log_tails

    def test_a_fault_of_the_platform_ends_it(self) -> None:
        story, _ = self.story()
        story.fail(PlatformError("Runtime.Unknown"))
        assert story.answer().status == 500
        assert not story.api.log_tails
