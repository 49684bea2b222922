"""The platform's end of the connections to the probes inside: one for each Python process of the environment."""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson

from penstock.check import inside
from penstock.check.inside.penstock_probe import SOCKET, TOKENS
from penstock.check.inside.penstock_probe.look import Slot
from penstock.check.measured import LoopDelays
from penstock.environment.worker_streams import bind_at
from penstock.model.limits import MIB

_PATIENCE_S: Final = 5.0
"""A process that does not answer for so long is left out: it has ended, or its interpreter is held up."""
_MAX_LINE: Final = 32 * MIB
_HOOK: Final = "PENSTOCK_UVICORN_HOOK"
# Of Python 3: those that a function may run on, here or on AWS, and a few to come.
_MINORS: Final = range(9, 20)


def probe_variables(socket: Path, pattern: str, environment: Mapping[str, str]) -> dict[str, str]:
    """What a function's variables `environment` need besides, so that its Python processes begin the probe. Beside the
    socket a folder of links is made. Raises OSError.

    Where there is no mount namespace, paths below /opt and the like are rewritten: not those that begin with `/.`.
    """
    folder = Path(next(iter(inside.__path__))).resolve()
    found = environment.get("PYTHONPATH")
    base = socket.resolve().parent / "user"
    _link_user_site(base, folder)
    return {
        # By both, because a script that starts the app may set PYTHONPATH anew. The hook into uvicorn has a use for the
        # second one itself.
        **({} if _HOOK in environment else {"PYTHONUSERBASE": environment.get("PYTHONUSERBASE", f"/.{base}")}),
        "PYTHONPATH": f"/.{folder}{f':{found}' if found else ''}",
        SOCKET: f"/.{socket.resolve()}",
        TOKENS: pattern,
    }


def _link_user_site(base: Path, folder: Path) -> None:
    """Make `folder` each version's own site-packages of the user.

    https://docs.python.org/3/library/site.html#site.USER_SITE
    """
    for minor in _MINORS:
        parent = base / "lib" / f"python3.{minor}"
        parent.mkdir(parents=True, exist_ok=True)
        (parent / "site-packages").unlink(missing_ok=True)
        (parent / "site-packages").symlink_to(folder)


class Probes:
    """Listens at `path` within `async with`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._server: asyncio.Server | None = None
        self._probes: dict[int, _Probe] = {}
        self._met = 0
        self.worked = 0.0
        """Processor time that looking has cost the processes inside, in seconds."""
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Raises OSError."""
        self._server = await asyncio.start_unix_server(self._serve, sock=bind_at(self._path), limit=_MAX_LINE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.close()
        for probe in list(self._probes.values()):
            probe.close()
        await asyncio.gather(*self._serving, return_exceptions=True)
        with contextlib.suppress(OSError):
            self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        self._met += 1
        number, probe = self._met, _Probe(reader, writer)
        try:
            if await probe.meet():
                self._probes[number] = probe
                await probe.gone.wait()
        finally:
            self._probes.pop(number, None)
            probe.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def look(self) -> dict[int, dict[str, Slot]]:
        """What the app's modules hold, by process."""
        answers = await self._ask("look")
        self.worked += sum(answer.get("worked", 0.0) for answer in answers.values())
        return {
            number: {name: _slot(fields) for name, fields in answer["slots"].items()}
            for number, answer in answers.items()
            if "slots" in answer
        }

    async def watch(self) -> bool:
        """Begin to watch event loops; whether there is one."""
        return any(answer.get("loop") for answer in (await self._ask("watch")).values())

    async def stop_watching(self) -> LoopDelays:
        """What was seen since `watch`, of all processes together."""
        delays: list[float] = []
        blocks: dict[str, tuple[float, ...]] = {}
        for answer in (await self._ask("stop")).values():
            delays += answer.get("delays", ())
            for place, took in answer.get("blocks", {}).items():
                blocks[place] = (*blocks.get(place, ()), *took)
        return LoopDelays(tuple(delays), blocks)

    async def _ask(self, what: str) -> dict[int, dict[str, Any]]:
        asked = list(self._probes.items())
        answers = await asyncio.gather(*(probe.ask(what) for _, probe in asked))
        return {number: answer for (number, _), answer in zip(asked, answers, strict=True) if answer is not None}


class _Probe:
    """One process. Asked one thing at a time; once it does not answer, it is gone for good."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.gone = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._asking = asyncio.Lock()

    async def meet(self) -> bool:
        return "hello" in (await self._read() or {})

    async def ask(self, what: str) -> dict[str, Any] | None:
        async with self._asking:
            if self.gone.is_set():
                return None
            self._writer.write(orjson.dumps({"do": what}) + b"\n")
            answer = await self._read()
        if answer is None:
            self.close()
        return answer

    async def _read(self) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                answer = orjson.loads(await self._reader.readline())
        except (TimeoutError, OSError, ValueError):  # it ended, or is no probe of ours
            return None
        return answer if isinstance(answer, dict) else None

    def close(self) -> None:
        self.gone.set()
        self._writer.close()


def _slot(fields: list[Any]) -> Slot:
    kind, type_name, identity, size, digest, tokens = fields
    return Slot(kind, type_name, identity, size, digest, tuple(tokens))
