"""Mixed, failed and changed answers, told from made-up ones."""

from penstock.check.findings import Finding, Kind
from penstock.check.judge_answers import is_sound, judge_answers, take_yardsticks
from penstock.check.measured import Level
from support.check_runs import failed, foreign, level, measured, own, plain


def judge(*levels: Level) -> list[Finding]:
    run = measured(*levels)
    return judge_answers(run, take_yardsticks(run))


def kinds(*levels: Level) -> list[Kind]:
    return [finding.kind for finding in judge(*levels)]


def test_answers_with_their_own_tokens_are_sound() -> None:
    assert judge(level(1), level(8, [own()] * 16), level(64, [own()] * 128)) == []


def test_another_requests_token_is_mixed() -> None:
    (finding,) = judge(level(1), level(8, [own(), foreign(7), own()]), level(16, [foreign(1), foreign(2)]))
    assert finding.kind is Kind.MIXED
    assert "1 of 3 answers at 8 at once, 2 of 2 answers at 16 at once were another request's" in finding.text
    assert finding.text.startswith("GET /hello: ")


def test_its_own_beside_another_ones_is_mixed_too() -> None:
    both = own()
    assert kinds(level(1), level(8, [type(both)(0, 0.1, 200, echoed=True, foreign=frozenset({3}))])) == [Kind.MIXED]


def test_a_token_that_is_missing_only_with_others_is_mixed() -> None:
    assert kinds(level(1), level(8, [own(), plain()])) == [Kind.MIXED]


def test_an_app_that_never_answers_with_tokens_is_not_mixed() -> None:
    assert judge(level(1, [plain()] * 3), level(8, [plain()] * 16)) == []


def test_one_that_does_so_now_and_then_is_not_mixed() -> None:
    assert Kind.MIXED not in kinds(level(1, [own(), plain()]), level(8, [plain(), own()]))


def test_a_failure_lacks_its_token_and_is_not_mixed() -> None:
    assert kinds(level(1), level(8, [failed()])) == [Kind.ERRORS]


def test_an_earlier_requests_token_with_one_at_a_time() -> None:
    (finding,) = judge(level(1, [foreign(0), foreign(0)]))
    assert finding.kind is Kind.MIXED
    assert "2 of 2 answers one at a time held the token of a request before them" in finding.text


def test_errors_that_come_with_others() -> None:
    answers = [own(), failed(500), failed(500), failed(0, "the answer broke off after 3 bytes")]
    (finding,) = judge(level(1), level(8, answers))
    assert finding.kind is Kind.ERRORS
    assert "3 of 4 answers at 8 at once: status 500 (2), the answer broke off after 3 bytes (1)" in finding.text


def test_errors_of_the_client_that_come_with_others() -> None:
    assert kinds(level(1), level(8, [failed(409)])) == [Kind.ERRORS]


def test_a_status_that_comes_alone_too_is_the_apps_way() -> None:
    assert judge(level(1, [own(), failed(404)]), level(8, [own(), failed(404)])) == []


def test_a_server_error_alone_is_told_once() -> None:
    (finding,) = judge(level(1, [failed(500), own()]), level(8, [failed(500)]))
    assert finding.kind is Kind.ERRORS
    assert "1 of 2 answers one at a time failed: status 500 (1)" in finding.text


def test_what_fails_because_the_environment_died_is_not_told_here() -> None:
    assert judge(level(1), level(8, [failed(502)], died="Runtime.ExitError")) == []


def test_answers_that_differ_only_with_others() -> None:
    (finding,) = judge(level(1), level(8, [own(), own(digest=b"2 at once")]))
    assert finding.kind is Kind.CHANGED
    assert "1 of 2 answers at 8 at once" in finding.text


def test_answers_that_always_differ() -> None:
    assert judge(level(1, [own(digest=b"1"), own(digest=b"2")]), level(8, [own(digest=b"3")])) == []


def test_one_answer_alone_shows_nothing_of_others() -> None:
    assert judge(level(1, [own(digest=b"1")]), level(8, [own(digest=b"3")])) == []


def test_each_target_has_its_own_yardstick() -> None:
    targets = ["GET /a", "GET /b"]
    first = level(1, [own(target=0), own(target=1, digest=b"b"), own(target=0), own(target=1, digest=b"b")])
    second = level(8, [own(target=0), own(target=1, digest=b"hello")])
    run = measured(first, second, targets=targets)
    (finding,) = judge_answers(run, take_yardsticks(run))
    assert finding.text.startswith("GET /b: ")


def test_a_sound_level() -> None:
    yardsticks = take_yardsticks(measured(level(1)))
    assert is_sound(level(8, [own(), own(digest=b"another")]), yardsticks)
    for wrong in (foreign(1), plain(), failed(500), failed(0, "closed"), failed(404)):
        assert not is_sound(level(8, [own(), wrong]), yardsticks)
