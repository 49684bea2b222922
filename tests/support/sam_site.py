"""A small project, `penstock serve`, and the real `sam` and `aws` that deploy the one to the other."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from support.calls import PATIENCE_S, Call, Reply
from support.clients import need_client
from support.gate import Gate
from support.sam_project import SamProject, make_project
from support.sam_serve import Serve, host_and_port, serving
from support.sam_tools import Done, Tools, make_tools

STACK = "site"


class HostCall(Call):
    """To a Function URL by its Host header: not every resolver knows names below `localhost`."""

    def __init__(self, url: str, path: str) -> None:
        host, port = host_and_port(url)
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self._connection.request("GET", path, headers={"Host": host})
        self._response = None


@dataclass(frozen=True)
class SamSite:
    """The stack is `STACK`. Nothing is deployed yet."""

    serve: Serve
    tools: Tools
    project: SamProject
    gate: Gate

    def deploy(self, *more: str, build: bool = True, subnets: list[str] | None = None, code: int = 0) -> Done:
        """`sam build` and `sam deploy --resolve-s3`, which has to end with this code."""
        if build:
            self.tools.sam(self.project.folder, "build")
        return self.tools.sam(self.project.folder, *self.deploy_words(subnets), *more, code=code)

    def deploy_words(self, subnets: list[str] | None = None) -> tuple[str, ...]:
        """For `sam`; three of the default VPC's subnets by default."""
        places = f"SubnetIds={','.join(subnets or self._subnets)}"
        overrides = ("--parameter-overrides", places, f"SecurityGroupIds={','.join(self._groups)}")
        return "deploy", "--resolve-s3", "--stack-name", STACK, "--capabilities", "CAPABILITY_IAM", *overrides

    @cached_property
    def _subnets(self) -> list[str]:
        return self.tools.subnets()[:3]

    @cached_property
    def _groups(self) -> list[str]:
        return self.tools.groups()

    @property
    def url(self) -> str:
        return self.tools.output(STACK, "FunctionUrl")

    @property
    def function(self) -> str:
        return self.tools.output(STACK, "FunctionName")

    def call(self, path: str = "/", url: str | None = None) -> HostCall:
        return HostCall(url or self.url, path)

    def get(self, path: str = "/", url: str | None = None) -> Reply:
        return self.call(path, url).rest()


@contextmanager
def calling(url: str) -> Iterator[list[Reply | Exception]]:
    """Somebody who calls `/` again and again; in the end the list has every answer, in order."""
    answers: list[Reply | Exception] = []
    enough = threading.Event()

    def call() -> None:
        while not enough.wait(0.01):  # leaves the processor to the others
            try:
                answers.append(HostCall(url, "/").rest())
            except (OSError, http.client.HTTPException) as error:
                answers.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    try:
        yield answers
    finally:
        enough.set()
        caller.join()


@contextmanager
def sam_site(folder: Path, cache: Path) -> Iterator[SamSite]:
    """Skips where `make clients` was not run."""
    need_client("sam-cli")
    place = folder / "serve"
    place.mkdir()
    with Gate() as gate:
        project = make_project(folder / "project", gate)
        with serving(place, cache, project.mark) as serve:
            yield SamSite(serve, make_tools(serve.endpoint, folder / "home"), project, gate)
