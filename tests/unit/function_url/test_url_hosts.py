"""Which Function URL a host names."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.function_url import UrlHosts
from penstock.function_url.hosts import authority_of
from support.answers import read_answer
from support.clock import VirtualClock
from support.url_story import Rig


class Two:
    """Two Function URLs that share their hosts; `first`'s port is the one asked."""

    def __init__(self) -> None:
        self.hosts = UrlHosts(VirtualClock())
        self.first = Rig(hosts=self.hosts, alias="first")
        self.second = Rig(hosts=self.hosts, alias="second")
        self.id = self.second.door.identity.url_id

    def ask(self, *lines: str, target: str = "/") -> None:
        head = "".join(f"{line}\r\n" for line in lines)
        self.first.peer.send(f"GET {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1"))

    @property
    def taken(self) -> tuple[int, int]:
        return len(self.first.target.taken), len(self.second.target.taken)


@pytest.mark.parametrize(
    "host",
    [
        "{id}.lambda-url.eu-west-1.localhost",
        "{id}.lambda-url.eu-west-1.localhost:3000",
        "{id}.lambda-url.eu-west-1.localhost.",
        "{id}.LAMBDA-URL.eu-west-1.LocalHost:80",
        "{id}.lambda-url.us-east-1.on.aws",
    ],
)
@pytest.mark.parametrize("change", [str, str.upper])
def test_host_names_another_url(host: str, change: type[str]) -> None:
    two = Two()
    two.ask(f"host: {change(host.format(id=two.id))}")
    assert two.taken == (0, 1)
    context = orjson.loads(two.second.target.events[0])["requestContext"]
    assert context["domainName"] == f"{two.id}.lambda-url.eu-west-1.localhost"
    assert context["apiId"] == context["domainPrefix"] == two.id


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:3000", "localhost", "", "lambda-url.eu-west-1.localhost", "{id}.localhost", "{id}.lambda-urls.x"],
)
def test_any_other_host_is_the_ports_own_function(host: str) -> None:
    two = Two()
    two.ask(f"host: {host.format(id=two.id)}")
    assert two.taken == (1, 0)


def test_no_host_is_the_ports_own_function() -> None:
    two = Two()
    two.first.peer.send(b"GET / HTTP/1.0\r\n\r\n")
    assert two.taken == (1, 0)


def test_own_host_is_the_ports_own_function() -> None:
    two = Two()
    two.ask(f"host: {two.first.door.identity.url_id}.lambda-url.eu-west-1.localhost")
    assert two.taken == (1, 0)


@pytest.mark.parametrize("url_id", ["nobody", "", "x.{id}", "{id}x"])
@pytest.mark.parametrize("close", [True, False])
def test_unknown_id_is_refused_as_aws_does(url_id: str, close: bool) -> None:
    two = Two()
    host = f"host: {url_id.format(id=two.id)}.lambda-url.eu-west-1.localhost"
    two.ask(host, "connection: close" if close else "x: y")
    assert two.taken == (0, 0)
    answer, rest = read_answer(two.first.peer.take())
    assert (answer.status, answer.body, rest) == (403, b'{"Message":null}', b"")
    assert answer.header("x-amzn-errortype") == "AccessDeniedException"
    assert answer.header("content-type") == "application/json"
    assert len(answer.header("x-amzn-requestid") or "") == 36
    assert two.first.peer.sees_end is close


def test_connection_goes_on_after_an_unknown_id() -> None:
    two = Two()
    body = "GET / HTTP/1.1"  # must not be taken for a request
    two.first.peer.send(
        f"POST / HTTP/1.1\r\nhost: nobody.lambda-url.x\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
    )
    assert read_answer(two.first.peer.take())[0].status == 403
    two.ask("host: x")
    assert two.taken == (1, 0)


def test_whole_url_as_target_goes_before_the_header() -> None:
    two = Two()
    two.ask("host: 127.0.0.1", target=f"http://{two.id}.lambda-url.eu-west-1.localhost:3000/a?b=1")
    assert two.taken == (0, 1)
    assert orjson.loads(two.second.target.events[0])["rawPath"] == "/a"
    other = Two()
    other.ask(f"host: {other.id}.lambda-url.eu-west-1.localhost", target="http://127.0.0.1:3000/")
    assert other.taken == (1, 0)


def test_one_connection_may_ask_for_both() -> None:
    two = Two()
    two.ask(f"host: {two.id}.lambda-url.x")
    two.second.begin("text/plain").write(b"second").finish()
    two.ask("host: x")
    two.first.begin("text/plain").write(b"first").finish()
    one, rest = read_answer(two.first.peer.take())
    other, _ = read_answer(rest)
    assert (one.body, other.body) == (b"second", b"first")
    assert [len(rig.records) for rig in (two.first, two.second)] == [1, 1]


def test_url_without_hosts_looks_at_none() -> None:
    rig = Rig().request(b"GET / HTTP/1.1\r\nhost: nobody.lambda-url.x\r\n\r\n")
    assert len(rig.target.taken) == 1


@pytest.mark.parametrize(
    ("target", "authority"),
    [
        (b"http://host:3000/a", b"host:3000"),
        (b"http://host", b"host"),
        (b"http://host?a=/b", b"host"),
        (b"http://user:pass@host/", b"host"),
        (b"HTTPS://h#x", b"h"),
        (b"*", b""),
        (b"/go?to=http://x/y", b""),
        (b"a?to=http://x/y", b""),
        (b"http:///path", b""),
    ],
)
def test_authority_of_a_target(target: bytes, authority: bytes) -> None:
    assert authority_of(target) == authority


@given(host=st.binary(max_size=30), target=st.binary(max_size=30))
def test_any_bytes_name_somebody_or_nobody(host: bytes, target: bytes) -> None:
    rig = Rig()
    connection = rig.peer.connection
    connection.target, connection.headers = target, [(b"host", host)]
    UrlHosts(rig.clock).find(connection)
