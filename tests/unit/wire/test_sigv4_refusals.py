"""What is not accepted, and the words for it."""

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from penstock.wire.sigv4 import Verifier
from support.signing import KEY, KEYS, MISMATCH, NOW, POST, Signer, refusal, verify, words


class TestMissing:
    def test_no_signature(self) -> None:
        assert words(POST) == ("MissingAuthenticationTokenException", "Missing Authentication Token")

    def test_a_query_that_only_looks_like_one(self) -> None:
        request = replace(POST, target="/?q=X-Amz-Algorithm&X-Amz-Signature=1")
        assert words(request)[0] == "MissingAuthenticationTokenException"

    def test_both_forms(self) -> None:
        presigned = Signer().presign(POST, {}).having(("authorization", "AWS4-HMAC-SHA256 a=b"))
        assert words(presigned) == (
            "InvalidSignatureException",
            "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
        )


class TestIncomplete:
    @pytest.mark.parametrize("value", ["Bearer eyJhbGciOiJIUzI1NiJ9", "AWS4-HMAC-SHA256 Credential"])
    def test_no_key_value_pair(self, value: str) -> None:
        hashed = base64.b64encode(hashlib.sha256(value.encode()).digest()).decode()
        assert words(POST.having(("authorization", value))) == (
            "IncompleteSignatureException",
            "Invalid key=value pair (missing equal-sign) in Authorization header "
            f"(hashed with SHA-256 and encoded with Base64): '{hashed}'.",
        )

    @pytest.mark.parametrize(
        ("value", "lacking"),
        [
            ("Basic dXNlcjpwYXNzd29yZA==", ["Credential", "Signature", "SignedHeaders"]),
            ("AWS4-HMAC-SHA256 ", ["Credential", "Signature", "SignedHeaders"]),
            ("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=x", ["SignedHeaders"]),
            ("AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=host,Signature=", ["Signature"]),
        ],
    )
    def test_a_part_is_missing(self, value: str, lacking: list[str]) -> None:
        error_type, message = words(POST.having(("authorization", value), ("x-amz-date", Signer().timestamp)))
        assert error_type == "IncompleteSignatureException"
        assert message.startswith("".join(f"Authorization header requires '{name}' parameter. " for name in lacking))
        assert "dXNlcjpwYXNzd29yZA" not in message
        assert "Date" not in message

    def test_no_date(self) -> None:
        request = Signer().sign(POST).without("x-amz-date")
        assert words(request)[1].startswith(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
        )

    def test_a_part_twice(self) -> None:
        request = Signer().sign(POST).edited("Signature=", "Signature=0, Signature=")
        assert words(request) == (
            "IncompleteSignatureException",
            "Authorization header must have each parameter once.",
        )

    def test_two_authorization_headers(self) -> None:
        request = Signer().sign(POST)
        twice = replace(request, headers=(*request.headers, ("authorization", request.authorization)))
        assert words(twice)[0] == "IncompleteSignatureException"

    @pytest.mark.parametrize("name", ["X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"])
    def test_a_query_parameter_is_missing(self, name: str) -> None:
        request = Signer().presign(POST, {})
        target = request.target.replace(name, "X-Other")
        assert words(replace(request, target=target)) == (
            "IncompleteSignatureException",
            f"AWS query-string parameters must include '{name}'. Re-examine the query-string parameters.",
        )

    def test_a_query_parameter_twice(self) -> None:
        request = Signer().presign(POST, {})
        assert (
            words(replace(request, target=f"{request.target}&X-Amz-Signature=0"))[0] == "IncompleteSignatureException"
        )

    @pytest.mark.parametrize("date", ["20260301", "2026-03-01T12:00:00Z", "20260231T120000Z", "20260301T120000Z,x", ""])
    def test_date_of_another_form(self, date: str) -> None:
        request = Signer().sign(POST).having(("x-amz-date", date))
        assert words(request) == (
            "IncompleteSignatureException",
            f"Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601",
        )

    @pytest.mark.parametrize("algorithm", ["AWS4-ECDSA-P256-SHA256", "AWS4-HMAC-SHA1", "aws4-hmac-sha256"])
    def test_another_algorithm(self, algorithm: str) -> None:
        expected = (
            "IncompleteSignatureException",
            f"Unsupported AWS 'algorithm': '{algorithm}' (only AWS4-HMAC-SHA256 for now). ",
        )
        presigned = Signer().presign(POST, {})
        assert words(Signer().sign(POST).edited("AWS4-HMAC-SHA256", algorithm)) == expected
        assert words(replace(presigned, target=presigned.target.replace("AWS4-HMAC-SHA256", algorithm))) == expected

    @pytest.mark.parametrize("credential", ["AKIDEXAMPLE", "AKIDEXAMPLE/20260301/lambda/aws4_request", "a/b/c/d/e/f"])
    def test_credential_of_other_than_five_elements(self, credential: str) -> None:
        signer = Signer()
        request = signer.sign(POST).edited(f"{KEY.access_key_id}/{signer.scope}", credential)
        assert words(request) == (
            "IncompleteSignatureException",
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{credential}'",
        )


class TestScope:
    def test_region(self) -> None:
        assert words(Signer(region="eu-west-1").sign(POST)) == (
            "InvalidSignatureException",
            "Credential should be scoped to a valid region, not 'eu-west-1'. ",
        )

    def test_service(self) -> None:
        assert words(Signer(service="s3").sign(POST)) == (
            "InvalidSignatureException",
            "Credential should be scoped to correct service: 'lambda'. ",
        )

    def test_terminator_and_date(self) -> None:
        signer = Signer(terminator="aws5_request")
        request = signer.sign(POST).edited("/20260301/", "/20260228/")
        assert words(request) == (
            "InvalidSignatureException",
            "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'. "
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            "'20260228' != '20260301', from '20260301T120000Z'. ",
        )

    def test_any_service_and_region_where_none_is_asked_for(self) -> None:
        request = Signer(region="eu-west-1", service="execute-api").sign(POST)
        assert verify(request, verifier=Verifier(KEYS, service=None, region=None)) == KEY


class TestTime:
    @pytest.mark.parametrize("skew", [-300, -1, 0, 299, 300])
    def test_within_five_minutes(self, skew: int) -> None:
        assert verify(Signer().sign(POST), now=NOW + skew) == KEY

    def test_expired(self) -> None:
        assert words(Signer().sign(POST), now=NOW + 301) == (
            "InvalidSignatureException",
            "Signature expired: 20260301T120000Z is now earlier than 20260301T120001Z (20260301T120501Z - 5 min.)",
        )

    def test_not_yet_current(self) -> None:
        assert words(Signer().sign(POST), now=NOW - 301) == (
            "InvalidSignatureException",
            "Signature not yet current: 20260301T120000Z is still later than 20260301T115959Z "
            "(20260301T115459Z + 5 min.)",
        )

    def test_presigned(self) -> None:
        request = Signer().presign(POST, {"X-Amz-Expires": "90"})
        assert verify(request, now=NOW + 90) == KEY
        assert verify(request, now=NOW - 300) == KEY
        assert words(request, now=NOW + 91)[1].startswith("Signature expired: 20260301T120000Z is now earlier than")
        assert words(request, now=NOW - 301)[1].startswith("Signature not yet current:")

    def test_presigned_without_a_lifetime(self) -> None:
        request = Signer().presign(POST, {})
        assert verify(request, now=NOW + 300) == KEY
        assert words(request, now=NOW + 301)[1].endswith("(20260301T120501Z - 5 min.)")

    @pytest.mark.parametrize("expires", ["-1", "1.5", "x", "604801", "9" * 400, "٣"])
    def test_lifetime_that_cannot_be(self, expires: str) -> None:
        error_type, message = words(Signer().presign(POST, {"X-Amz-Expires": expires}))
        assert error_type == "IncompleteSignatureException"
        assert message.startswith("X-Amz-Expires")

    @pytest.mark.parametrize("form", ["Sun, 01 Mar 2026 12:00:00 GMT", "Sun, 01 Mar 2026 12:00:00 -0000", "iso"])
    def test_date_header(self, form: str) -> None:
        date = Signer().timestamp if form == "iso" else form
        request = Signer(unsigned=frozenset({"x-amz-date"})).sign(POST.having(("date", date))).without("x-amz-date")
        assert verify(request) == KEY
        assert words(request, now=NOW + 301)[1].startswith("Signature expired")
        later = format_datetime(datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=1), usegmt=True)
        assert words(request.having(("date", later)))[1] == MISMATCH

    @pytest.mark.parametrize(
        "date", ["", "soon", "Sun, 99 Mar 2026 12:00:00 GMT", "1 2 3", "Sun, 01 Mar 2026", "1 Mar 26 1:2 +99999999999"]
    )
    def test_date_header_that_is_no_date(self, date: str) -> None:
        request = Signer().sign(POST).without("x-amz-date").having(("date", date))
        assert refusal(request).message.startswith(("Date must be in ISO-8601", "Signature expired"))
