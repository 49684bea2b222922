"""An app in process, behind a real Function URL door, router and Runtime API on sockets.

async with AppRig(app) as rig:
    answer = await rig.http.get("/")
"""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import httpx

from penstock.model.function import InvokeMode
from penstock_adapter.app_interface import as_asgi
from penstock_adapter.asgi_exchange import AsgiMode
from penstock_adapter.lifespan import Lifespan
from penstock_adapter.options import read_options
from penstock_adapter.output import Output
from penstock_adapter.runtime_client import RuntimeClient
from support.streams import within
from support.url_rig import UrlRig, until


class AppRig:
    """`variables` are the function's own. `lines` is what the adapter has logged. All slots are on one link, unless
    `linked` says otherwise.
    """

    def __init__(
        self, app: object, *, slots: int = 4, streaming: bool = True, linked: bool = True, **variables: str
    ) -> None:
        self.app = app
        self.slots = slots
        self.linked = linked
        self.lines: list[str] = []
        self.exits: list[int] = []
        self.url = UrlRig(InvokeMode.RESPONSE_STREAM if streaming else InvokeMode.BUFFERED)
        self._variables = {"AWS_LWA_INVOKE_MODE": "response_stream" if streaming else "buffered", **variables}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.url)
        host, port = self.url.only.address
        options = read_options(
            {
                "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}",
                "AWS_LAMBDA_MAX_CONCURRENCY": str(self.slots),
                "PENSTOCK_POLLS_AHEAD": "1",
                **self._variables,
            }
        )
        output = Output(write=self.lines.append)
        app = as_asgi(self.app, self.slots)
        lifespan = Lifespan(app)
        await within(lifespan.startup())
        self._stack.push_async_callback(lifespan.shutdown)
        self.mode = AsgiMode(app, options, output, lifespan.state, self.exits.append)
        self._stack.callback(self.mode.close)
        self.client = RuntimeClient(
            options.runtime_api,
            self.slots,
            self.mode.new_handler,
            output,
            self.lines.append,
            polls_ahead=True,
            linked=self.linked,
        )
        self._stack.callback(self.client.close)
        self.client.start()
        await self.all_free()
        self.http = httpx.AsyncClient(base_url=self.url.url, trust_env=False, timeout=20)
        await self._stack.enter_async_context(self.http)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        await asyncio.sleep(0)

    async def all_free(self) -> None:
        """Every slot polls: nothing is left of the requests before."""
        await until(lambda: self.url.only.free_slots == self.slots)

    @property
    def log(self) -> str:
        return "".join(self.lines)
