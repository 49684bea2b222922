"""The app that `Handler: module.attribute` names.

A module path may use slashes, as in AWS's Python runtime: `folder/main.app`.
https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html#naming
"""

import importlib


class HandlerError(Exception):
    """The handler cannot be loaded. `error_type` in AWS's words; the text is one line."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


def load_handler(name: str) -> object:
    """The object `name` stands for. Raises HandlerError; what the module itself raises comes through as it is."""
    module_name, dot, attribute = name.replace("/", ".").rpartition(".")
    if not dot or not module_name or not attribute:
        raise HandlerError("Runtime.MalformedHandlerName", f"Bad handler '{name}': expected module.app, as in main.app")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise HandlerError(
                "Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}"
            ) from error
        raise
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise HandlerError(
            "Runtime.HandlerNotFound", f"Handler '{attribute}' missing on module '{module_name}'"
        ) from None
