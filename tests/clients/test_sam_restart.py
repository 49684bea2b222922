"""What was deployed is there again after `penstock serve` was killed."""

from pathlib import Path

import pytest

from support.clients import need_client, talking
from support.sam_site import STACK, sam_site
from support.up import eventually, shared_cache

pytestmark = pytest.mark.timeout(300)


def test_everything_survives_a_kill(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with sam_site(tmp_path, shared_cache(tmp_path_factory)) as site:
        site.project.greet("first")
        site.deploy()
        url, function = site.url, site.function
        before = site.tools.ask("cloudformation", "describe_stack_resources", StackName=STACK)
        assert site.get(url=url).text == "first"

        site.serve.kill()
        site.serve.start()
        assert site.tools.status(STACK) == "CREATE_COMPLETE"
        assert site.url == url
        assert site.tools.ask("cloudformation", "describe_stack_resources", StackName=STACK) == before
        eventually(lambda: site.get(url=url).text == "first", "the first code's answer after a kill")
        site.tools.aws("lambda", "wait", "published-version-active", "--function-name", function, "--qualifier", "live")

        # The stack goes on where it was.
        assert "No changes to deploy" in site.deploy(build=False, code=1)
        site.project.greet("second")
        site.deploy()
        assert site.get(url=url).text == "second"

        site.serve.kill()
        site.serve.start()
        eventually(lambda: site.get(url=url).text == "second", "the second code's answer after a kill")
        site.tools.sam(site.project.folder, "delete", "--stack-name", STACK, "--no-prompts", "--region", "us-east-1")

        site.serve.kill()
        site.serve.start()
        assert site.tools.ask("lambda", "list_functions")["Functions"] == []
        assert site.get(url=url).status == 403


def test_a_deployment_that_a_kill_cut_is_taken_back(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with sam_site(tmp_path, shared_cache(tmp_path_factory)) as site:
        site.project.greet("first")
        site.deploy()
        url, folder = site.url, site.project.folder
        site.project.greet_late("second")
        site.tools.sam(folder, "build")
        with talking(folder, need_client("sam-cli"), *site.deploy_words(), variables=site.tools.variables):
            site.gate.next("start")
            assert site.tools.status(STACK) == "UPDATE_IN_PROGRESS"
            site.serve.kill()
        site.serve.start()
        eventually(lambda: site.tools.status(STACK) == "UPDATE_ROLLBACK_COMPLETE", "the end of the rollback")
        eventually(lambda: site.get(url=url).text == "first", "the first code's answer after a kill")

        site.project.greet("third")
        site.deploy()
        assert site.get(url=url).text == "third"
