"""Variables become options. Ids name the cases of the conformance checklist (`lwa-<n>`)."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_adapter.endpoint import OptionError
from penstock_adapter.options import InvokeMode, Options, ReadinessProtocol, read_options
from penstock_adapter.output import Output
from penstock_adapter.variables import read_statuses


def options(**variables: str) -> Options:
    return read_options({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", **variables})


class TestStatuses:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param("500,502-504,422", {500, 502, 503, 504, 422}, id="lwa-1"),
            pytest.param(" 500 , 502-504 , 422 ", {500, 502, 503, 504, 422}, id="lwa-1-spaces"),
            pytest.param("500", {500}, id="lwa-1-one"),
            pytest.param("500-502", {500, 501, 502}, id="lwa-1-range"),
            pytest.param("200-204", {200, 201, 202, 203, 204}, id="lwa-11"),
            pytest.param("200, 301-303, 404", {200, 301, 302, 303, 404}, id="lwa-12"),
            pytest.param("", set(), id="lwa-1-empty"),
            pytest.param(",,", set(), id="empty-parts"),
            pytest.param("504-502", set(), id="reversed"),
        ],
    )
    def test_read(self, text: str, expected: set[int]) -> None:
        warnings: list[str] = []
        assert read_statuses("X", text, warnings) == expected
        assert warnings == []

    @pytest.mark.parametrize(
        "text",
        ["invalid", "500-invalid", "200-300-400", "70000", "200 - 204", "-1"],
        ids=["lwa-1", "lwa-1-half", "lwa-13", "u16", "spaces", "minus"],
    )
    def test_skipped_with_a_warning(self, text: str) -> None:
        warnings: list[str] = []
        assert read_statuses("X", f"{text},418", warnings) == {418}
        (warning,) = warnings
        assert warning.startswith(f"X: skipped {text!r}")


class TestDefaults:
    def test_all(self) -> None:
        found = options()
        assert found.app.netloc == "127.0.0.1:8080"
        assert found.readiness.port == 8080
        assert found.readiness.path == "/"
        assert found.readiness.protocol is ReadinessProtocol.HTTP
        assert found.readiness.healthy == frozenset(range(100, 500))
        assert found.readiness.timeout_s is None
        assert found.rules.base_path == ""
        assert found.rules.pass_through_path == "/events"
        assert found.invoke_mode is InvokeMode.BUFFERED
        assert found.error_statuses == frozenset()
        assert (found.async_init, found.compression) == (False, False)
        assert found.pool_idle_s == 4.0
        assert found.concurrency == 1
        assert found.warnings == ()

    def test_every_new_name_lwa_22(self) -> None:
        found = options(
            AWS_LWA_PORT="3000",
            AWS_LWA_HOST="localhost",
            AWS_LWA_READINESS_CHECK_PORT="8000",
            AWS_LWA_READINESS_CHECK_PROTOCOL="TCP",
            AWS_LWA_READINESS_CHECK_PATH="/health",
            AWS_LWA_REMOVE_BASE_PATH="/prod/",
            AWS_LWA_PASS_THROUGH_PATH="hook",
            AWS_LWA_ASYNC_INIT="true",
            AWS_LWA_AUTHORIZATION_SOURCE="Auth-Token",
        )
        assert found.app.netloc == "localhost:3000"
        assert (found.readiness.port, found.readiness.protocol) == (8000, ReadinessProtocol.TCP)
        assert found.readiness.path == "/health"
        assert found.rules.base_path == "/prod"
        assert found.rules.pass_through_path == "/hook"
        assert found.async_init
        assert found.rules.authorization_source == "auth-token"
        assert found.warnings == ()

    def test_healthy_and_stream_lwa_23(self) -> None:
        found = options(AWS_LWA_READINESS_CHECK_HEALTHY_STATUS="200-399", AWS_LWA_INVOKE_MODE="response_stream")
        assert 399 in found.readiness.healthy
        assert 400 not in found.readiness.healthy
        assert found.invoke_mode is InvokeMode.RESPONSE_STREAM

    def test_readiness_port_follows_the_port_lwa_24(self) -> None:
        assert options(AWS_LWA_PORT="3000").readiness.port == 3000

    def test_plain_port_lwa_25(self) -> None:
        found = options(PORT="9090")
        assert (found.app.port, found.warnings) == (9090, ())

    def test_deprecated_names_lwa_44(self) -> None:
        found = options(
            PORT="4000",
            HOST="0.0.0.0",
            READINESS_CHECK_PORT="4001",
            READINESS_CHECK_PATH="/r",
            READINESS_CHECK_PROTOCOL="tcp",
            REMOVE_BASE_PATH="/b",
            ASYNC_INIT="true",
        )
        assert found.app.netloc == "0.0.0.0:4000"
        assert (found.readiness.port, found.readiness.path) == (4001, "/r")
        assert found.readiness.protocol is ReadinessProtocol.TCP
        assert found.rules.base_path == "/b"
        assert found.async_init
        assert len(found.warnings) == 6
        assert all("is deprecated" in warning for warning in found.warnings)

    def test_new_names_win_lwa_45(self) -> None:
        found = options(PORT="4000", HOST="0.0.0.0", AWS_LWA_PORT="5000", AWS_LWA_HOST="127.0.0.2")
        assert found.app.netloc == "127.0.0.2:5000"
        assert found.warnings == ()

    def test_empty_port_is_80(self) -> None:
        assert options(AWS_LWA_PORT="").app.port == 80

    def test_bracketed_host(self) -> None:
        assert options(AWS_LWA_HOST="[::1]").app.host == "::1"

    def test_proxied_runtime_api_lwa_14(self) -> None:
        found = options(AWS_LWA_LAMBDA_RUNTIME_API_PROXY="http://127.0.0.1:9002/x")
        assert (found.runtime_api.netloc, found.runtime_api.base) == ("127.0.0.1:9002", "/x")
        assert found.extensions_api.netloc == "127.0.0.1:9001"

    def test_what_is_there_to_see_requests_is_not_passed_by(self) -> None:
        assert options(PENSTOCK_LINK="1").linked
        assert not options(PENSTOCK_LINK="1", AWS_LWA_LAMBDA_RUNTIME_API_PROXY="http://127.0.0.1:9002").linked

    @pytest.mark.parametrize(("kind", "snap_start"), [("snap-start", True), ("on-demand", False), ("", False)])
    def test_snap_start(self, kind: str, snap_start: bool) -> None:
        found = options(AWS_LAMBDA_INITIALIZATION_TYPE=kind, AWS_LWA_SNAPSTART_AFTER_RESTORE_PATH="after")
        assert (found.snap_start, found.hooks.after_restore, found.hooks.before_checkpoint) == (
            snap_start,
            "/after",
            "",
        )
        assert (found.pool_idle_s, found.warnings) == (4.0, ())  # kept from the restore on


class TestBadValues:
    @pytest.mark.parametrize("name", ["AWS_LWA_PORT", "PORT", "AWS_LWA_READINESS_CHECK_PORT"])
    @pytest.mark.parametrize("text", ["http", "0", "65536", "-1", " 80"])
    def test_port(self, name: str, text: str) -> None:
        with pytest.raises(OptionError, match=f"^{name}='{text}' is not a port: expected a number from 1 to 65535$"):
            options(**{name: text})

    @pytest.mark.parametrize("host", ["a host", "", "a/b", "ñ"], ids=["lwa-9", "empty", "path", "non-ascii"])
    def test_host(self, host: str) -> None:
        with pytest.raises(OptionError, match="is not a host"):
            options(AWS_LWA_HOST=host)

    def test_good_host_lwa_10(self) -> None:
        assert options(AWS_LWA_HOST="my-app.local").app.host == "my-app.local"

    def test_readiness_path(self) -> None:
        with pytest.raises(OptionError, match="is not a path: expected /something"):
            options(AWS_LWA_READINESS_CHECK_PATH="health")

    @pytest.mark.parametrize("address", ["", "http://"])
    def test_no_runtime_api(self, address: str) -> None:
        with pytest.raises(OptionError, match="AWS_LAMBDA_RUNTIME_API"):
            options(AWS_LAMBDA_RUNTIME_API=address)

    @pytest.mark.parametrize("text", ["TRUE", "1", " true", "yes", ""], ids=["lwa-83", "1", "space", "yes", "empty"])
    def test_flag_that_is_not_one_is_false(self, text: str) -> None:
        found = options(AWS_LWA_ASYNC_INIT=text)
        assert not found.async_init
        assert found.warnings == (f"AWS_LWA_ASYNC_INIT={text!r} counts as false: expected exactly true or false",)

    @pytest.mark.parametrize(
        ("text", "protocol", "warned"),
        [
            ("http", ReadinessProtocol.HTTP, 0),
            ("HTTP", ReadinessProtocol.HTTP, 0),
            ("tcp", ReadinessProtocol.TCP, 0),
            ("TCP", ReadinessProtocol.TCP, 0),
            ("unknown", ReadinessProtocol.HTTP, 1),
            ("", ReadinessProtocol.HTTP, 1),
        ],
        ids=[f"lwa-7-{place}" for place in range(6)],
    )
    def test_protocol(self, text: str, protocol: ReadinessProtocol, warned: int) -> None:
        found = options(AWS_LWA_READINESS_CHECK_PROTOCOL=text)
        assert (found.readiness.protocol, len(found.warnings)) == (protocol, warned)

    @pytest.mark.parametrize(
        ("text", "mode", "warned"),
        [
            ("buffered", InvokeMode.BUFFERED, 0),
            ("BUFFERED", InvokeMode.BUFFERED, 0),
            ("response_stream", InvokeMode.RESPONSE_STREAM, 0),
            ("RESPONSE_STREAM", InvokeMode.RESPONSE_STREAM, 0),
            ("unknown", InvokeMode.BUFFERED, 1),
            ("", InvokeMode.BUFFERED, 1),
        ],
        ids=[f"lwa-8-{place}" for place in range(6)],
    )
    def test_mode(self, text: str, mode: InvokeMode, warned: int) -> None:
        found = options(AWS_LWA_INVOKE_MODE=text)
        assert (found.invoke_mode, len(found.warnings)) == (mode, warned)

    @pytest.mark.parametrize(("text", "slots"), [("64", 64), ("1", 1), ("0", 1), ("", 1), ("many", 1), ("-3", 1)])
    def test_concurrency(self, text: str, slots: int) -> None:
        assert options(AWS_LAMBDA_MAX_CONCURRENCY=text).concurrency == slots

    def test_compression_with_streaming_is_off_lwa_15(self) -> None:
        found = options(AWS_LWA_ENABLE_COMPRESSION="true", AWS_LWA_INVOKE_MODE="response_stream")
        assert not found.compression
        assert "no effect" in found.warnings[0]

    def test_compression_stays_on_lwa_16(self) -> None:
        found = options(AWS_LWA_ENABLE_COMPRESSION="true")
        assert (found.compression, found.warnings) == (True, ())

    def test_no_healthy_status_is_told_lwa_82(self) -> None:
        found = options(AWS_LWA_READINESS_CHECK_HEALTHY_STATUS="")
        assert found.readiness.healthy == frozenset()
        assert "can never become ready" in found.warnings[0]

    @pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
    def test_idle_limit(self, text: str) -> None:
        found = options(AWS_LWA_POOL_IDLE_TIMEOUT_SECONDS=text)
        assert found.pool_idle_s == 4.0
        assert "AWS_LWA_POOL_IDLE_TIMEOUT_SECONDS" in found.warnings[0]

    @pytest.mark.parametrize("kind", ["snap-start", "provisioned-concurrency"])
    def test_async_init_has_nothing_to_win_without_a_limit(self, kind: str) -> None:
        found = options(AWS_LWA_ASYNC_INIT="true", AWS_LAMBDA_INITIALIZATION_TYPE=kind)
        assert not found.async_init
        assert found.warnings == (f"AWS_LWA_ASYNC_INIT has no effect with an initialization of type {kind}",)
        assert options(AWS_LWA_ASYNC_INIT="true", AWS_LAMBDA_INITIALIZATION_TYPE="on-demand").async_init

    @pytest.mark.parametrize("source", ["a b", "ñ", "x:", " x"])
    def test_authorization_source_that_no_header_can_have(self, source: str) -> None:
        found = options(AWS_LWA_AUTHORIZATION_SOURCE=source)
        assert found.rules.authorization_source == ""
        assert found.warnings == (f"AWS_LWA_AUTHORIZATION_SOURCE={source!r} is ignored: expected the name of a header",)

    @pytest.mark.parametrize(
        ("name", "text"),
        [("HOST", "a b"), ("READINESS_CHECK_PORT", "x"), ("READINESS_CHECK_PATH", "x")],
    )
    def test_the_name_in_use_is_the_one_that_is_told(self, name: str, text: str) -> None:
        with pytest.raises(OptionError, match=f"^{name}="):
            options(**{name: text})

    def test_a_number_too_long_to_be_read(self) -> None:
        with pytest.raises(OptionError, match="is not a port"):
            options(AWS_LWA_PORT="9" * 5000)
        assert options(AWS_LAMBDA_MAX_CONCURRENCY="9" * 5000).concurrency == 1


BAD = {
    "AWS_LWA_READINESS_CHECK_PROTOCOL": "udp",
    "AWS_LWA_READINESS_CHECK_HEALTHY_STATUS": "200-",
    "AWS_LWA_READINESS_CHECK_TIMEOUT_SECONDS": "soon",
    "ASYNC_INIT": "TRUE",
    "AWS_LWA_ENABLE_COMPRESSION": "1",
    "AWS_LWA_INVOKE_MODE": "stream",
    "AWS_LWA_ERROR_STATUS_CODES": "5xx",
    "AWS_LWA_AUTHORIZATION_SOURCE": "x y",
    "AWS_LWA_POOL_IDLE_TIMEOUT_SECONDS": "-1",
    "AWS_LAMBDA_MAX_CONCURRENCY": "many",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2 GB",
    "PENSTOCK_UVICORN_HOOK": "true",
}


@pytest.mark.parametrize(("text", "hooked"), [("1", True), ("0", False), (None, False)])
def test_the_uvicorn_hook(text: str | None, hooked: bool) -> None:
    found = options(**({} if text is None else {"PENSTOCK_UVICORN_HOOK": text}))
    assert (found.uvicorn_hook, found.warnings) == (hooked, ())


class TestStrict:
    @pytest.mark.parametrize("name", BAD)
    def test_each_bad_value_is_refused_where_it_would_be_passed_over(self, name: str) -> None:
        (warning, *_) = (line for line in options(**{name: BAD[name]}).warnings if "deprecated" not in line)
        assert warning.startswith(name)
        with pytest.raises(OptionError) as refused:
            options(PENSTOCK_STRICT="1", **{name: BAD[name]})
        assert str(refused.value).split("\n")[0] == warning

    def test_one_line_for_each(self) -> None:
        with pytest.raises(OptionError) as refused:
            options(PENSTOCK_STRICT="1", **BAD)
        lines = str(refused.value).split("\n")
        assert {name for name in BAD if any(line.startswith(name) for line in lines)} == set(BAD)
        assert len(lines) == len(BAD) + 1  # statuses that hold none are told twice: what was skipped, and what follows

    def test_what_has_no_effect_or_goes_away_is_no_mistake(self) -> None:
        found = options(
            PENSTOCK_STRICT="1", HOST="h", AWS_LWA_ENABLE_COMPRESSION="true", AWS_LWA_INVOKE_MODE="response_stream"
        )
        assert len(found.warnings) == 2

    @pytest.mark.parametrize("text", ["", "true", "2"])
    def test_neither_yes_nor_no(self, text: str) -> None:
        found = options(PENSTOCK_STRICT=text, AWS_LWA_ASYNC_INIT="x")
        assert found.warnings[0] == f"PENSTOCK_STRICT={text!r} counts as 0: expected 0 or 1"

    @given(st.dictionaries(st.sampled_from(sorted(BAD)), st.text(max_size=20)))
    def test_any_text_is_taken_or_told(self, variables: dict[str, str]) -> None:
        told = {line.partition("=")[0].partition(":")[0] for line in options(**variables).warnings}
        try:
            options(PENSTOCK_STRICT="1", **variables)
        except OptionError as error:
            refused = {line.partition("=")[0].partition(":")[0] for line in str(error).split("\n")}
            assert refused <= told


class TestOutput:
    def test_text(self) -> None:
        lines: list[str] = []
        output = Output("warn", write=lines.append)
        output.info("no")
        output.warn("yes")
        output.error("bad", "request-1")
        assert lines == ["WARN yes\n", "ERROR RequestId: request-1 bad\n"]

    def test_unknown_level_is_info(self) -> None:
        lines: list[str] = []
        Output("FATAL", write=lines.append).info("yes")
        assert lines == ["INFO yes\n"]

    def test_json(self) -> None:
        lines: list[str] = []
        Output(as_json=True, write=lines.append).error("bad\nline", "request-1")
        (line,) = lines
        fields = orjson.loads(line)
        assert fields.pop("timestamp").endswith("Z")
        assert fields == {"level": "ERROR", "message": "bad\nline", "requestId": "request-1"}
        assert line.count("\n") == 1
