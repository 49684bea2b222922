"""The end of a request's own log, and how an environment's log tells it."""

from pathlib import Path
from typing import Final

from penstock.environment.invocation_log import EnvironmentLog
from penstock.model.errors import FunctionError
from penstock.telemetry import records
from penstock.telemetry.log_tail import LogTails, platform_lines
from penstock.telemetry.log_writer import LogWriter
from support.functions import function
from support.runtime_rig import RuntimeRig

ID: Final = "11111111-2222-4333-8444-555555555555"
OTHER: Final = "11111111-2222-4333-8444-666666666666"


class TestTails:
    def test_only_of_those_followed(self) -> None:
        tails = LogTails()
        assert not tails
        tails.follow(ID)
        assert tails
        tails.add("function", "mine", ID)
        tails.add("function", "another's", OTHER)
        tails.add("function", "nobody's", None)
        assert tails.take(ID) == b"mine\n"
        assert not tails
        assert tails.take(ID) == b""

    def test_last_4_kb(self) -> None:
        tails = LogTails()
        tails.follow(ID)
        for number in range(1_000):
            tails.add("function", f"line {number:04}", ID)
        tail = tails.take(ID)
        assert len(tail) == 4_096
        assert tail.endswith(b"line 0998\nline 0999\n")

    def test_one_long_line(self) -> None:
        tails = LogTails()
        tails.follow(ID)
        tails.add("function", "é" * 300_000 + "end", ID)
        tail = tails.take(ID)
        assert len(tail) == 4_096
        assert tail.endswith("éend\n".encode())

    def test_text_that_has_no_encoding(self) -> None:
        tails = LogTails()
        tails.follow(ID)
        tails.add("function", "\udcff", ID)
        assert tails.take(ID) == b"\\udcff\n"


class TestPlatformLines:
    def test_start(self) -> None:
        start = records.start(ID, "1", "arn")
        assert platform_lines("platform.start", start) == (f"START RequestId: {ID} Version: 1",)

    def test_success(self) -> None:
        report = records.report(ID, "success", 0.0123456)
        assert platform_lines("platform.report", report) == (
            f"END RequestId: {ID}",
            f"REPORT RequestId: {ID}\tDuration: 12.35 ms\t",
        )

    def test_error(self) -> None:
        report = records.report(ID, "timeout", 3.0, error_type="Sandbox.Timedout")
        assert platform_lines("platform.report", report)[1] == (
            f"REPORT RequestId: {ID}\tDuration: 3000.00 ms\tStatus: timeout\tError Type: Sandbox.Timedout\t"
        )

    def test_others_have_no_place_in_it(self) -> None:
        assert platform_lines("penstock.fault", {"fault": "x"}) == ()


def test_an_environment_tells_what_belongs_to_a_request(tmp_path: Path) -> None:
    rig, tails = RuntimeRig(), LogTails()
    writer = LogWriter(tmp_path / "log.jsonl", rig.clock)
    log = EnvironmentLog(writer, function(tmp_path), rig.clock, "e" * 32, "stream", tails=tails)
    rig.run(OTHER)
    rig.run(ID)
    tails.follow(ID)
    log.invocation_started(rig.api.running[ID].invocation)
    log.line("function", b"nobody's", rig.api)
    log.line("function", f"{ID} said this".encode(), rig.api)
    log.line("function", f"{OTHER} said that".encode(), rig.api)
    rig.clock.advance(0.5)
    invocation, running = rig.api.running[ID].invocation, rig.api.running[ID]
    running.fail(FunctionError("Runtime.X"))
    log.invocation_ended(invocation, rig.outcomes[-1][1])
    assert tails.take(ID).decode().splitlines() == [
        f"START RequestId: {ID} Version: 1",
        f"{ID} said this",
        f"END RequestId: {ID}",
        f"REPORT RequestId: {ID}\tDuration: 500.00 ms\tStatus: error\tError Type: Runtime.X\t",
    ]
    writer.close()
