"""`python -m penstock_adapter.in_process`: the ASGI app that the handler names, on the Runtime API in this process."""

import asyncio
import os
import signal
import sys
from typing import cast

from penstock_adapter.asgi_exchange import App, AsgiMode
from penstock_adapter.handler import load_handler
from penstock_adapter.lifespan import Lifespan
from penstock_adapter.options import read_options
from penstock_adapter.output import Output
from penstock_adapter.process import new_event_loop
from penstock_adapter.request_context import name_in_log_records
from penstock_adapter.runtime_client import RuntimeClient


async def _run(name: str) -> int:
    options = read_options(os.environ)
    output = Output(options.log_level, as_json=options.log_as_json)
    name_in_log_records()
    app = cast("App", load_handler(name))
    lifespan = Lifespan(app)
    state = lifespan.state if await lifespan.startup() else None
    mode = AsgiMode(app, options, output, state)
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    def gone(reason: str) -> None:
        output.error(reason)
        end(1)

    client = RuntimeClient(
        options.runtime_api, options.concurrency, mode.new_handler, output, gone, polls_ahead=options.polls_ahead
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: client.drain(lambda: end(0)))
    client.start()
    try:
        return await ended
    finally:
        client.close()
        await lifespan.shutdown()


def main() -> int:
    sys.path.insert(0, os.environ.get("LAMBDA_TASK_ROOT", "/var/task"))
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_run(os.environ["_HANDLER"]))


if __name__ == "__main__":
    sys.exit(main())
