"""Which coding a client gets, what is compressed, and what its headers become."""

import gzip
import sys
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_adapter.compression import (
    Coding,
    choose_coding,
    compressed,
    find_brotli,
    is_compressible,
    new_compressor,
    offered,
    varying,
)

BOTH = (Coding.BROTLI, Coding.GZIP)
TEXT = (b"content-type", b"text/plain")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ([], False),
        (["gzip"], True),
        (["GZIP"], True),
        (["x-gzip"], True),
        (["deflate", "gzip"], True),
        (["gzip, deflate, br"], True),
        (["br"], False),
        (["*"], False),
        (["identity"], False),
        (["identity, gzip"], True),
        (["gzip;q=0.5, identity"], False),
        (["gzip;q=0.5, identity;q=0.5"], True),
        (["gzip;q=0"], False),
        (["gzip;q=0.000"], False),
        (["gzip;q=0.001"], True),
        (["gzip ; Q=1.000 "], True),
        (["gzip;q=0."], False),
        (["gzip;q=1.001"], False),
        (["gzip;q=0.1234"], False),
        (["gzip;q=2"], False),
        (["gzip;"], False),
        (["gzip;level=9"], False),
        (["gzip;q=0.1;x=y"], False),
        (["gzip;q=0, gzip"], True),
        ([", ,;"], False),
    ],
)
def test_accept_encoding(accept: list[str], wanted: bool) -> None:
    assert choose_coding(accept, (Coding.GZIP,)) == (Coding.GZIP if wanted else None)


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ([], None),
        (["br"], "br"),
        (["BR;q=0.1"], "br"),
        (["gzip"], "gzip"),
        (["gzip, deflate, br"], "br"),
        (["gzip, br, identity"], "br"),
        (["br;q=0.9, gzip"], "gzip"),
        (["br;q=0.9, gzip;q=0.9, identity;q=0.9"], "br"),
        (["br;q=0.9", "x-gzip;q=0.95"], "gzip"),
        (["br;q=0, gzip;q=0.1"], "gzip"),
        (["br;q=0.5, gzip;q=0.4, identity"], None),
        (["br;q=x, gzip;q=0.4"], "gzip"),
        (["*"], None),
    ],
)
def test_the_one_that_is_liked_best_and_of_equals_brotli(accept: list[str], wanted: str | None) -> None:
    assert choose_coding(accept, BOTH) == wanted


@given(st.lists(st.text(st.sampled_from("gzip,;= q01.\txbr*é"), max_size=30), max_size=3))
def test_any_accept_encoding_is_read(accept: list[str]) -> None:
    choose_coding(accept, BOTH)


@pytest.mark.parametrize(
    ("headers", "may"),
    [
        pytest.param([], True, id="no-type"),
        pytest.param([TEXT], True, id="text"),
        pytest.param([(b"content-type", b"application/octet-stream")], True, id="octets"),
        pytest.param([(b"content-type", b"image/png")], False, id="image"),
        pytest.param([(b"content-type", b"image/svg+xml")], True, id="svg"),
        pytest.param([(b"content-type", b"image/svg+xml; charset=utf-8")], False, id="svg-with-charset"),
        pytest.param([(b"content-type", b"Image/png")], True, id="case"),
        pytest.param([(b"content-type", b"application/grpc+proto")], False, id="grpc"),
        pytest.param([(b"content-type", b"text/event-stream;x=y")], False, id="events"),
        pytest.param([(b"content-type", b"text/html"), (b"content-type", b"image/png")], True, id="the-first-type"),
        pytest.param([TEXT, (b"content-encoding", b"identity")], False, id="encoded"),
        pytest.param([TEXT, (b"content-range", b"bytes 0-1/2")], False, id="range"),
        pytest.param([TEXT, (b"content-length", b"31")], False, id="31-bytes"),
        pytest.param([TEXT, (b"content-length", b"32")], True, id="32-bytes"),
        pytest.param([TEXT, (b"content-length", b"nonsense")], True, id="bad-length"),
        pytest.param([TEXT, (b"content-length", b"9" * 5000)], True, id="long-length"),
    ],
)
def test_which_responses(headers: list[tuple[bytes, bytes]], may: bool) -> None:
    assert is_compressible(headers, bodiless=False) is may
    assert not is_compressible(headers, bodiless=True)


def test_vary_is_told_once() -> None:
    assert varying([TEXT]) == [TEXT, (b"vary", b"accept-encoding")]
    both = [(b"vary", b"origin"), (b"vary", b"cookie, Accept-Encoding")]
    assert varying(both) == both
    assert varying([(b"vary", b"origin")]) == [(b"vary", b"origin"), (b"vary", b"accept-encoding")]


def test_headers_of_what_is_compressed() -> None:
    headers = [TEXT, (b"content-length", b"99"), (b"accept-ranges", b"bytes"), (b"etag", b'"x"')]
    for coding, name in ((Coding.GZIP, b"gzip"), (Coding.BROTLI, b"br")):
        encoded = (b"content-encoding", name)
        assert compressed(headers, coding) == [TEXT, (b"etag", b'"x"'), (b"vary", b"accept-encoding"), encoded]


def test_both_codings_are_what_they_say() -> None:
    assert offered() == BOTH
    for coding, read in ((Coding.GZIP, gzip.decompress), (Coding.BROTLI, brotli.decompress)):
        compressor = new_compressor(coding)
        pieces = [compressor.process(b"one "), compressor.process(b"two"), compressor.finish()]
        assert read(b"".join(pieces)) == b"one two"


class TestPackage:
    """Without this Python's own: a function's."""

    @pytest.fixture(autouse=True)
    def nowhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, "brotli")
        folder = str(Path(brotli.__file__).parent)
        monkeypatch.setattr(sys, "path", [one for one in sys.path if one != folder])

    def test_none(self, tmp_path: Path) -> None:
        assert find_brotli([str(tmp_path), str(tmp_path / "nowhere")]) is None

    def test_among_the_functions_files(self, tmp_path: Path) -> None:
        before = list(sys.path)
        (tmp_path / "brotli.py").write_text("class Compressor: pass\n")
        assert find_brotli([str(tmp_path)]).Compressor.__module__ == "brotli"
        assert sys.path == before

    def test_for_another_version_of_python(self, tmp_path: Path) -> None:
        before = list(sys.path)
        (tmp_path / "brotli.py").write_text("import _brotli_of_another_python\n")
        assert find_brotli([str(tmp_path)]) is None
        assert sys.path == before

    def test_a_module_of_the_apps(self, tmp_path: Path) -> None:
        (tmp_path / "brotli.py").write_text("def compress_bread() -> None: ...\n")
        assert find_brotli([str(tmp_path)]) is None
