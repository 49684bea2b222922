"""Which environments and instances go. Nothing that serves is moved: an environment drains where it is."""

from collections.abc import Mapping, Sequence

from penstock.model.instances import InstanceState
from penstock.placement.hosts import Host, PlacementSettings


def to_drain(
    version: str, count: int, hosts: Sequence[Host], settings: PlacementSettings, zones: int
) -> tuple[str, ...]:
    """The ids of `count` environments of `version` to drain, so that instances become empty: those on the emptiest
    instance first, and there the one with the fewest requests. As long as there is a choice, as many instances as at
    the start keep an environment.
    """
    left = [list(host.environments) for host in hosts if host.instance.state is not InstanceState.SHUTTING_DOWN]
    kept = min(settings.initial_instances, zones)
    chosen: list[str] = []
    for _ in range(count):
        having = [one for one in left if any(placed.version == version for placed in one)]
        if not having:
            break
        occupied = sum(bool(one) for one in left)
        spare = [one for one in having if occupied > kept or len(one) > 1]
        emptiest = min(spare or having, key=len)
        gone = min((placed for placed in emptiest if placed.version == version), key=lambda placed: placed.in_flight)
        emptiest.remove(gone)
        chosen.append(gone.environment_id)
    return tuple(chosen)


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
