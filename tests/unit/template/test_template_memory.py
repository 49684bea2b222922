"""A template seen before is not translated again, and gives the same stack."""

import subprocess
import sys
from pathlib import Path

from penstock.template import load_stack

EXAMPLE = Path(__file__).parents[3] / "examples" / "fastapi-streaming" / "template.yaml"
LOAD = """
import sys
from pathlib import Path
from penstock.template import load_stack
load_stack(Path(sys.argv[1]), stack_name="s", parameters={}, memory=Path(sys.argv[2]))
print("samtranslator" in sys.modules)
"""


def load_in_process(memory: Path) -> str:
    command = [sys.executable, "-c", LOAD, str(EXAMPLE), str(memory)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_translator_is_imported_only_for_a_template_not_seen_before(tmp_path: Path) -> None:
    assert load_in_process(tmp_path) == "True"
    assert load_in_process(tmp_path) == "False"


def test_the_same_stack_comes_from_memory(tmp_path: Path) -> None:
    first, second, without = (
        load_stack(EXAMPLE, stack_name="s", parameters={}, memory=memory) for memory in (tmp_path, tmp_path, None)
    )
    assert first.functions == second.functions == without.functions
    assert first.outputs({}) == second.outputs({})
    assert len(list(tmp_path.iterdir())) == 1


def test_other_parameters_are_another_entry(tmp_path: Path) -> None:
    load_stack(EXAMPLE, stack_name="s", parameters={}, memory=tmp_path)
    load_stack(EXAMPLE, stack_name="s", parameters={"SubnetIds": "subnet-1"}, memory=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_entry_is_made_again(tmp_path: Path) -> None:
    first = load_stack(EXAMPLE, stack_name="s", parameters={}, memory=tmp_path)
    entry = next(tmp_path.iterdir())
    entry.write_text("{")
    assert load_stack(EXAMPLE, stack_name="s", parameters={}, memory=tmp_path).functions == first.functions
    assert entry.read_text() != "{"


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert load_stack(EXAMPLE, stack_name="s", parameters={}, memory=tmp_path / "file").functions
