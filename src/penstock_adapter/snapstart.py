"""The way through a SnapStart snapshot: a hook of the app, the snapshot, another hook, and the app must be ready again.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-custom.html is the order and the Runtime API's
part; that the hooks are POSTs to the app is LWA's (https://github.com/aws/aws-lambda-web-adapter/pull/837).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

from penstock_adapter.endpoint import Endpoint
from penstock_adapter.init_error import InitError
from penstock_adapter.options import Options

# As LWA has it (src/snapstart.rs).
HOOK_LIMIT_S: Final = 60.0
# The names in AWS's own Python client: https://github.com/aws/aws-lambda-python-runtime-interface-client
BEFORE_SNAPSHOT: Final = "Runtime.BeforeSnapshotError"
AFTER_RESTORE: Final = "Runtime.AfterRestoreError"
NOT_RESTORED: Final = "Runtime.LambdaRuntimeClientError"

_RESTORE_NEXT: Final = "/2018-06-01/runtime/restore/next"

Post = Callable[[str], Awaitable[int]]
"""Sends an empty POST to a path of the app; the status of its answer. Raises HookError."""


class HookError(Exception):
    """The app gave no answer to a hook. `stack` holds lines of a traceback, where it runs in this process."""

    def __init__(self, message: str, stack: list[str] | None = None) -> None:
        super().__init__(message)
        self.stack = stack or []


class RestoreError(InitError):
    """The environment was restored, and cannot be used."""

    reported_to: ClassVar[str] = "restore/error"


async def pass_snapshot(options: Options, post: Post, ready: Callable[[], Awaitable[None]]) -> None:
    """Returns in an environment that was restored, with an app for which `ready` has returned. To be called when the
    app is ready and nothing is connected that would not outlive a snapshot.

    Raises InitError before the snapshot and RestoreError after it. `ready` raises TimeoutError.
    """
    hooks = options.hooks
    try:
        await _call(post, hooks.before_checkpoint)
    except HookError as error:
        raise InitError(BEFORE_SNAPSHOT, str(error), error.stack) from error
    await _until_restored(options.runtime_api)
    try:
        await _call(post, hooks.after_restore)
    except HookError as error:
        raise RestoreError(AFTER_RESTORE, str(error), error.stack) from error
    try:
        await ready()
    except TimeoutError:
        limit = options.readiness.timeout_s
        raise RestoreError(AFTER_RESTORE, f"the restored app was not ready within {limit} seconds") from None


async def _call(post: Post, path: str) -> None:
    if not path:
        return
    try:
        async with asyncio.timeout(HOOK_LIMIT_S):
            status = await post(path)
    except HookError as error:
        raise HookError(f"the SnapStart hook POST {path} failed: {error}", error.stack) from error
    except TimeoutError:
        raise HookError(f"the SnapStart hook POST {path} took more than {HOOK_LIMIT_S:g} seconds") from None
    if not 200 <= status < 300:
        raise HookError(f"the SnapStart hook POST {path} answered {status}: expected 200 to 299")


async def _until_restored(api: Endpoint) -> None:
    """The snapshot is taken while this request waits. It has no limit: it may be restored days later."""
    try:
        reader, writer = await asyncio.open_connection(api.host, api.port)
        try:
            writer.write(f"GET {api.base}{_RESTORE_NEXT} HTTP/1.1\r\nhost: {api.netloc}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
        finally:
            writer.transport.abort()
    except OSError as error:
        raise InitError(NOT_RESTORED, f"the Runtime API at {api.netloc} failed at restore/next: {error}") from error
    except asyncio.IncompleteReadError:
        raise InitError(NOT_RESTORED, f"the Runtime API at {api.netloc} hung up on restore/next") from None
    except asyncio.LimitOverrunError:
        raise InitError(NOT_RESTORED, "the Runtime API answered restore/next with a head without end") from None
    status_line = head.partition(b"\r\n")[0].decode("latin-1")
    if status_line.split(" ")[1:2] != ["200"]:
        raise InitError(NOT_RESTORED, f"the Runtime API answered restore/next with {status_line[:100]!r}")
