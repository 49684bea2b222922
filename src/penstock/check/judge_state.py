"""Module state that changed while requests ran, from looks at what the app's modules held. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from penstock.check.findings import Finding, Kind
from penstock.check.inside.penstock_probe.look import Slot
from penstock.check.measured import Measured, Sighting

# A container that takes in something for every second request at least, and so much in all, grows with them (assumed).
_GROWS_BY = 0.5
_GROWN = 50
_SHOWN = 8


@dataclass(slots=True)
class Change:
    """One name. `changes` is how often two looks after each other found it different, `levels` on which levels;
    `tokens` are those of the requests that it held in place of each other, `grown` how many things it took in.
    """

    name: str
    type: str
    changes: int = 0
    levels: set[int] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    grown: int = 0
    requests: int = 0

    @property
    def is_overwritten(self) -> bool:
        """Whether it held something of one request, and later of another in its place."""
        return len(self.tokens) > 1

    @property
    def grows(self) -> bool:
        """Whether it takes in something with each request and lets go of nothing."""
        return self.grown >= max(_GROWN, _GROWS_BY * self.requests)


def find_changes(sightings: Sequence[Sighting]) -> list[Change]:
    """By name; those of the same name in several processes together."""
    changes: dict[str, Change] = {}
    processes: dict[int, list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        processes[sighting.process].append(sighting)
    for own in processes.values():
        for before, after in pairwise(own):
            _compare(before, after, changes)
        _measure_growth(own, changes)
    return sorted(changes.values(), key=lambda change: change.name)


def _compare(before: Sighting, after: Sighting, changes: dict[str, Change]) -> None:
    for name, slot in after.slots.items():
        old = before.slots.get(name)
        if old is None or not _differs(old, slot):
            continue
        change = changes.setdefault(name, Change(name, slot.type))
        change.type = slot.type
        change.changes += 1
        change.levels.add(after.level)
        if slot.kind != "container":  # which holds them beside each other
            change.tokens.update(_key(one) for one in (old, slot) if one.tokens)


def _key(slot: Slot) -> str:
    return ",".join(sorted(slot.tokens))


def _differs(old: Slot, new: Slot) -> bool:
    if old.kind != new.kind or old.type != new.type:
        return True
    if new.kind == "value":
        return old.digest != new.digest
    if new.kind == "container":
        return (old.identity, old.size, old.digest) != (new.identity, new.size, new.digest)
    return old.identity != new.identity


def _measure_growth(own: Sequence[Sighting], changes: Mapping[str, Change]) -> None:
    for name, change in changes.items():
        sizes = [(one.requests, one.slots[name].size) for one in own if name in one.slots]
        if len(sizes) > 1 and all(earlier[1] <= later[1] for earlier, later in pairwise(sizes)):
            change.grown += sizes[-1][1] - sizes[0][1]
        if sizes:
            change.requests = max(change.requests, sizes[-1][0] - sizes[0][0])


def judge_state(measured: Measured, changes: Iterable[Change], ignored: Collection[str]) -> list[Finding]:
    """State that one request overwrites while others run. `ignored` are names that may be."""
    if not measured.environment.shares_process:
        return []
    names = [change for change in changes if change.is_overwritten and change.name not in ignored]
    return [
        Finding(
            Kind.STATE,
            f"{change.name} ({change.type}) held data of one request and then of another, while others ran",
            "give it to the functions that need it, or make it a contextvars.ContextVar; "
            f"--ignore-state {change.name} when it is meant so",
        )
        for change in names
    ]


def note_state(measured: Measured, changes: Sequence[Change], ignored: Collection[str]) -> list[str]:
    """What is worth knowing and no fault."""
    notes: list[str] = []
    if not measured.processes:
        notes.append("module state and the event loop were not looked at: the app runs no Python that could be asked")
        return notes
    if not measured.environment.shares_process:
        notes.append("each slot is a process of its own: no two requests share module state")
    told = {change.name for change in changes if change.is_overwritten and change.name not in ignored}
    ordinary = [change for change in changes if change.changes > 1 and change.name not in told]
    if ordinary and measured.environment.shares_process:
        notes.append(f"module state that changes with requests, and holds no single one's data: {_names(ordinary)}")
    growing = [change for change in ordinary if change.grows]
    if growing:
        notes.append(f"takes in something with each request and lets go of nothing: {_names(growing)}")
    local = _thread_locals(measured.sightings)
    if local and any(level.loop for level in measured.levels):
        notes.append(f"{', '.join(local)}: all requests of an event loop share a threading.local; use contextvars")
    return notes


def _names(changes: Sequence[Change]) -> str:
    shown = ", ".join(change.name for change in changes[:_SHOWN])
    return f"{shown} and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else shown


def _thread_locals(sightings: Sequence[Sighting]) -> list[str]:
    return sorted({name for one in sightings for name, slot in one.slots.items() if slot.kind == "thread-local"})
