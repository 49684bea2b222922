"""Answers of the Runtime API, status and body, as its clients know them."""

from typing import Final

OK: Final = (202, b'{"status":"OK"}\n')
INVALID_ID: Final = (400, b'{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}\n')
INVALID_MODE: Final = (
    400,
    b'{"errorMessage":"Invalid function response mode","errorType":"InvalidFunctionResponseMode"}\n',
)
TIMEOUT: Final = (410, b'{"errorMessage":"Invoke timeout","errorType":"InvokeTimeout"}\n')
TOO_LARGE: Final = (
    413,
    b'{"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}\n',
)
INTERNAL: Final = (500, b'{"errorMessage":"Internal Server Error","errorType":"InternalServerError"}\n')

ERROR_TYPE: Final = "lambda-runtime-function-error-type"
ERROR_BODY: Final = "lambda-runtime-function-error-body"
