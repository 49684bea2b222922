"""A request that cannot be read; each protocol has words of its own for it."""

from typing import Final

# S3's words: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
BAD_URI: Final = "Couldn't parse the specified URI."


class UnreadableError(Exception):
    """`parameter` is what cannot be read, by its name on the wire; empty when it is the body as a whole."""

    def __init__(self, message: str, parameter: str = "", value: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.parameter = parameter
        self.value = value
