"""The checklist as data: numbered scenarios, and for each the tests that prove it or the reason why there are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

ROOT: Final = Path(__file__).parents[2]
RUNTIME_API: Final = Path(__file__).with_name("runtime_api.yaml")
WEB_ADAPTER: Final = Path(__file__).with_name("web_adapter.yaml")
FUNCTION_URL: Final = Path(__file__).with_name("function_url.yaml")

Outcome: TypeAlias = Literal["passed", "failed", "skipped"]
Result: TypeAlias = Literal["passed", "failed", "skipped", "differs", "not applicable"]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Scenario(BaseModel):
    """`test` holds node ids as the file has them; exactly one of it and the two reasons says what became of the
    scenario, but what happens instead may be tested as well.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    scenario: str = Field(min_length=1)
    test: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    differs: str = ""
    not_applicable: str = Field(default="", alias="not-applicable")

    @model_validator(mode="after")
    def _one_way_or_another(self) -> "Scenario":
        if self.not_applicable and (self.test or self.differs):
            raise ValueError(f"{self.number}: what does not apply has neither tests nor differences")
        if not (self.test or self.differs or self.not_applicable):
            raise ValueError(f"{self.number}: needs a test or a reason")
        return self


class Checklist(BaseModel):
    """`files` names the test files that node ids begin with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: dict[str, str]
    scenarios: tuple[Scenario, ...]

    def nodes(self, scenario: Scenario) -> tuple[str, ...]:
        """The scenario's tests as pytest takes them. Raises KeyError for a file without a name."""
        parts = (node.partition("::") for node in scenario.test)
        return tuple(f"{self.files[file]}::{rest}" for file, _, rest in parts)

    @property
    def all_nodes(self) -> tuple[str, ...]:
        """Every test once, in order."""
        return tuple(dict.fromkeys(node for scenario in self.scenarios for node in self.nodes(scenario)))


def load(path: Path) -> Checklist:
    return Checklist.model_validate(yaml.safe_load(path.read_text()))


def belongs(test: str, node: str) -> bool:
    """Whether the collected `test` is what `node` names: itself, one of its parameters, or one of its class."""
    return test == node or test.startswith((f"{node}[", f"{node}::"))


@dataclass(frozen=True, slots=True)
class Judged:
    scenario: Scenario
    result: Result


def judge(checklist: Checklist, outcomes: dict[str, Outcome]) -> list[Judged]:
    """What became of each scenario. `outcomes` by the node id of each test that ran."""
    return [
        Judged(scenario, _result(scenario, checklist.nodes(scenario), outcomes)) for scenario in checklist.scenarios
    ]


def _result(scenario: Scenario, nodes: Sequence[str], outcomes: dict[str, Outcome]) -> Result:
    if scenario.not_applicable:
        return "not applicable"
    found = [{outcome for test, outcome in outcomes.items() if belongs(test, node)} for node in nodes]
    # A test that did not run proves nothing.
    if any("failed" in one or not one for one in found):
        return "failed"
    if scenario.differs:
        return "differs"
    # Where one test needs what this machine has not, another may have proved it.
    return "passed" if any("passed" in one for one in found) else "skipped"
