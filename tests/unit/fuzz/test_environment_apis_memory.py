"""Nothing grows with the number of requests, however they end."""

import gc
from collections.abc import Callable

import orjson
import pytest

from penstock.model.limits import MAX_TIMED_OUT_IDS
from support.apis_rig import ApisRig
from support.runtime_rig import INVOCATION, chunks, request
from support.transport import Peer

NEXT = request("GET", f"{INVOCATION}next")
STREAMED = {"transfer-encoding": "chunked", "lambda-runtime-function-response-mode": "streaming"}


def answered(rig: ApisRig, worker: Peer, request_id: str) -> None:
    worker.send(request("POST", f"{INVOCATION}{request_id}/response", STREAMED) + chunks(b"x"))


def failed(rig: ApisRig, worker: Peer, request_id: str) -> None:
    worker.send(request("POST", f"{INVOCATION}{request_id}/error", {}, b"{}"))


def timed_out(rig: ApisRig, worker: Peer, request_id: str) -> None:
    rig.clock.advance(5)


def overtaken(rig: ApisRig, worker: Peer, request_id: str) -> None:
    worker.send(request("POST", f"{INVOCATION}{request_id}/response", STREAMED) + chunks(b"x", end=False))
    rig.clock.advance(5)
    worker.send(chunks(b"late"))


def broken_off(rig: ApisRig, worker: Peer, request_id: str) -> None:
    worker.send(request("POST", f"{INVOCATION}{request_id}/response", STREAMED) + chunks(b"x", end=False))
    worker.hang_up()


def refused(rig: ApisRig, worker: Peer, request_id: str) -> None:
    worker.send(request("POST", f"{INVOCATION}nobody/response", {}, b"{}"))
    worker.send(request("POST", "/2018-06-01/runtime/init/error", {}, b"{}"))
    body = orjson.dumps({"events": [request_id]})
    worker.send(request("POST", "/2020-01-01/extension/register", {"lambda-extension-name": request_id}, body))
    worker.send(request("PUT", "/2022-07-01/telemetry", {"lambda-extension-identifier": request_id}, b"{}"))
    answered(rig, worker, request_id)


def nonsense(rig: ApisRig, worker: Peer, request_id: str) -> None:
    worker.send(b"\0\0")
    rig.clock.advance(5)


ENDS = [answered, failed, timed_out, overtaken, broken_off, refused, nonsense]


@pytest.mark.parametrize("end", ENDS)
async def test_after_many_requests_there_is_no_more_than_after_some(
    end: Callable[[ApisRig, Peer, str], None],
) -> None:
    rig = ApisRig()
    rig.apis.telemetry.close_subscriptions()
    worker = rig.connect()

    def serve(first: int, count: int) -> None:
        nonlocal worker
        for number in range(first, first + count):
            if worker.transport.lost or worker.sees_end:
                worker.hang_up()
                rig.peers.clear()
                worker = rig.connect()
            worker.send(NEXT)
            assert rig.invoke(f"r{number}")
            rig.clock.run_soon()
            end(rig, worker, f"r{number}")
            assert not rig.apis.runtime.running
            worker.take()
        rig.clock.advance(10)  # it keeps cancelled timers until they were due
        rig.started.clear()
        rig.ended.clear()

    serve(0, MAX_TIMED_OUT_IDS + 100)
    before = _count()
    serve(MAX_TIMED_OUT_IDS + 100, 1000)
    assert _count() - before < 50
    worker.hang_up()
    assert not rig.connections
    await rig.apis.close()


def _count() -> int:
    gc.collect()
    return len(gc.get_objects())
