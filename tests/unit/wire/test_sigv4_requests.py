"""Keys, session tokens, headers, bodies and targets of signed requests."""

import hashlib
from dataclasses import replace
from typing import Final

import pytest

from penstock.wire.sigv4 import Key, Verifier
from support.signing import KEY, MISMATCH, POST, TEMPORARY, TOKEN, Signer, refusal, verify, words

INVALID_TOKEN: Final = "The security token included in the request is invalid."
EMPTY: Final = hashlib.sha256(b"").hexdigest()
UNSIGNED: Final = ("UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")


class TestKeysAndTokens:
    def test_unknown_key(self) -> None:
        stranger = replace(KEY, access_key_id="AKIDSTRANGER")
        error = refusal(Signer(stranger).sign(POST))
        assert (error.error_type, error.message) == ("UnrecognizedClientException", INVALID_TOKEN)
        assert "AKIDSTRANGER" in error.hint

    def test_another_secret(self) -> None:
        thief = replace(KEY, secret_access_key="guessed")
        assert words(Signer(thief).sign(POST)) == ("InvalidSignatureException", MISMATCH)

    def test_session_token(self) -> None:
        assert verify(Signer(TEMPORARY).sign(POST)) == TEMPORARY

    @pytest.mark.parametrize("token", [None, "", "other", TOKEN + "x"])
    def test_wrong_or_missing_session_token(self, token: str | None) -> None:
        assert words(Signer(replace(TEMPORARY, session_token=token)).sign(POST)) == (
            "UnrecognizedClientException",
            INVALID_TOKEN,
        )

    def test_session_token_for_a_key_without_one(self) -> None:
        error_type, message = words(Signer(replace(KEY, session_token=TOKEN)).sign(POST))
        assert (error_type, message) == ("UnrecognizedClientException", INVALID_TOKEN)

    def test_replaced_session_token(self) -> None:
        request = Signer(TEMPORARY).sign(POST).having(("x-amz-security-token", "other"))
        assert words(request) == ("InvalidSignatureException", MISMATCH)

    @pytest.mark.parametrize("late", [False, True])
    def test_presigned_with_a_session_token(self, late: bool) -> None:
        request = Signer(TEMPORARY).presign(POST, {"a": "b c"}, late_token=late)
        assert verify(request) == TEMPORARY
        forged = replace(request, target=request.target.replace("X-Amz-Security-Token=AQ", "X-Amz-Security-Token=BQ"))
        assert forged != request
        assert words(forged) == (
            ("UnrecognizedClientException", INVALID_TOKEN) if late else ("InvalidSignatureException", MISMATCH)
        )

    def test_presigned_with_the_token_in_a_header(self) -> None:
        request = Signer(replace(TEMPORARY, session_token=None)).presign(POST, {})
        assert verify(request.having(("x-amz-security-token", TOKEN))) == TEMPORARY
        assert words(request) == ("UnrecognizedClientException", INVALID_TOKEN)

    def test_secrets_stay_out_of_repr(self) -> None:
        assert TEMPORARY.secret_access_key not in repr(TEMPORARY)
        assert TOKEN not in repr(TEMPORARY)

    def test_identity(self) -> None:
        assert KEY.user_arn == "arn:aws:iam::123456789012:user/default"
        assert KEY.caller_id == replace(KEY, access_key_id="AKIDOTHER", secret_access_key="x").caller_id
        assert KEY.caller_id != TEMPORARY.caller_id
        assert len(KEY.caller_id) == 21
        assert KEY.caller_id.startswith("AIDA")


class TestHeaders:
    def test_host_must_be_signed(self) -> None:
        request = Signer(unsigned=frozenset({"host"})).sign(POST)
        assert words(request) == (
            "InvalidSignatureException",
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        )

    def test_amz_headers_must_be_signed(self) -> None:
        request = Signer().sign(POST).having(("x-amz-invocation-type", "Event"))
        assert words(request) == (
            "InvalidSignatureException",
            "'x-amz-invocation-type' must be a 'SignedHeader' in the AWS Authorization.",
        )

    @pytest.mark.parametrize("name", ["x-amzn-trace-id", "user-agent", "x-forwarded-for", "x-amz-cf-id", "connection"])
    def test_others_may_be_added_on_the_way(self, name: str) -> None:
        assert verify(Signer().sign(POST).having((name, "x"))) == KEY

    @pytest.mark.parametrize("signed", ["host;content-type;x-amz-date", "content-type;Host;host;x-amz-date"])
    def test_order_and_case(self, signed: str) -> None:
        error = refusal(Signer().sign(POST).edited("content-type;host;x-amz-date", signed))
        assert (error.message, error.hint) == (MISMATCH, "SignedHeaders must be in lower case, sorted, each once")

    def test_signed_header_that_is_not_there(self) -> None:
        error = refusal(Signer().sign(POST).without("content-type"))
        assert (error.message, error.hint) == (MISMATCH, "signed header 'content-type' is not in the request")

    def test_repeated_header_in_another_order(self) -> None:
        request = Signer().sign(replace(POST, headers=(*POST.headers, ("x-one", "1"), ("x-one", "2"))))
        assert verify(request) == KEY
        swapped = request.having(("x-one", "2"), ("x-one", "1"))
        assert words(swapped) == ("InvalidSignatureException", MISMATCH)


class TestPayload:
    def test_other_body(self) -> None:
        assert words(replace(Signer().sign(POST), body=b'{"a":2}')) == ("InvalidSignatureException", MISMATCH)

    def test_declared_hash(self) -> None:
        declared = ("x-amz-content-sha256", hashlib.sha256(POST.body).hexdigest())
        assert verify(Signer().sign(POST.having(declared))) == KEY
        assert verify(Signer().sign(POST).having(declared)) == KEY

    @pytest.mark.parametrize(
        "declared",
        ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", EMPTY],
    )
    def test_declared_hash_of_something_else(self, declared: str) -> None:
        error = refusal(Signer(payload_hash=declared).sign(POST.having(("x-amz-content-sha256", declared))))
        assert (error.error_type, error.message) == ("InvalidSignatureException", MISMATCH)
        assert declared in error.hint
        assert words(Signer(payload_hash=declared).sign(POST)) == ("InvalidSignatureException", MISMATCH)

    def test_presigned(self) -> None:
        assert verify(Signer().presign(POST, {})) == KEY
        assert words(Signer(payload_hash="UNSIGNED-PAYLOAD").presign(POST, {}))[1] == MISMATCH
        assert words(Signer(payload_hash=EMPTY).presign(POST, {}))[1] == MISMATCH


class TestTargets:
    @pytest.mark.parametrize(
        "path", ["/a//b", "/a/./b/", "/a/../b", "/%2F/%C3%A9", "/a b", "/arn:aws:lambda", "/(')*!"]
    )
    def test_signers_that_do_not_normalise(self, path: str) -> None:
        assert verify(Signer().sign(replace(POST, target=path))) == KEY

    def test_path_encoded_once_is_s3s_way(self) -> None:
        request = Signer(canonical_path="/a%20b").sign(replace(POST, target="/a%20b"))
        assert words(request) == ("InvalidSignatureException", MISMATCH)

    @pytest.mark.parametrize(
        ("query", "canonical"),
        [
            ("b=1&a=2", "a=2&b=1"),
            ("a", "a="),
            ("a=1&&b=2", "a=1&b=2"),
            ("x=a:b/c", "x=a%3Ab%2Fc"),
            ("x=a:b/c", "x=a:b/c"),
            ("x=a+b", "x=a%20b"),
            ("x=a+b", "x=a+b"),
            ("x=%7e%2d", "x=~-"),
            ("x=1=2", "x=1%3D2"),
            ("%zz=1", "%25zz=1"),
        ],
    )
    def test_query(self, query: str, canonical: str) -> None:
        assert verify(Signer(canonical_query=canonical).sign(replace(POST, target=f"/?{query}"))) == KEY

    @pytest.mark.parametrize("prefix", ["http://other.example", "https://other.example:9000"])
    def test_absolute_form(self, prefix: str) -> None:
        request = Signer(canonical_query="x=1").sign(replace(POST, target="/p?x=1"))
        assert verify(replace(request, target=f"{prefix}/p?x=1")) == KEY

    def test_keys_are_looked_up_not_guessed(self) -> None:
        empty: dict[str, Key] = {}
        verifier = Verifier(empty, service=None, region=None)
        assert refusal(Signer().sign(POST), verifier=verifier).error_type == "UnrecognizedClientException"
