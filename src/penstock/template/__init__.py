"""SAM template to model: reading, transforming, resolving and checking."""

from penstock.template.stack import Stack, load_stack

__all__ = ["Stack", "load_stack"]
