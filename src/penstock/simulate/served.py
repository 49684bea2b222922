"""One environment that serves single requests, which share its vCPUs."""

import heapq


class Served:
    """Time as its requests see it passes at full speed as long as their CPU shares fit into `vcpus`, else slower for
    all of them alike. `stamp` changes with each request that comes or ends: an end that was foreseen before is void.
    """

    def __init__(self, environment: str, order: int, slots: int, vcpus: float, now: float) -> None:
        self.environment = environment
        self.order = order
        self.slots = slots
        self.draining = False
        self.stamp = 0
        self.in_flight = 0
        self._vcpus = vcpus
        self._requests: list[tuple[float, int, float]] = []
        self._wanted = 0.0
        self._speed = 1.0
        self._seen = 0.0
        self._now = now
        self._worked = 0.0
        self._most = 0

    def take(self, now: float, left: float, cpu: float) -> None:
        """A request that lasts `left` seconds more, if not slowed down, and takes `cpu` vCPUs meanwhile."""
        self._pass(now)
        self.stamp += 1
        heapq.heappush(self._requests, (self._seen + left, self.stamp, cpu))
        self._wanted += cpu
        self._turn()

    def end(self, now: float) -> None:
        """The request that ends first."""
        self._pass(now)
        self.stamp += 1
        self._wanted -= heapq.heappop(self._requests)[2]
        self._turn()

    @property
    def next_end(self) -> float:
        """When the next request ends, if nothing changes."""
        return max(self._now, self._now + (self._requests[0][0] - self._seen) / self._speed)

    def sample(self, now: float) -> tuple[int, float]:
        """The most in flight, and the CPU seconds used, since the last time."""
        self._pass(now)
        most, worked = self._most, self._worked
        self._most, self._worked = self.in_flight, 0.0
        return most, worked

    def _pass(self, now: float) -> None:
        passed = now - self._now
        self._seen += passed * self._speed
        self._worked += passed * self._speed * self._wanted
        self._now = now

    def _turn(self) -> None:
        self.in_flight = len(self._requests)
        self._most = max(self._most, self.in_flight)
        if not self._requests:
            self._wanted = 0.0  # what rounding left
        self._speed = 1.0 if self._wanted <= self._vcpus else self._vcpus / self._wanted
