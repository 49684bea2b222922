"""A scripted Runtime API of an environment with SnapStart, and the variables it is told by.

async with SnapStartServer() as server:
    await within(server.snapshot_asked.wait())   # what is before the snapshot is done
    server.restore()
"""

import asyncio

import orjson

from support.runtime_server import RuntimeServer, answer

_RESTORE = "/2018-06-01/runtime/restore/"
SNAP_START = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
BEFORE = {"AWS_LWA_SNAPSTART_BEFORE_CHECKPOINT_PATH": "/snapstart/before"}
AFTER = {"AWS_LWA_SNAPSTART_AFTER_RESTORE_PATH": "/snapstart/after"}


class SnapStartServer(RuntimeServer):
    """Holds `restore/next` until `restore`."""

    def __init__(self) -> None:
        super().__init__()
        self.snapshot_asked = asyncio.Event()
        self.snapshots = 0
        self.restore_errors: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
        self._restored: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def restore(self, status: int = 200) -> None:
        self._restored.set_result(status)

    async def serve_other(
        self, path: str, headers: dict[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if path == f"{_RESTORE}next":
            self.snapshots += 1
            self.snapshot_asked.set()
            writer.write(answer(await asyncio.shield(self._restored), b""))
        elif path == f"{_RESTORE}error":
            self.restore_errors.put_nowait((headers, await reader.readexactly(int(headers["content-length"]))))
            writer.write(answer(202, b'{"status":"OK"}\n'))
        else:
            await super().serve_other(path, headers, reader, writer)


def told(report: tuple[dict[str, str], bytes]) -> tuple[str, str]:
    """Error type and message of an error that was reported, the type being the same in both places."""
    headers, body = report
    fields = orjson.loads(body)
    assert headers["lambda-runtime-function-error-type"] == fields["errorType"]
    return fields["errorType"], fields["errorMessage"]
