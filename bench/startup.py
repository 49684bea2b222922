"""From the command to a served URL, dependencies cached: the example, three environments."""

from bench.harness import EXAMPLE, spread, up

STARTS = 5


async def run() -> list[str]:
    seconds = []
    for _ in range(STARTS + 1):
        async with up(EXAMPLE) as platform:
            seconds.append(platform.seconds_to_ready)
    return [f"URL ready: {spread(seconds[1:], 's')}; the first start of this run took {seconds[0]:.2f} s"]
