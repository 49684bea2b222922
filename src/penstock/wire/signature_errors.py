"""Why a signature is not accepted, in AWS's words.

Everything is 403, as Lambda's API says it: https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html and, for
InvalidSignatureException, https://github.com/serverless/serverless/issues/27. The texts are those of
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html, and where that page is silent
those seen from other services that share the check: https://github.com/architect/dynalite/blob/main/index.js.
"""

from typing import Final

from penstock.model.errors import PenstockError

_MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


class SignatureError(PenstockError):
    """A request that is not signed as it must be.

    `error_type` and `message` are for the caller. `hint` may say more to the developer of the caller, in the log: AWS
    has one text for every mismatch. No secret is in any of them.
    """

    def __init__(self, error_type: str, message: str, *, status: int = 403, hint: str = "") -> None:
        super().__init__(f"{error_type}: {message}")
        self.error_type = error_type
        self.message = message
        self.status = status
        self.hint = hint


def missing() -> SignatureError:
    """The request is not signed at all."""
    return SignatureError("MissingAuthenticationTokenException", "Missing Authentication Token")


def incomplete(message: str) -> SignatureError:
    return SignatureError("IncompleteSignatureException", message)


def invalid(message: str) -> SignatureError:
    return SignatureError("InvalidSignatureException", message)


def mismatch(hint: str = "") -> SignatureError:
    return SignatureError("InvalidSignatureException", _MISMATCH, hint=hint)


def unrecognized(hint: str) -> SignatureError:
    """An unknown key, or a session token that is not the key's: AWS tells neither apart.

    https://github.com/badslug/Paw-AWSSignature4DynamicValue/issues/5 shows type, text and status.
    """
    message = "The security token included in the request is invalid."
    return SignatureError("UnrecognizedClientException", message, hint=hint)
