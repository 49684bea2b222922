"""AWS's own test suite: requests with the signatures they must have.

The suite of 2015 as it is kept in https://github.com/bazelbuild/bazel/tree/master/third_party/aws-sig-v4-test-suite and
in https://github.com/aws/aws-sdk-js-v3/blob/main/packages/signature-v4/src/suite.fixture.ts; `unnormalized` and `query`
ones from https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite/v4.
Left out is `get-header-value-multiline`: a folded header line is refused before anybody looks at its signature.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import pytest

from penstock.wire.sigv4 import SignatureError, Verifier
from support.signing import KEY, Request, verify

NOW: Final = datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp()
HOST: Final = ("host", "example.amazonaws.com")
DATE: Final = ("x-amz-date", "20150830T123600Z")
UNRESERVED: Final = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TOKEN: Final = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthA"
    "x7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY"
    "9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)
SHORT_TOKEN: Final = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
FORM: Final = "application/x-www-form-urlencoded"
EMPTY_HASH: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

# name: method and target, signature
VECTORS: Final = {
    "get-header-key-duplicate": ("GET /", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
    "get-header-value-order": ("GET /", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
    "get-header-value-trim": ("GET /", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    "get-unreserved": (f"GET /{UNRESERVED}", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
    "get-utf8": ("GET /ሴ", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    "get-vanilla": ("GET /", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-vanilla-empty-query-key": (
        "GET /?Param1=value1",
        "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    ),
    "get-vanilla-query": ("GET /?", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-vanilla-query-order-key": (
        "GET /?Param1=value2&Param1=Value1",
        "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1",
    ),
    "get-vanilla-query-order-key-case": (
        "GET /?Param2=value2&Param1=value1",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "get-vanilla-query-order-value": (
        "GET /?Param1=value2&Param1=value1",
        "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
    ),
    "get-vanilla-query-order-encoded": (
        "GET /?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    ),
    "get-vanilla-query-unreserved": (
        f"GET /?{UNRESERVED}={UNRESERVED}",
        "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    ),
    "get-vanilla-utf8-query": ("GET /?ሴ=bar", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    "get-relative": ("GET /example/..", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-relative-relative": (
        "GET /example1/example2/../..",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "get-relative-relative-unnormalized": (
        "GET /example1/example2/../..",
        "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b",
    ),
    "get-slash": ("GET //", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-slash-dot-slash": ("GET /./", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-slash-pointless-dot": ("GET /./example", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
    "get-slashes": ("GET //example//", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
    "get-slashes-unnormalized": ("GET //example//", "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"),
    "get-space": ("GET /example space/", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
    "post-header-key-sort": ("POST /", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
    "post-header-value-case": ("POST /", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
    "post-vanilla": ("POST /", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    "post-vanilla-empty-query-value": (
        "POST /?Param1=value1",
        "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
    ),
    "post-x-www-form-urlencoded": ("POST /", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    "post-x-www-form-urlencoded-parameters": (
        "POST /",
        "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
    ),
    "post-sts-header-before": ("POST /", "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"),
    "post-sts-header-after": ("POST /", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    "get-vanilla-with-session-token": ("GET /", "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"),
}
# What a request has beside host and date; all of it is signed, but for what UNSIGNED names.
HEADERS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "get-header-key-duplicate": (("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1")),
    "get-header-value-order": tuple(("my-header1", f"value{number}") for number in (4, 1, 3, 2)),
    "get-header-value-trim": (("my-header1", " value1"), ("my-header2", ' "a   b   c"')),
    "get-space": (("x-amz-content-sha256", EMPTY_HASH),),
    "post-header-key-sort": (("my-header1", "value1"),),
    "post-header-value-case": (("my-header1", "VALUE1"),),
    "post-x-www-form-urlencoded": (("content-type", FORM),),
    "post-x-www-form-urlencoded-parameters": (("content-type", f"{FORM}; charset=utf8"),),
    "post-sts-header-before": (("x-amz-security-token", TOKEN),),
    "post-sts-header-after": (("x-amz-security-token", TOKEN),),
    "get-vanilla-with-session-token": (("x-amz-security-token", SHORT_TOKEN),),
}
UNSIGNED: Final = {"get-space": "x-amz-content-sha256", "post-sts-header-after": "x-amz-security-token"}
PRESIGNED: Final = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request"
    "&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600"
)
# name: target, session token
QUERY_VECTORS: Final[dict[str, tuple[str, str | None]]] = {
    "get-vanilla-utf8-query": (
        f"/?ሴ=bar&{PRESIGNED}&X-Amz-Signature=0bdd809b1519ac4f0c1dc3540e2cc46bd0c7f778eda408b2ebf3b913d21ff600",
        None,
    ),
    "get-vanilla-with-session-token": (
        f"/?{PRESIGNED}&X-Amz-Security-Token={SHORT_TOKEN}"
        "&X-Amz-Signature=7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c",
        SHORT_TOKEN,
    ),
}


def request_of(name: str) -> Request:
    line, signature = VECTORS[name]
    method, _, target = line.partition(" ")
    headers = (HOST, DATE, *HEADERS.get(name, ()))
    signed = ";".join(sorted({header for header, _ in headers} - {UNSIGNED.get(name)}))
    authorization = (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={signed}, Signature={signature}"
    )
    body = b"Param1=value1" if name.startswith("post-x-www") else b""
    return Request(method, target, (*headers, ("authorization", authorization)), body)


def verifier(token: str | None) -> Verifier:
    key = replace(KEY, session_token=token)
    return Verifier({key.access_key_id: key}, service="service", region="us-east-1")


def token_of(name: str) -> str | None:
    return dict(request_of(name).headers).get("x-amz-security-token")


@pytest.mark.parametrize("name", VECTORS)
def test_signature_in_the_header(name: str) -> None:
    assert verify(request_of(name), now=NOW, verifier=verifier(token_of(name))).user == "default"


@pytest.mark.parametrize("name", VECTORS)
def test_another_signature(name: str) -> None:
    request = request_of(name)
    last = request.authorization[-1]
    changed = request.having(("authorization", request.authorization[:-1] + ("0" if last != "0" else "1")))
    with pytest.raises(SignatureError, match="does not match"):
        verify(changed, now=NOW, verifier=verifier(token_of(name)))


@pytest.mark.parametrize("name", QUERY_VECTORS)
def test_signature_in_the_query(name: str) -> None:
    target, token = QUERY_VECTORS[name]
    # The suite's requests carry a date header that is not signed.
    verify(Request("GET", target, (HOST, DATE)), now=NOW + 3599, verifier=verifier(token))
    with pytest.raises(SignatureError, match="Signature expired"):
        verify(Request("GET", target, (HOST, DATE)), now=NOW + 3601, verifier=verifier(token))
