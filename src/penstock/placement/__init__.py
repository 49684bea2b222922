"""Where execution environments go, and which of them leave. Pure: values in, values out."""

from penstock.placement.hosts import Host, Placed, PlacementSettings, Size, per_instance
from penstock.placement.leaving import due_for_rotation, idle_instances, to_drain
from penstock.placement.placing import Census, Fleet, Launch, NoRoom, Placement, choose_type, place, place_among
from penstock.placement.planning import Plan, Workload, environment_size, plan

__all__ = [
    "Census",
    "Fleet",
    "Host",
    "Launch",
    "NoRoom",
    "Placed",
    "Placement",
    "PlacementSettings",
    "Plan",
    "Size",
    "Workload",
    "choose_type",
    "due_for_rotation",
    "environment_size",
    "idle_instances",
    "per_instance",
    "place",
    "place_among",
    "plan",
    "to_drain",
]
