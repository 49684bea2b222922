"""Where environments go and which of them leave."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.model.function import Architecture
from penstock.model.instances import InstanceState, ManagedInstance, allowed_types, find, zones_of
from penstock.placement import (
    Fleet,
    Host,
    Launch,
    NoRoom,
    Placed,
    PlacementSettings,
    Size,
    choose_type,
    due_for_rotation,
    idle_instances,
    per_instance,
    place,
    to_drain,
)

SETTINGS = PlacementSettings()
SMALL = Size(1.0, 2048)
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
FLEET = Fleet(allowed_types(Architecture.X86_64), ZONES, 400)


class Cluster:
    """Carries out what is decided."""

    def __init__(self, fleet: Fleet = FLEET) -> None:
        self.fleet = fleet
        self.hosts: dict[str, Host] = {}
        self.refused: list[NoRoom] = []
        self._number = 0

    def add(self, version: str, count: int = 1, size: Size = SMALL) -> None:
        for _ in range(count):
            found = place(version, size, list(self.hosts.values()), self.fleet, SETTINGS)
            if isinstance(found, NoRoom):
                self.refused.append(found)
                continue
            if isinstance(found, Launch):
                instance = ManagedInstance(f"i-{len(self.hosts)}", found.type, found.zone, 0.0)
                found = Host(instance)
            self._number += 1
            placed = Placed(f"e{self._number}", version, size)
            self.hosts[found.instance.instance_id] = Host(found.instance, (*found.environments, placed))

    def drop(self, ids: tuple[str, ...]) -> None:
        for name, host in self.hosts.items():
            left = tuple(one for one in host.environments if one.environment_id not in ids)
            self.hosts[name] = Host(host.instance, left)

    @property
    def loads(self) -> list[int]:
        return [len(host.environments) for host in self.hosts.values()]


def test_the_first_three_are_spread_over_instances_and_zones() -> None:
    cluster = Cluster()
    cluster.add("f:1", 3)
    assert [host.instance.zone for host in cluster.hosts.values()] == list(ZONES)
    assert cluster.loads == [1, 1, 1]
    assert {host.instance.type.name for host in cluster.hosts.values()} == {"m7a.xlarge"}


def test_as_many_instances_as_zones_at_the_start() -> None:
    """Seen on AWS: three environments regardless."""
    cluster = Cluster(Fleet(FLEET.types, ZONES[:2], 400))
    cluster.add("f:1", 3)
    assert sorted(cluster.loads) == [1, 2]


def test_room_that_is_there_is_used_before_anything_is_launched() -> None:
    cluster = Cluster()
    cluster.add("f:1", 9)
    assert cluster.loads == [3, 3, 3]  # 4 vCPUs less 1 each
    cluster.add("f:1")
    assert cluster.loads == [3, 3, 3, 1]


def test_several_functions_share_instances_and_are_spread_each() -> None:
    cluster = Cluster()
    cluster.add("f:1", 3)
    cluster.add("g:1", 3)
    assert [sorted(one.version for one in host.environments) for host in cluster.hosts.values()] == [["f:1", "g:1"]] * 3


def test_the_cap_on_vcpus() -> None:
    cluster = Cluster(Fleet(FLEET.types, ZONES, 14))
    cluster.add("f:1", 20)
    assert cluster.refused[0] is NoRoom.VCPU_LIMIT
    assert sum(host.instance.type.vcpus for host in cluster.hosts.values()) == 14  # three of 4 and one of 2
    assert sum(cluster.loads) == 3 * 3 + 1


def test_nothing_allowed_holds_it() -> None:
    tiny = Fleet(allowed_types(Architecture.X86_64, ["c7a.large"]), ZONES, 400)
    assert place("f:1", Size(4.0, 8192), [], tiny, SETTINGS) is NoRoom.NO_TYPE


def test_types() -> None:
    arm = allowed_types(Architecture.ARM64)
    assert [choose_type(size, arm, SETTINGS) for size in (SMALL, Size(1.0, 8192), Size(16.0, 32768))] == [
        find("c7g.xlarge"),
        find("r7g.xlarge"),
        find("c7g.8xlarge"),
    ]
    without = allowed_types(Architecture.X86_64, excluded=["m*", "c*"])
    assert choose_type(SMALL, without, SETTINGS) == find("r7a.xlarge")


def test_the_arithmetic_of_awss_calculator() -> None:
    """c7g.xlarge, 2 GB and 1 vCPU: min(3, 3) environments."""
    c7g, r7g = find("c7g.xlarge"), find("r7g.xlarge")
    assert c7g is not None
    assert r7g is not None
    assert (per_instance(c7g, SMALL, SETTINGS), per_instance(r7g, Size(1.0, 8192), SETTINGS)) == (3, 3)
    assert (c7g.usd_per_hour, r7g.usd_per_hour) == (0.145, 0.214)


def test_shrinking_empties_the_instances_beyond_the_first() -> None:
    cluster = Cluster()
    cluster.add("f:1", 11)
    assert cluster.loads == [3, 3, 3, 2]
    hosts = list(cluster.hosts.values())
    cluster.drop(to_drain("f:1", 2, hosts, SETTINGS, 3))
    assert cluster.loads == [3, 3, 3, 0]
    cluster.drop(to_drain("f:1", 6, list(cluster.hosts.values()), SETTINGS, 3))
    assert cluster.loads == [1, 1, 1, 0]
    cluster.drop(to_drain("f:1", 9, list(cluster.hosts.values()), SETTINGS, 3))
    assert cluster.loads == [0, 0, 0, 0]


def test_the_least_busy_one_drains() -> None:
    instance = ManagedInstance("i-1", FLEET.types[1], ZONES[0], 0.0)
    host = Host(instance, (Placed("busy", "f:1", SMALL, 9), Placed("idle", "f:1", SMALL, 0)))
    assert to_drain("f:1", 1, [host], SETTINGS, 3) == ("idle",)


def test_empty_instances_end_after_a_while() -> None:
    instance = ManagedInstance("i-1", FLEET.types[1], ZONES[0], 0.0)
    assert idle_instances([Host(instance)], {}, 1000.0, SETTINGS) == ()
    assert idle_instances([Host(instance)], {"i-1": 900.0}, 1000.0, SETTINGS) == ()
    assert idle_instances([Host(instance)], {"i-1": 880.0}, 1000.0, SETTINGS) == ("i-1",)


def test_the_oldest_instance_is_replaced_one_at_a_time() -> None:
    def host(name: str, at: float, state: InstanceState = InstanceState.RUNNING) -> Host:
        return Host(ManagedInstance(name, FLEET.types[1], ZONES[0], at, state))

    now = SETTINGS.max_age_s
    assert due_for_rotation([host("a", 1.0), host("b", 2.0)], now, SETTINGS) is None
    assert due_for_rotation([host("a", 0.0), host("b", -1.0)], now, SETTINGS) == "b"
    assert due_for_rotation([host("a", 0.0), host("b", -1.0, InstanceState.DRAINING)], now, SETTINGS) is None


def test_zones_take_turns() -> None:
    assert zones_of(["s1", "s2"], "eu-west-1") == ("eu-west-1a", "eu-west-1b")


sizes = st.sampled_from([SMALL, Size(2.0, 4096), Size(1.0, 8192), Size(0.5, 4096)])


@given(st.lists(st.tuples(st.sampled_from("fgh"), sizes, st.integers(1, 8)), max_size=8), st.integers(2, 60))
def test_never_more_than_fits_and_never_over_the_cap(wanted: list[tuple[str, Size, int]], cap: int) -> None:
    cluster = Cluster(Fleet(FLEET.types, ZONES, cap))
    for version, size, count in wanted:
        cluster.add(version, count, size)
    assert sum(host.instance.type.vcpus for host in cluster.hosts.values()) <= cap
    for host in cluster.hosts.values():
        assert host.used.vcpus <= host.instance.type.vcpus - 1
        assert host.used.memory_mib <= host.instance.type.memory_mib - 1024
