"""Invoke as boto3 calls it, over sockets, with a runtime played by the test."""

import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from botocore.exceptions import ClientError

from penstock.model.errors import PlatformError
from penstock.wire.sigv4 import Key, Verifier
from support.invoke_rig import InvokeRig
from support.invoke_story import ACCOUNT, ARN, REGION
from support.runtime_rig import INVOCATION, request
from support.streams import within
from support.url_rig import until


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[InvokeRig]:
    async with InvokeRig(tmp_path) as rig:
        yield rig


async def refusal(rig: InvokeRig, **parameters: Any) -> ClientError:
    with pytest.raises(ClientError) as refused:
        await within(rig.invoke(**{"FunctionName": "app", **parameters}))
    return refused.value


def told(error: ClientError) -> tuple[str | None, int | None]:
    """Code and status."""
    return error.response.get("Error", {}).get("Code"), error.response["ResponseMetadata"]["HTTPStatusCode"]


class TestSynchronous:
    async def test_payload_there_and_back(self, rig: InvokeRig) -> None:
        worker = await rig.worker()
        calling = rig.invoke(FunctionName="app", Payload=b'{"n": 1}', Qualifier="live")
        request_id = await worker.next()
        assert worker.event == {"n": 1}
        assert await worker.respond(request_id, b'{"m":2}') == 202
        invoked = await within(calling)
        assert invoked.answer["StatusCode"] == 200
        assert invoked.payload == b'{"m":2}'
        assert invoked.answer["ExecutedVersion"] == "1"
        assert invoked.answer.keys().isdisjoint({"FunctionError", "LogResult"})
        assert invoked.answer["ResponseMetadata"]["RequestId"] == request_id
        assert invoked.answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-trace-id"].startswith("Root=1-")

    async def test_what_the_runtime_hears(self, rig: InvokeRig) -> None:
        worker = await rig.worker()
        context = base64.b64encode('{\n "custom": {"name": "é"}}'.encode()).decode()
        calling = rig.invoke(FunctionName=ARN, Qualifier="1", ClientContext=context)
        answer = await worker.line.answer()
        assert answer.body == b"{}"
        assert answer.header("lambda-runtime-invoked-function-arn") == f"{ARN}:1"
        assert orjson.loads(answer.header("lambda-runtime-client-context") or "") == {"custom": {"name": "é"}}
        assert answer.header("lambda-runtime-deadline-ms") == "1700000003000"
        await worker.respond(answer.header("lambda-runtime-aws-request-id") or "", b"null")
        await within(calling)

    @pytest.mark.parametrize(
        "name",
        [
            "app",
            "app:live",
            "app:$LATEST.PUBLISHED",
            "123456789012:function:app",
            "123456789012:function:app:1",
            ARN,
            f"{ARN}:live",
            f"{ARN}:1",
        ],
    )
    async def test_every_name(self, rig: InvokeRig, name: str) -> None:
        worker = await rig.worker()
        calling = rig.invoke(FunctionName=name)
        await worker.respond(await worker.next(), b"{}")
        assert (await within(calling)).answer["StatusCode"] == 200

    async def test_function_error(self, rig: InvokeRig) -> None:
        worker = await rig.worker()
        calling = rig.invoke(FunctionName="app")
        posted = b'{"errorMessage": "no", "errorType": "ValueError", "stackTrace": []}'
        await worker.error(await worker.next(), posted)
        invoked = await within(calling)
        assert (invoked.answer["StatusCode"], invoked.answer["FunctionError"]) == (200, "Unhandled")
        assert invoked.payload == posted

    async def test_timeout(self, rig: InvokeRig) -> None:
        worker = await rig.worker()
        calling = rig.invoke(FunctionName="app")
        request_id = await worker.next()
        rig.clock.advance(3)
        invoked = await within(calling)
        assert invoked.answer["FunctionError"] == "Unhandled"
        assert orjson.loads(invoked.payload) == {
            "errorType": "Sandbox.Timedout",
            "errorMessage": f"RequestId: {request_id} Error: Task timed out after 3.00 seconds",
        }

    async def test_streaming_function(self, rig: InvokeRig) -> None:
        worker = await rig.worker()
        calling = rig.invoke(FunctionName="app")
        stream = worker.stream(await worker.next()).send(b"one ").send(b"two")
        assert await stream.end() == 202
        assert (await within(calling)).payload == b"one two"

    async def test_6_mb_each_way(self, rig: InvokeRig) -> None:
        worker = await rig.worker()
        payload = b'"%b"' % (b"x" * (6 * 1024 * 1024 - 2))
        calling = rig.invoke(FunctionName="app", Payload=payload)
        request_id = await worker.next()
        assert len(worker.event) == 6 * 1024 * 1024 - 2
        await worker.respond(request_id, payload)
        assert (await within(calling)).payload == payload

    async def test_dry_run(self, rig: InvokeRig) -> None:
        invoked = await within(rig.invoke(FunctionName="app", InvocationType="DryRun"))
        assert (invoked.answer["StatusCode"], invoked.payload) == (204, b"")

    async def test_event(self, rig: InvokeRig) -> None:
        calling = rig.invoke(FunctionName="app", InvocationType="Event", Payload=b'{"n":1}')
        invoked = await within(calling)
        assert (invoked.answer["StatusCode"], invoked.payload) == (202, b"")
        [(payload, _, _, request_id)] = rig.events.accepted
        assert (payload, request_id) == (b'{"n":1}', invoked.answer["ResponseMetadata"]["RequestId"])

    async def test_invoke_async(self, rig: InvokeRig) -> None:
        answer = await within(rig.call(rig.client.invoke_async, FunctionName="app", InvokeArgs=b'{"n":2}'))
        assert answer["Status"] == 202
        assert rig.events.accepted[0][0] == b'{"n":2}'


class TestErrors:
    @pytest.mark.parametrize(
        ("parameters", "code", "status"),
        [
            ({"FunctionName": "none"}, "ResourceNotFoundException", 404),
            ({"Qualifier": "9"}, "ResourceNotFoundException", 404),
            ({"FunctionName": ARN.replace("us-east-1", "eu-west-1")}, "ResourceNotFoundException", 404),
            ({"FunctionName": "999999999999:function:app"}, "AccessDeniedException", 403),
            ({"FunctionName": "app:live", "Qualifier": "1"}, "InvalidParameterValueException", 400),
            ({"TenantId": "blue"}, "InvalidParameterValueException", 400),
            ({"Payload": b"nope"}, "InvalidRequestContentException", 400),
            ({"ClientContext": "?"}, "InvalidRequestContentException", 400),
            ({"FunctionName": "a b"}, "ValidationException", 400),
            ({"Qualifier": "a b"}, "ValidationException", 400),
            ({"InvocationType": "Sync"}, "ValidationException", 400),
            ({"LogType": "All"}, "ValidationException", 400),
            ({"Payload": b'"%b"' % (b"x" * 6 * 1024 * 1024)}, "RequestTooLargeException", 413),
            ({"Payload": b'"%b"' % (b"x" * 1024 * 1024), "InvocationType": "Event"}, "RequestTooLargeException", 413),
            ({}, "TooManyRequestsException", 429),
        ],
    )
    async def test_as_botocore_reads_them(
        self, rig: InvokeRig, parameters: dict[str, Any], code: str, status: int
    ) -> None:
        error = await refusal(rig, **parameters)
        assert told(error) == (code, status)
        assert error.response.get("Error", {}).get("Message")
        record = await rig.over()
        assert (record.status, record.request_id) == (status, error.response["ResponseMetadata"]["RequestId"])

    async def test_have_classes_of_their_own(self, rig: InvokeRig) -> None:
        throttled = await refusal(rig)
        assert isinstance(throttled, rig.client.exceptions.TooManyRequestsException)
        assert throttled.response.get("Reason") == "ConcurrentInvocationLimitExceeded"
        assert throttled.response.get("retryAfterSeconds") == "1"
        missing = await refusal(rig, FunctionName="none")
        assert isinstance(missing, rig.client.exceptions.ResourceNotFoundException)
        assert f"Function not found: {ARN.replace('app', 'none')}" in str(missing)

    async def test_fault_of_the_platform(self, rig: InvokeRig) -> None:
        worker = await rig.worker()
        calling = rig.invoke(FunctionName="app")
        await worker.next()
        rig.only.die(PlatformError("Client.ExecutionEnvironmentShutDown"))
        with pytest.raises(rig.client.exceptions.ServiceException, match="ShutDown") as failed:
            await within(calling)
        assert told(failed.value) == ("ServiceException", 500)


class TestSignature:
    @pytest.mark.parametrize("name", ["app", f"{ARN}:live"])
    async def test_of_a_known_key(self, tmp_path: Path, name: str) -> None:
        async with InvokeRig(tmp_path, verifier=verifier("secret"), epoch=time.time()) as rig:
            worker = await rig.worker()
            calling = rig.invoke(FunctionName=name, Payload=b'{"n":1}', LogType="Tail")
            await worker.respond(await worker.next(), b"{}")
            assert (await within(calling)).payload == b"{}"

    async def test_with_another_secret(self, tmp_path: Path) -> None:
        """Nothing is told of the function, not even that there is none."""
        async with InvokeRig(tmp_path, verifier=verifier("other"), epoch=time.time()) as rig:
            worker = await rig.worker()
            for name in ("app", "none"):
                assert told(await refusal(rig, FunctionName=name)) == ("InvalidSignatureException", 403)
            assert rig.only.free_slots == 1
            worker.line.hang_up()


def verifier(secret: str) -> Verifier:
    key = Key(access_key_id="AKIDEXAMPLE", secret_access_key=secret, account_id=ACCOUNT, user="developer")
    return Verifier({key.access_key_id: key}, service="lambda", region=REGION)


class TestTail:
    async def test_holds_what_was_written_before_the_end(self, rig: InvokeRig) -> None:
        """The last line is in the pipe when the answer is complete, and not read yet."""
        worker = await rig.worker()
        calling = rig.invoke(FunctionName="app", LogType="Tail")
        request_id = await worker.next()
        rig.only.say(f"{request_id} hello")
        rig.only.say(f"{request_id} " + "x" * 9_000)
        rig.only.say(f"{request_id} good-bye")
        await worker.respond(request_id, b"{}")
        invoked = await within(calling)
        log = base64.b64decode(invoked.answer["LogResult"])
        assert len(log) == 4_096
        *_, said, end, report = log.decode().splitlines()
        assert said == f"{request_id} good-bye"
        assert end == f"END RequestId: {request_id}"
        assert report.startswith(f"REPORT RequestId: {request_id}\tDuration: ")
        assert not rig.api.log_tails

    async def test_of_a_timeout(self, rig: InvokeRig) -> None:
        worker = await rig.worker()
        calling = rig.invoke(FunctionName="app", LogType="Tail")
        request_id = await worker.next()
        rig.clock.advance(3)
        log = base64.b64decode((await within(calling)).answer["LogResult"]).decode()
        assert log.splitlines() == [
            f"START RequestId: {request_id} Version: 1",
            f"END RequestId: {request_id}",
            f"REPORT RequestId: {request_id}\tDuration: 3000.00 ms\tStatus: timeout\tError Type: Sandbox.Timedout\t",
        ]


class TestClientsThatLeave:
    async def test_the_function_goes_on(self, rig: InvokeRig) -> None:
        worker, client = await rig.worker(), await rig.line()
        client.send(request("POST", "/2015-03-31/functions/app/invocations", {}, b"{}"))
        request_id = await worker.next()
        client.hang_up()
        await until(lambda: not rig.connections)
        assert await worker.respond(request_id, b"{}") == 202
        assert (await rig.over()).note == "client left"
        assert rig.only.ended == ["success"]

    async def test_or_is_told_when_that_was_asked_for(self, tmp_path: Path) -> None:
        async with InvokeRig(tmp_path, cancel_on_disconnect=True) as rig:
            worker, client = await rig.worker(), await rig.line()
            client.send(request("POST", "/2015-03-31/functions/app/invocations", {}, b"{}"))
            request_id = await worker.next()
            client.hang_up()
            await until(lambda: rig.only.ended == ["failure"])
            worker.line.send(request("POST", f"{INVOCATION}{request_id}/response", {}, b"{}"))
            assert (await worker.line.answer()).status == 400
            assert not rig.api.open_requests
