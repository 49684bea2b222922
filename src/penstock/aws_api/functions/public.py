"""Whether a resource policy lets everybody call a function by its URL. Pure.

"Starting in October 2025, new function URLs will require both lambda:InvokeFunctionUrl and lambda:InvokeFunction
permissions": https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

_NEEDED: Final = {
    "lambda:InvokeFunctionUrl": ("StringEquals", "lambda:FunctionUrlAuthType", "NONE"),
    "lambda:InvokeFunction": ("Bool", "lambda:InvokedViaFunctionUrl", "true"),
}


def is_public(statements: Iterable[Mapping[str, Any]]) -> bool:
    """Both actions are allowed to `*`, under no other condition than the one that a call by URL fulfils."""
    allowed = {statement["Action"] for statement in statements if _is_for_everybody(statement)}
    return "lambda:*" in allowed or allowed >= set(_NEEDED)


def _is_for_everybody(statement: Mapping[str, Any]) -> bool:
    if statement["Effect"] != "Allow" or statement["Principal"] != "*":
        return False
    needed = _NEEDED.get(statement["Action"])
    fulfilled = {needed[0]: {needed[1]: needed[2]}} if needed else {}
    conditions = statement.get("Condition") or {}
    return all(fulfilled.get(operator) == values for operator, values in conditions.items())
