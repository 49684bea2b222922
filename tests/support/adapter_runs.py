"""Runs the web adapter on the running loop against scripted peers."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from penstock_adapter import hand_over
from penstock_adapter.adapter import Adapter
from penstock_adapter.endpoint import read_endpoint
from penstock_adapter.options import read_options
from penstock_adapter.output import Output
from penstock_adapter.registration import send_registration
from penstock_adapter.standby import StandBy


class AdapterRun:
    """An adapter at work, which stands by if told to. `exit` is the task whose result is its exit code."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.lines: list[str] = []
        options = read_options(environ)
        address = environ["AWS_LAMBDA_RUNTIME_API"]
        output = Output(write=self.lines.append)
        stand_by = StandBy(hand_over.listen(address), options.app, output) if options.uvicorn_hook else None
        registration = send_registration(read_endpoint("AWS_LAMBDA_RUNTIME_API", address))
        self.adapter = Adapter(options, registration, output, stand_by)
        self.exit = asyncio.get_running_loop().create_task(self.adapter.run())


@asynccontextmanager
async def running_adapter(runtime_api: str, app_port: int, **variables: str) -> AsyncIterator[AdapterRun]:
    """Streams and checks readiness by TCP unless `variables` say otherwise."""
    environ = {
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_LWA_PORT": str(app_port),
        "AWS_LWA_INVOKE_MODE": "response_stream",
        "AWS_LWA_READINESS_CHECK_PROTOCOL": "tcp",
        **variables,
    }
    run = AdapterRun(environ)
    try:
        yield run
    finally:
        run.exit.cancel()
        with suppress(asyncio.CancelledError):
            await run.exit
