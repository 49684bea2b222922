"""Every way to name a function."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.invoke_api.function_names import FunctionName, not_found, read_function_name, require_here
from penstock.invoke_api.refusal import RefusalError

REGION, ACCOUNT = "us-east-1", "123456789012"


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("app", FunctionName("app")),
        ("app_2-x", FunctionName("app_2-x")),
        ("stack.app", FunctionName("stack.app")),
        ("app:live", FunctionName("app", "live")),
        ("app:7", FunctionName("app", "7")),
        ("app:$LATEST", FunctionName("app", "$LATEST")),
        ("app:$LATEST.PUBLISHED", FunctionName("app", "$LATEST.PUBLISHED")),
        ("app%3A%24LATEST", FunctionName("app", "$LATEST")),
        ("my-func-1:live", FunctionName("my-func-1", "live")),
        ("function:app", FunctionName("app")),
        ("function", FunctionName("function")),
        ("123456789012:function:app", FunctionName("app", None, ACCOUNT)),
        ("123456789012:function:app:live", FunctionName("app", "live", ACCOUNT)),
        ("us-east-1:123456789012:function:app", FunctionName("app", None, ACCOUNT, REGION)),
        ("us-east-1:123456789012:function:app:3", FunctionName("app", "3", ACCOUNT, REGION)),
        ("arn:aws:lambda:us-east-1:123456789012:function:app", FunctionName("app", None, ACCOUNT, REGION)),
        ("arn:aws:lambda:us-east-1:123456789012:function:app:live", FunctionName("app", "live", ACCOUNT, REGION)),
        ("arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aapp", FunctionName("app", None, ACCOUNT, REGION)),
        (
            "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:a",
            FunctionName("a", None, ACCOUNT, "us-gov-west-1"),
        ),
        ("arn:aws:lambda:123456789012:function:app", FunctionName("app", None, ACCOUNT)),
    ],
)
def test_forms(label: str, expected: FunctionName) -> None:
    assert read_function_name(label) == expected


@pytest.mark.parametrize(
    "label",
    [
        " ",
        "a b",
        "app:",
        "app:a:b:c",
        "app%2Fx",
        "arn:aws:s3:::bucket",
        "arn:aws:lambda:nowhere:123456789012:function:app",
        "arn:aws:lambda:us-east-1:12:function:app",
        "äpp",
        "app\n",
        "app:lìve",
        "app:$OTHER",
        "%ff",
    ],
)
def test_malformed(label: str) -> None:
    with pytest.raises(RefusalError) as refused:
        read_function_name(label)
    error = refused.value
    assert (error.status, error.error_type) == (400, "ValidationException")
    assert error.message.startswith("1 validation error detected: Value '")
    assert "at 'functionName' failed to satisfy constraint: Member must satisfy regular expression" in error.message
    assert error.message.endswith(r"(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?")


@pytest.mark.parametrize("label", ["a" * 257, "a" * 257 + ":live"])
def test_too_long(label: str) -> None:
    with pytest.raises(RefusalError, match="length less than or equal to 256"):
        read_function_name(label)


class TestQualifier:
    def test_from_the_query(self) -> None:
        assert read_function_name("app", "live") == FunctionName("app", "live")

    def test_empty_is_none(self) -> None:
        assert read_function_name("app", "") == FunctionName("app")

    def test_the_same_twice(self) -> None:
        assert read_function_name("app:live", "live") == FunctionName("app", "live")

    def test_keeps_what_an_arn_says(self) -> None:
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:app"
        assert read_function_name(arn, "2") == FunctionName("app", "2", ACCOUNT, REGION)

    def test_two_that_differ(self) -> None:
        with pytest.raises(RefusalError) as refused:
            read_function_name("app:live", "2")
        error = refused.value
        assert (error.status, error.error_type) == (400, "InvalidParameterValueException")
        assert error.message == ("The derived qualifier from the function name does not match the specified qualifier.")

    @pytest.mark.parametrize("qualifier", ["a b", "ä", "a/b", "x" * 129, "\r\n"])
    def test_malformed(self, qualifier: str) -> None:
        with pytest.raises(RefusalError, match="at 'qualifier' failed to satisfy constraint") as refused:
            read_function_name("app", qualifier)
        assert refused.value.error_type == "ValidationException"


class TestPlace:
    @pytest.mark.parametrize("label", ["app", f"{ACCOUNT}:function:app", f"{REGION}:{ACCOUNT}:function:app"])
    def test_here(self, label: str) -> None:
        require_here(read_function_name(label), REGION, ACCOUNT)

    def test_another_region(self) -> None:
        name = read_function_name(f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:app")
        with pytest.raises(RefusalError) as refused:
            require_here(name, REGION, ACCOUNT)
        assert (refused.value.status, refused.value.error_type) == (404, "ResourceNotFoundException")
        assert refused.value.message == "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"

    def test_another_account(self) -> None:
        with pytest.raises(RefusalError) as refused:
            require_here(read_function_name("999999999999:function:app:live"), REGION, ACCOUNT)
        assert (refused.value.status, refused.value.error_type) == (403, "AccessDeniedException")
        assert "on resource: arn:aws:lambda:us-east-1:999999999999:function:app:live because" in refused.value.message

    def test_not_found_names_the_qualifier(self) -> None:
        error = not_found(FunctionName("app", "live"), REGION, ACCOUNT)
        assert error.message == "Function not found: arn:aws:lambda:us-east-1:123456789012:function:app:live"
        assert (error.status, error.error_type) == (404, "ResourceNotFoundException")


PIECES = st.sampled_from(
    ["arn", "aws", "lambda", REGION, ACCOUNT, "function", "app", "$LATEST", "%3A", "%", "", ":", "::", "é", "\0", "/"]
)


@given(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=12).map(":".join)), st.none() | st.text(max_size=9))
def test_anything_is_a_name_or_refused(label: str, qualifier: str | None) -> None:
    try:
        name = read_function_name(label, qualifier)
    except RefusalError:
        return
    assert name.name
    assert ":" not in name.name
    assert not qualifier or name.qualifier == qualifier
