"""Made-up measurements of a check."""

from collections.abc import Mapping, Sequence

from penstock.check.answers import Answer
from penstock.check.inside.penstock_probe.look import Slot
from penstock.check.measured import Environment, Level, LoopDelays, Measured, Sighting

MIB = 1 << 20
TARGET = "GET /hello"


def own(seconds: float = 0.02, *, target: int = 0, digest: bytes = b"hello") -> Answer:
    """An answer as it should be, with its own token."""
    return Answer(target, seconds, 200, echoed=True, digest=digest)


def plain(seconds: float = 0.02, *, digest: bytes = b"hello") -> Answer:
    """One that holds no token at all."""
    return Answer(0, seconds, 200, digest=digest)


def foreign(*numbers: int) -> Answer:
    """One that holds the tokens of other requests."""
    return Answer(0, 0.02, 200, foreign=frozenset(numbers), digest=b"other")


def failed(status: int = 500, error: str = "") -> Answer:
    return Answer(0, 0.02, status, error)


def level(
    concurrency: int,
    answers: Sequence[Answer] = (own(), own(), own()),
    *,
    seconds: float = 1.0,
    cpu_s: float | None = None,
    peak_mib: float | None = None,
    delays: Sequence[float] | None = None,
    blocks: Mapping[str, tuple[float, ...]] | None = None,
    died: str = "",
) -> Level:
    return Level(
        concurrency,
        seconds,
        tuple(answers),
        cpu_s,
        None if peak_mib is None else int(peak_mib * MIB),
        None if delays is None else LoopDelays(tuple(delays), blocks or {}),
        died,
    )


def measured(
    *levels: Level,
    most: int = 64,
    memory_mib: int = 2048,
    shares_process: bool = True,
    targets: Sequence[str] = (TARGET,),
    sightings: Sequence[Sighting] = (),
    processes: int = 1,
    idle_cpu: float = 0.0,
) -> Measured:
    environment = Environment(memory_mib * MIB, memory_mib / 2048, most, shares_process)
    return Measured(environment, targets, levels, idle_cpu, sightings, processes)


def text(content: str, *tokens: str) -> Slot:
    """A variable that holds a text, with these tokens in it."""
    return Slot("value", "str", id(content), -1, hash(content), tokens)


def number(value: int) -> Slot:
    return Slot("value", "int", id(value), -1, hash(value), ())


def box(size: int, *tokens: str, identity: int = 1, kind: str = "dict") -> Slot:
    """A container."""
    return Slot("container", kind, identity, size, size, tokens)


def thing(identity: int, *tokens: str, kind: str = "object", type_name: str = "Request") -> Slot:
    return Slot(kind, type_name, identity, -1, 0, tokens)


def sightings(*seen: tuple[int, Mapping[str, Slot]], process: int = 1, step: int = 100) -> list[Sighting]:
    """Looks at one process, each with its level and what was there, `step` requests after each other."""
    return [Sighting(process, at, index * step, slots) for index, (at, slots) in enumerate(seen)]
