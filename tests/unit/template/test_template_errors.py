"""Every form of bad input gives one line: what, where, what is allowed."""

from pathlib import Path

import pytest
import yaml

from penstock.model.errors import UserError
from penstock.template import load_stack
from support.template_texts import BASE, changed, load

CASES: list[dict[str, str]] = yaml.safe_load(Path(__file__).with_name("error_cases.yaml").read_text())
MARK = "# <-"


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_bad_template_gives_one_line_with_its_place(tmp_path: Path, case: dict[str, str]) -> None:
    text = changed(BASE, case["old"], case["new"])
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    error = caught.value
    assert error.message.startswith(case["message"])
    assert "\n" not in str(error)
    assert error.place is not None
    assert error.place.file == tmp_path / "template.yaml"
    marked = [number for number, line in enumerate(text.splitlines(), 1) if MARK in line]
    # Without a mark, the line of the resource or section will do; broken YAML is noticed a line later.
    if marked and not error.message.startswith("not valid YAML"):
        assert error.place.line == marked[0]
    else:
        assert error.place.line


def test_an_unknown_override_names_the_parameters(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"template.yaml:3: .* no parameter Subnet; did you mean Subnets\? Allowed: Subnets"
    ):
        load(tmp_path, BASE, parameters={"Subnet": "subnet-1"})


def test_a_missing_parameter_names_its_line(tmp_path: Path) -> None:
    text = changed(BASE, "  Subnets:\n", "  Stage:\n    Type: String\n  Subnets:\n")
    with pytest.raises(UserError, match=r"template.yaml:4: parameter Stage: needs a value: .*Stage=VALUE"):
        load(tmp_path, text)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"template not found: .*none\.yaml"):
        load_stack(tmp_path / "none.yaml", stack_name="demo", parameters={})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a template: it must be a map"),
        ("- a\n", "not a template: it must be a map"),
        ("Resources: {}\n", "the template has no Resources"),
        ("Resources: []\n", "Resources must be a map"),
        ("a: &a [*a]\n", "an alias contains itself"),
        ("a: \x01\n", "not valid YAML"),
        ("a: " + "[" * 5000 + "]" * 5000, "not a template: nested too deeply"),
        ('{"Resources": {"A": {"Type": "AWS::Serverless::Function"}}', "not valid YAML"),
        (
            "Resources:\n  A:\n    Type: AWS::SQS::Queue\n",
            "nothing to run: the template holds no AWS::Serverless::Function",
        ),
    ],
)
def test_a_file_that_is_no_template(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    assert caught.value.message.startswith(message)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="the file is not UTF-8 text"):
        load_stack(path, stack_name="demo", parameters={})
    with pytest.raises(UserError, match="cannot read the template: Is a directory"):
        load_stack(tmp_path, stack_name="demo", parameters={})


@pytest.mark.parametrize("minimum", [0, -1, 15_001])
def test_a_bad_minimum(tmp_path: Path, minimum: int) -> None:
    with pytest.raises(UserError, match=f"--min-environments: bad value {minimum}; allowed: 1 to 15000"):
        load(tmp_path, BASE, min_environments=minimum)


def test_a_minimum_above_the_templates_maximum(tmp_path: Path) -> None:
    scaling = "      FunctionScalingConfig:\n        MaxExecutionEnvironments: 4\n      MemorySize: 2048"
    with pytest.raises(UserError, match="MaxExecutionEnvironments is 4, but --min-environments asks for 5"):
        load(tmp_path, changed(BASE, "      MemorySize: 2048", scaling), min_environments=5)


@pytest.mark.parametrize("name", ["", "1st", "a_b", "a" * 129])
def test_a_bad_stack_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="--stack-name: bad value"):
        load_stack(tmp_path / "template.yaml", stack_name=name, parameters={})
