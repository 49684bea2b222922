"""What an exception that leaves the app means. Pure."""

import asyncio


class ClientGoneError(OSError):
    """What `send` raises when nobody takes the rest of the answer, as the standard asks since its version 2.4."""


def exit_code(error: BaseException) -> int:
    """The code a process ends with for an exception that ends it: https://docs.python.org/3/library/sys.html#sys.exit"""
    code = error.code if isinstance(error, SystemExit) else 1
    return code if isinstance(code, int) else int(code is not None)


def tells_of_disconnect(error: BaseException) -> bool:
    """Whether it comes of ours: frameworks wrap it, or raise their own in its place."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ClientGoneError | asyncio.CancelledError):
            return True
        if isinstance(seen, BaseExceptionGroup) and all(tells_of_disconnect(part) for part in seen.exceptions):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
