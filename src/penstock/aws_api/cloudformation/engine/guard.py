"""Handlers may trip over an answer they did not expect: that fails the resource, not the operation."""

import logging
from collections.abc import Awaitable
from typing import Final, TypeVar

from penstock.aws_api.cloudformation.handlers.base import HandlerFailure, Stopped

T = TypeVar("T")
_LOG: Final = logging.getLogger(__name__)


async def guarded(act: Awaitable[T]) -> T:
    """What `act` gives. Raises HandlerFailure and Stopped, and nothing else that is an Exception."""
    try:
        return await act
    except (HandlerFailure, Stopped):
        raise
    except Exception as error:
        _LOG.exception("a resource handler failed")
        raise HandlerFailure(f"Internal Failure ({type(error).__name__})", "InternalFailure") from error
