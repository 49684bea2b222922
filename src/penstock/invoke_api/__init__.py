"""The Invoke operations of the Lambda API, before every function."""

from penstock.invoke_api.directory import Directory, EventInvoker, Invocable
from penstock.invoke_api.door import InvokeApi

__all__ = ["Directory", "EventInvoker", "Invocable", "InvokeApi"]
