"""`penstock up --https`: clients that trust its authority, and no other, reach a Function URL."""

import re
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.clients import PATIENCE_S, need_program, talking
from support.clients_app import ALL_BYTES, GREETING
from support.clients_site import NAMES, InvokeMode, Site, make_site, serving
from support.gate import Gate
from support.up import shared_cache


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, gate: Gate) -> Iterator[Site]:
    project = make_site(tmp_path_factory.mktemp("https") / "site", gate, {"": {}})
    with serving(project, shared_cache(tmp_path_factory), "--https") as site:
        yield site


@pytest.fixture(scope="module")
def authority(secure: Site) -> str:
    """The file that `up` names for curl."""
    found = [re.search(r"--cacert (\S+)", event["text"]) for event in secure.up.said("info")]
    return next(one[1] for one in found if one)


def test_a_stream_arrives_in_curl_as_it_is_written(
    secure: Site, authority: str, tmp_path: Path, gate: Gate, visitor: str
) -> None:
    url = f"{secure.url(NAMES['RESPONSE_STREAM'])}/stream?{visitor}"
    options = ("--disable", "--silent", "--show-error", "--noproxy", "*", "--max-time", str(PATIENCE_S))
    with talking(tmp_path, need_program("curl"), *options, "--no-buffer", "--cacert", authority, url) as conversation:
        assert conversation.line() == "begin"
        gate.next(visitor).release()
        assert conversation.rest() == b"end\n"
        assert conversation.ended() == 0


def test_a_python_client_that_trusts_the_authority(secure: Site, authority: str, mode: InvokeMode) -> None:
    url = secure.url(NAMES[mode])
    assert url.startswith("https://")
    trust = ssl.create_default_context(cafile=authority)
    with httpx.Client(base_url=url, verify=trust, timeout=PATIENCE_S, trust_env=False) as client:
        assert client.get("/").text == GREETING
        assert client.post("/echo", content=ALL_BYTES).content == ALL_BYTES


def test_a_client_that_does_not_trust_it_stays_away(secure: Site) -> None:
    with (
        httpx.Client(verify=ssl.create_default_context(), trust_env=False) as client,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get(secure.url(NAMES["BUFFERED"]))
