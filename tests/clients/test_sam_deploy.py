"""`sam deploy` of a stack again and again: nothing new, new code, what cannot work, and its end."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from support.calls import Reply
from support.clients_app import GREETING
from support.sam_site import STACK, SamSite, calling, sam_site
from support.up import shared_cache

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def site(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SamSite]:
    with sam_site(tmp_path, shared_cache(tmp_path_factory)) as site:
        yield site


def test_redeploying_and_deleting(site: SamSite) -> None:
    site.project.greet("first")
    assert "Successfully created/updated stack" in site.deploy()
    url = site.url
    assert site.get(url=url).text == "first"

    assert "No changes to deploy" in site.deploy(build=False, code=1)
    site.deploy("--no-fail-on-empty-changeset", build=False)

    # One stream that began before the new code and ends after it.
    stream = site.call("/stream?held", url)
    visit = site.gate.next("held")
    assert stream.read(100) == b"begin\n"
    site.project.greet("second")
    with calling(url) as answers:
        assert "Successfully created/updated stack" in site.deploy()
    texts = [answer.text if isinstance(answer, Reply) else repr(answer) for answer in answers]
    assert [text for text, _ in groupby(texts)] == ["first", "second"]
    assert site.url == url
    assert [site.get(url=url).text for _ in range(8)] == ["second"] * 8
    visit.release()
    assert stream.rest().text == "end\n"

    alias = site.tools.ask("lambda", "get_alias", FunctionName=site.function, Name="live")
    assert alias["FunctionVersion"] == "2"
    latest = site.tools.ask("lambda", "get_function_configuration", FunctionName=site.function)
    version = site.tools.ask("lambda", "get_function_configuration", FunctionName=f"{site.function}:2")
    assert version["CodeSha256"] == latest["CodeSha256"]

    site.tools.sam(site.project.folder, "delete", "--stack-name", STACK, "--no-prompts", "--region", "us-east-1")
    gone = site.tools.aws("cloudformation", "describe-stacks", "--stack-name", STACK, code=None)
    assert gone.code != 0
    assert f"Stack with id {STACK} does not exist" in gone
    assert site.get(url=url).status == 403
    assert site.tools.ask("lambda", "list_functions")["Functions"] == []
    assert site.tools.ask("lambda", "list_capacity_providers")["CapacityProviders"] == []


def test_what_cannot_work_is_rolled_back(site: SamSite) -> None:
    # A new stack in a subnet that is not there.
    said = site.deploy(subnets=["subnet-00000000000000bad"], code=1)
    assert "CREATE_FAILED" in said
    assert "subnet-00000000000000bad" in said
    assert site.tools.status(STACK) == "ROLLBACK_COMPLETE"
    site.tools.sam(site.project.folder, "delete", "--stack-name", STACK, "--no-prompts", "--region", "us-east-1")

    # A resource of a type that is not offered: nothing is begun, and it is said which.
    site.project.add_resource("Queue", "AWS::SQS::Queue")
    said = site.deploy(code=1)
    assert "AWS::SQS::Queue" in said
    assert "CREATE_IN_PROGRESS" not in said
    site.project.remove_resource("Queue")
    site.tools.sam(site.project.folder, "build")

    # New code that ends at its start: the old code goes on answering, while it is tried and afterwards.
    site.deploy(build=False)
    url = site.url
    stream = site.call("/stream?held", url)
    visit = site.gate.next("held")
    site.project.break_start()
    said = site.deploy(code=1)
    assert "UPDATE_ROLLBACK_COMPLETE" in said
    assert "_FAILED" in said
    assert site.tools.status(STACK) == "UPDATE_ROLLBACK_COMPLETE"
    assert [site.get(url=url).text for _ in range(8)] == [GREETING] * 8
    visit.release()
    assert stream.rest().text == "begin\nend\n"

    # And the stack is not stuck.
    site.project.greet("third")
    site.deploy()
    assert site.get(url=url).text == "third"
