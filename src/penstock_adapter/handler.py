"""The app that `Handler: module.attribute` names.

A module path may use slashes, as in AWS's Python runtime: `folder/main.app`. Its error types and messages are those of
https://github.com/aws/aws-lambda-python-runtime-interface-client (awslambdaric/bootstrap.py).
https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html#naming
"""

import importlib
import sys
from types import ModuleType

from penstock_adapter.init_error import InitError, stack_of


class HandlerError(InitError):
    """The handler cannot be loaded."""


def load_handler(name: str) -> object:
    """The object `name` stands for. Raises HandlerError, whatever the module itself raises."""
    module_name, dot, attribute = name.rpartition(".")
    if not dot or not module_name.strip("./") or not attribute:
        raise HandlerError("Runtime.MalformedHandlerName", f"Bad handler '{name}': expected module.app, as in main.app")
    if module_name.partition(".")[0] in sys.builtin_module_names:
        raise HandlerError(
            "Runtime.BuiltInModuleConflict", f"Cannot use built-in module {module_name} as a handler module"
        )
    module = _import(module_name)
    try:
        found: object = getattr(module, attribute)
    except AttributeError:
        raise HandlerError(
            "Runtime.HandlerNotFound", f"Handler '{attribute}' missing on module '{module_name}'"
        ) from None
    if not callable(found):
        kind = type(found).__name__
        raise HandlerError("Runtime.HandlerNotFound", f"Handler '{name}' is no app: it is a {kind} and not callable")
    return found


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name.replace("/", "."))
    except ImportError as error:
        message = f"Unable to import module '{name}': {error}"
        raise HandlerError("Runtime.ImportModuleError", message, stack_of(error)) from error
    except SyntaxError as error:
        place = [f'  File "{error.filename}" Line {error.lineno}\n    {(error.text or "").strip()}\n']
        message = f"Syntax error in module '{name}': {error}"
        raise HandlerError("Runtime.UserCodeSyntaxError", message, place) from error
    except SystemExit as error:
        message = f"module '{name}' ended the process while it was imported: SystemExit({error.code})"
        raise HandlerError("Runtime.ExitError", message, stack_of(error)) from error
    except Exception as error:
        raise HandlerError(type(error).__name__, str(error), stack_of(error)) from error
