"""What a running `penstock up` answers to other commands."""

from penstock.cli.control import Values
from penstock.cli.reporter import Reporter
from penstock.control_plane.instances import Instances, LiveInstance
from penstock.control_plane.scaling import ScalingLoop
from penstock.control_plane.status import snapshot
from penstock.model.clock import Clock
from penstock.model.errors import UserError


class Answers:
    """Raises UserError for what cannot be answered."""

    def __init__(self, scaling: ScalingLoop, clock: Clock, reporter: Reporter) -> None:
        self._scaling = scaling
        self._clock = clock
        self._reporter = reporter

    def answer(self, question: Values) -> Values:
        ask = question.get("ask")
        if ask == "status":
            scaling = self._scaling
            return snapshot(scaling.instances, scaling.autoscalers, scaling.usage, self._clock.monotonic())
        if ask == "lose-instance":
            instances, live = self._find(question)
            return {"instance": live.instance.instance_id, "environments": instances.lose(live)}
        if ask == "rotate-instance":
            instances, live = self._find(question)
            self._scaling.rotate(instances, live.instance.instance_id)
            return {"instance": live.instance.instance_id}
        raise UserError(f"this `penstock up` does not know {ask!r}; is it of another version?")

    def _find(self, question: Values) -> tuple[Instances, LiveInstance]:
        wanted = str(question.get("instance") or "")
        there = [(one, live) for one in self._scaling.instances for live in one.live]
        found = [(one, live) for one, live in there if wanted and live.instance.instance_id.startswith(wanted)]
        if len(found) == 1:
            return found[0]
        ids = ", ".join(live.instance.instance_id for _, live in there)
        what = "more than one instance begins with" if found else "no instance is called"
        raise UserError(f"{what} {wanted!r}; there are {ids}")
