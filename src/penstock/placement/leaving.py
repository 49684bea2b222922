"""Which environments and instances go. Nothing that serves is moved: an environment drains where it is."""

import heapq
from collections.abc import Mapping, Sequence

from penstock.model.instances import InstanceState
from penstock.placement.hosts import Host, Placed, PlacementSettings


def to_drain(
    version: str, count: int, hosts: Sequence[Host], settings: PlacementSettings, zones: int
) -> tuple[str, ...]:
    """The ids of `count` environments of `version` to drain, so that instances become empty: those on the emptiest
    instance first, the youngest of these, and there the one with the fewest requests. As long as there is a choice, as
    many instances as at the start keep an environment.
    """
    staying = [host for host in hosts if host.instance.state is not InstanceState.SHUTTING_DOWN]
    left = [list(host.environments) for host in staying]
    age = [-host.instance.launched_at for host in staying]
    occupied = sum(bool(one) for one in left)
    kept = min(settings.initial_instances, zones)
    # The emptiest instance with an environment of this version first; those in `last`, which have one each, would
    # become empty too early.
    waiting = [(len(one), age[number], number) for number, one in enumerate(left) if _has(one, version)]
    heapq.heapify(waiting)
    last: list[tuple[float, int]] = []
    chosen: list[str] = []
    while len(chosen) < count and (waiting or last):
        if waiting and waiting[0][0] == 1 and occupied <= kept:
            heapq.heappush(last, heapq.heappop(waiting)[1:])
            continue
        number = (heapq.heappop(waiting) if waiting else heapq.heappop(last))[-1]
        one = left[number]
        gone = min((placed for placed in one if placed.version == version), key=lambda placed: placed.in_flight)
        one.remove(gone)
        chosen.append(gone.environment_id)
        occupied -= not one
        if _has(one, version):
            heapq.heappush(waiting, (len(one), age[number], number))
    return tuple(chosen)


def _has(environments: Sequence[Placed], version: str) -> bool:
    return any(placed.version == version for placed in environments)


def idle_instances(
    hosts: Sequence[Host], empty_since: Mapping[str, float], now: float, settings: PlacementSettings
) -> tuple[str, ...]:
    """The ids of instances that have been without an environment for long enough to be terminated."""
    return tuple(
        host.instance.instance_id
        for host in hosts
        if not host.environments and now - empty_since.get(host.instance.instance_id, now) >= settings.idle_s
    )


def due_for_rotation(hosts: Sequence[Host], now: float, settings: PlacementSettings) -> str | None:
    """The oldest instance, if it is too old and none other is being replaced."""
    if any(host.instance.state is InstanceState.DRAINING for host in hosts):
        return None
    running = [host.instance for host in hosts if host.instance.state is InstanceState.RUNNING]
    oldest = min(running, key=lambda instance: instance.launched_at, default=None)
    if oldest is None or now - oldest.launched_at < settings.max_age_s:
        return None
    return oldest.instance_id
