"""A request that is refused, in the words of the Lambda API."""


class RefusalError(Exception):
    """`status` is HTTP's, `error_type` one of the API's exceptions, `reason` TooManyRequestsException's."""

    def __init__(self, status: int, error_type: str, message: str, *, reason: str = "") -> None:
        super().__init__(f"{error_type}: {message}")
        self.status = status
        self.error_type = error_type
        self.message = message
        self.reason = reason


def validation_error(member: str, value: str, constraint: str) -> RefusalError:
    """A parameter outside its model, as the service's own checks word it: `member` begins with a small letter there.

    https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html
    """
    text = f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    return RefusalError(400, "ValidationException", text)
