"""The catalogue of instance types: what AWS launches, and nothing it does not."""

import pytest

from penstock.model.function import Architecture
from penstock.model.instances import MIB_PER_GIB, allowed_types, catalogue, find

CALCULATOR = {
    "c7g.xlarge": 0.1450,
    "c7g.2xlarge": 0.29,
    "c7g.4xlarge": 0.58,
    "m7g.xlarge": 0.1632,
    "m7g.2xlarge": 0.3264,
    "m7g.4xlarge": 0.6528,
    "r7g.xlarge": 0.2140,
}
GIB_PER_VCPU = {"c": 2, "m": 4, "r": 8}
VCPUS_PER_XLARGE = 4


def names(architecture: Architecture, allowed: tuple[str, ...] = (), excluded: tuple[str, ...] = ()) -> set[str]:
    return {one.name for one in allowed_types(architecture, allowed, excluded)}


def vcpus_by_size(size: str) -> int:
    if size == "large":
        return 2
    return VCPUS_PER_XLARGE * int(size.removesuffix("xlarge") or 1)


def test_prices_of_awss_calculator_to_the_digit() -> None:
    found = {one.name: one.usd_per_hour for one in catalogue()}
    assert {name: found[name] for name in CALCULATOR} == CALCULATOR


def test_every_type_is_what_its_name_says() -> None:
    for one in catalogue():
        size = one.name.removeprefix(f"{one.family}.")
        assert one.vcpus == vcpus_by_size(size)
        assert one.memory_mib == one.vcpus * GIB_PER_VCPU[one.name[0]] * MIB_PER_GIB
        assert (one.architecture is Architecture.ARM64) == (one.family[2] == "g")
        assert one.source in ("calculator", "karpenter", "assumed")


def test_each_stands_there_once_and_families_stay_together() -> None:
    """`find` takes the first of a name; the order of families is the order of preference."""
    every = [one.name for one in catalogue()]
    assert len(every) == len(set(every)) > 400
    families = [one.family for one in catalogue()]
    assert families == sorted(families, key=list(dict.fromkeys(families)).index)


def test_a_larger_size_costs_more_and_a_vcpu_about_the_same() -> None:
    by_family: dict[str, list[tuple[int, float]]] = {}
    for one in catalogue():
        by_family.setdefault(one.family, []).append((one.vcpus, one.usd_per_hour))
    for family, rows in by_family.items():
        assert rows == sorted(rows), family
        each = [price / vcpus for vcpus, price in rows]
        assert max(each) / min(each) == pytest.approx(1.0, abs=0.002), family


@pytest.mark.parametrize("family", ["c7i", "c7a", "c7g", "m7i", "m7a", "m7g", "r7i", "r7a", "r7g", "c8g", "m8g", "r8g"])
def test_current_generations_from_large_up(family: str) -> None:
    sizes = {one.name for one in catalogue() if one.family == family}
    assert {f"{family}.large", f"{family}.xlarge", f"{family}.16xlarge"} <= sizes


@pytest.mark.parametrize(
    "name", ["c7i.32xlarge", "c8g.32xlarge", "c7g.24xlarge", "m7a.medium", "t3.large", "m7i.metal"]
)
def test_what_there_is_not(name: str) -> None:
    """Not every size comes in every family; T and sizes below .large are no managed instances."""
    assert find(name) is None


def test_what_is_on_no_price_list_says_assumed() -> None:
    assert {one.family for one in catalogue() if one.source == "assumed"} == {"c9g", "m9g", "r9g"}


def test_wildcards() -> None:
    arm = Architecture.ARM64
    assert names(arm, ("c7g.*",)) == {one.name for one in catalogue() if one.family == "c7g"}
    assert names(arm, ("*7g.xlarge",)) == {"c7g.xlarge", "m7g.xlarge", "r7g.xlarge"}
    assert names(arm, ("m7g.2xlarge", "c7g.large")) == {"m7g.2xlarge", "c7g.large"}
    assert names(arm, excluded=("*",)) == set()
    assert not any(name.startswith("c") for name in names(arm, excluded=("c*",)))


def test_types_of_the_other_architecture_are_never_allowed() -> None:
    assert names(Architecture.X86_64, ("c7g.*",)) == set()
    both = names(Architecture.X86_64) | names(Architecture.ARM64)
    assert both == {one.name for one in catalogue()}
    assert not names(Architecture.X86_64) & names(Architecture.ARM64)


def test_a_dot_is_a_dot() -> None:
    assert names(Architecture.ARM64, ("c7g*xlarge",)) >= {"c7g.xlarge", "c7gd.xlarge"}
    assert names(Architecture.ARM64, ("c7g.xlarge",)) == {"c7g.xlarge"}
