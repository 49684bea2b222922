"""What is made for thousands of instances decides as what is plain does."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from penstock.model.function import Architecture
from penstock.model.instances import InstanceState, ManagedInstance, allowed_types, catalogue
from penstock.placement import Census, Fleet, Host, Placed, PlacementSettings, Size, place, place_among, to_drain

SETTINGS = PlacementSettings()
ZONES = ("a", "b", "c")
TYPES = [one for one in catalogue() if one.name in ("m7a.xlarge", "m7a.2xlarge")]
STATES = st.sampled_from([InstanceState.RUNNING, InstanceState.DRAINING, InstanceState.SHUTTING_DOWN])
SIZE = Size(1.0, 2048)


@st.composite
def many_hosts(draw: st.DrawFn) -> list[Host]:
    hosts = []
    for number in range(draw(st.integers(0, 8))):
        versions = draw(st.lists(st.sampled_from(["f", "g"]), max_size=5))
        instance = ManagedInstance(
            f"i-{number}",
            draw(st.sampled_from(TYPES)),
            draw(st.sampled_from(ZONES)),
            float(draw(st.integers(0, 2))),
            draw(STATES),
        )
        in_flight = st.integers(0, 3)
        placed = [
            Placed(f"{number}.{place_}", version, SIZE, draw(in_flight)) for place_, version in enumerate(versions)
        ]
        hosts.append(Host(instance, tuple(placed)))
    return hosts


def plainly(version: str, count: int, hosts: list[Host], zones: int) -> tuple[str, ...]:
    """As the rule is told, one after the other, looking at every instance each time."""
    staying = [host for host in hosts if host.instance.state is not InstanceState.SHUTTING_DOWN]
    left = {host.instance.instance_id: list(host.environments) for host in staying}
    chosen: list[str] = []
    for _ in range(count):
        having = [host for host in staying if any(one.version == version for one in left[host.instance.instance_id])]
        if not having:
            break
        occupied = sum(bool(one) for one in left.values())
        spare = [
            host
            for host in having
            if occupied > min(SETTINGS.initial_instances, zones) or len(left[host.instance.instance_id]) > 1
        ]
        emptiest = min(
            spare or having,
            key=lambda host: (len(left[host.instance.instance_id]), -host.instance.launched_at),
        )
        there = left[emptiest.instance.instance_id]
        gone = min((one for one in there if one.version == version), key=lambda one: one.in_flight)
        there.remove(gone)
        chosen.append(gone.environment_id)
    return tuple(chosen)


def test_the_youngest_goes_first_also_of_those_that_were_to_stay() -> None:
    def host(number: int, launched_at: float, count: int) -> Host:
        instance = ManagedInstance(f"i-{number}", TYPES[0], "a", launched_at)
        return Host(instance, tuple(Placed(f"{number}.{place_}", "f", SIZE) for place_ in range(count)))

    hosts = [host(0, 0.0, 1), host(1, 1.0, 2)]
    assert to_drain("f", 2, hosts, SETTINGS, 2) == plainly("f", 2, hosts, 2) == ("1.0", "1.1")


@given(many_hosts(), st.integers(0, 12), st.integers(1, 4))
def test_those_who_drain_are_those_of_the_plain_rule(hosts: list[Host], count: int, zones: int) -> None:
    assert to_drain("f", count, hosts, SETTINGS, zones) == plainly("f", count, hosts, zones)


@given(many_hosts(), st.sampled_from([4, 40, 400]))
def test_one_of_each_kind_stands_for_all(hosts: list[Host], max_vcpus: int) -> None:
    """Alike: the same type, and as many environments of each version."""
    fleet = Fleet(allowed_types(Architecture.X86_64, ["m7a.*"]), ZONES, max_vcpus)
    there = [host for host in hosts if host.takes_more]
    first_of_kind = {
        (host.instance.type, tuple(sorted(one.version for one in host.environments))): host for host in reversed(there)
    }
    census = Census(
        len(there),
        sum(host.instance.type.vcpus for host in there),
        Counter(host.instance.zone for host in there),
        sum(host.count("f") for host in there),
    )
    in_order = [host for host in there if host in first_of_kind.values()]
    assert place_among("f", SIZE, in_order, census, fleet, SETTINGS) == place("f", SIZE, hosts, fleet, SETTINGS)
