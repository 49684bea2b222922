"""The examples' templates are right by AWS's own linter and by SAM's."""

from pathlib import Path

import pytest

from support.clients import need_client
from support.sam_tools import REGION, expect, run, variables

pytestmark = pytest.mark.timeout(300)

EXAMPLES = Path(__file__).parents[2] / "examples"
TEMPLATES = sorted(EXAMPLES.glob("*/template.yaml"))


def test_cfn_lint(tmp_path: Path) -> None:
    lint = need_client("sam-cli").with_name("cfn-lint")
    assert TEMPLATES
    assert expect(0, run(tmp_path, [lint, "--regions", REGION, "--", *TEMPLATES], variables(tmp_path))) == ""


@pytest.mark.parametrize("template", TEMPLATES, ids=[template.parent.name for template in TEMPLATES])
def test_sam_validate(template: Path, tmp_path: Path) -> None:
    words = (need_client("sam-cli"), "validate", "--lint", "--template", template)
    said = expect(0, run(tmp_path, words, variables(tmp_path, AWS_DEFAULT_REGION=REGION)))
    assert "is a valid SAM Template" in said


def test_a_mistake_is_found(tmp_path: Path) -> None:
    """That the linter looks at what matters here."""
    text = (EXAMPLES / "fastapi-streaming" / "template.yaml").read_text()
    wrong = tmp_path / "template.yaml"
    wrong.write_text(text.replace("!GetAtt ManagedInstances.Arn", "!GetAtt ManagedInstances.Name", 1))
    lint = need_client("sam-cli").with_name("cfn-lint")
    assert "Name" in expect(2, run(tmp_path, [lint, "--regions", REGION, "--", wrong], variables(tmp_path)))
