"""Which environment takes an invocation."""

from penstock.router.router import Router

__all__ = ["Router"]
