"""AuthType AWS_IAM: who signed a request, for its event, or the refusal.

https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
"""

from typing import Final

import orjson

from penstock.function_url.event import Caller
from penstock.function_url.refusals import Refusal
from penstock.wire.http_messages import Headers
from penstock.wire.sigv4 import SignatureError, Verifier

# The one body that is a Function URL's own, for a request without a signature
# (observed: https://github.com/awsdocs/aws-lambda-developer-guide/issues/494).
_FORBIDDEN: Final = orjson.dumps(
    {
        "Message": "Forbidden. For troubleshooting Function URL authorization issues, "
        "see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
    }
)
_UNSIGNED: Final = Refusal(403, _FORBIDDEN, "the request is not signed", "AccessDeniedException")
# AuthType NONE asks for a resource policy that lets everybody in.
NOT_PUBLIC: Final = Refusal(403, _FORBIDDEN, "no resource policy lets everybody call it", "AccessDeniedException")


def authorize(
    verifier: Verifier, *, method: bytes, target: bytes, headers: Headers, body: bytes, now: float
) -> Caller | Refusal:
    """The caller whose key signed the request, or what to answer. `now` in epoch seconds."""
    try:
        key = verifier.verify(method=method, target=target, headers=headers, body=body, now=now)
    except SignatureError as error:
        return _refusal(error)
    # As observed for a user; a key file knows no organization (`principalOrgId` is empty outside of one: assumed).
    return Caller(
        account_id=key.account_id,
        iam={
            "accessKey": key.access_key_id,
            "accountId": key.account_id,
            "callerId": key.caller_id,
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": key.user_arn,
            "userId": key.caller_id,
        },
    )


def _refusal(error: SignatureError) -> Refusal:
    """What stands before every AWS service answers with the type in a header and the text in `message`
    (observed: https://repost.aws/questions/QUPuq7VvHJRwWxVA3XJIgNKQ).
    """
    if error.error_type == "MissingAuthenticationTokenException":
        return _UNSIGNED
    note = f"{error.error_type}: {error.hint or error.message}"
    return Refusal(error.status, orjson.dumps({"message": error.message}), note, error.error_type)
