"""The adapter as a process: an event loop of its own and the signals that end it."""

import asyncio
import signal
import socket
import sys
from collections.abc import Mapping

from penstock_adapter.adapter import Adapter
from penstock_adapter.endpoint import OptionError, read_endpoint
from penstock_adapter.event_loop import new_event_loop
from penstock_adapter.extension import CONFIG_INVALID, tell_init_error
from penstock_adapter.options import read_options
from penstock_adapter.output import Output
from penstock_adapter.standby import StandBy


def run(registration: socket.socket, environ: Mapping[str, str], listener: socket.socket | None = None) -> int:
    """Runs the adapter to its end; returns the exit code. SIGTERM and SIGINT let invocations in hand finish.
    With `listener`, of `hand_over.listen`, it stands by for uvicorn.

    Variables that cannot be used are a line each and 1, and the platform is told.
    """
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            options = read_options(environ)
        except OptionError as error:
            sys.stdout.writelines(f"ERROR {line}\n" for line in str(error).split("\n"))
            api = read_endpoint("AWS_LAMBDA_RUNTIME_API", environ.get("AWS_LAMBDA_RUNTIME_API", ""))
            runner.run(tell_init_error(registration, api, CONFIG_INVALID, str(error)))
            return 1
        output = Output(options.log_level, as_json=options.log_as_json)
        stand_by = StandBy(listener, options.app, output) if listener is not None else None
        return runner.run(_run(Adapter(options, registration, output, stand_by)))


async def _run(adapter: Adapter) -> int:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, adapter.stop)
    loop.add_signal_handler(signal.SIGINT, adapter.stop)
    return await adapter.run()
