"""How pytest-xdist is told to spread the tests: by files that are there."""

from pathlib import Path

from support.scheduling import ALONE, FIRST, SITE, rank, unit_of

ROOT = Path(__file__).parents[2]


def test_every_word_begins_a_file_or_names_a_folder() -> None:
    assert [
        start for start in (SITE, ALONE, *FIRST) if not (ROOT / start).is_dir() and not list(ROOT.glob(f"{start}*"))
    ] == []


def test_files_stay_together_and_those_of_the_clients_site_with_each_other() -> None:
    assert unit_of("tests/unit/test_router.py::test_x[a::b]") == "tests/unit/test_router.py"
    assert unit_of("tests/clients/test_curl.py::test_x") == unit_of("tests/clients/test_httpx.py::test_y") == SITE
    assert unit_of("tests/clients/test_sam_logs.py::test_x") == "tests/clients/test_sam_logs.py"


def test_units_nobody_named_come_last() -> None:
    units = ["tests/unit/test_router.py", "tests/process/test_up_modes.py", SITE, "tests/process/test_check_faults.py"]
    assert sorted(units, key=rank) == [SITE, units[3], units[1], units[0]]
