"""Keeps what runs in step with what is kept: environments of published versions, and the Function URLs over them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from penstock.aws_api.functions.code import Archives
from penstock.aws_api.functions.host import Running
from penstock.aws_api.functions.public import is_public
from penstock.aws_api.functions.reading import Reader
from penstock.aws_api.functions.state import LATEST, LATEST_PUBLISHED, Record, State
from penstock.aws_api.service import ServiceError
from penstock.model.function import EventInvokeConfig, Function
from penstock.router import Router

_NOBODY: Final = Router()
"""Where a Function URL leads that has no published version: it refuses everything."""


class Lives:
    def __init__(self, state: State, archives: Archives, given_layers: Mapping[str, Path]) -> None:
        self.state = state
        self.reader = Reader(state, archives, given_layers)
        self._functions: dict[tuple[str, str], Function] = {}
        """Of what runs, by name and version."""

    # --- versions ---

    def run(self, record: Record) -> Running:
        """Begin to bring up a published version. Raises ServiceError."""
        config = record["config"]
        key = (config["FunctionName"], config["Version"])
        function = replace(self.reader.function(record), event_invoke=self._event_invoke(*key))
        before = self.state.running.get(key)
        running = self.state.running[key] = self.state.host.run(function)
        self._functions[key] = function
        if before is not None:
            before.retire()
        return running

    def adopt(self, function: Function, running: Running) -> None:
        """What somebody else brought up."""
        for version in {function.version, LATEST_PUBLISHED}:
            self.state.running[function.name, version] = running
            self._functions[function.name, version] = function

    def retire(self, name: str, version: str) -> None:
        """End a version's environments when their open requests are over."""
        self._functions.pop((name, version), None)
        running = self.state.running.pop((name, version), None)
        if running is not None:
            running.retire()

    def function(self, name: str, version: str, qualifier: str | None = None) -> Function | None:
        """The version as an invocation through `qualifier` sees it; None when it does not run."""
        found = self._functions.get((name, version))
        if found is None or qualifier in (None, version):
            return found
        own = self.state.event_invokes.get(f"{name}/{qualifier}")
        config = self.reader.event_invoke(name, own) if own else found.event_invoke
        return replace(found, alias=qualifier, event_invoke=config)

    def router(self, name: str, version: str) -> Router:
        running = self.state.running.get((name, version))
        return running.router if running else _NOBODY

    def refresh(self, name: str) -> None:
        """After asynchronous invocations were configured: what runs hears of it."""
        for (owner, version), function in list(self._functions.items()):
            if owner == name:
                config = self._event_invoke(owner, version)
                self._functions[owner, version] = replace(function, event_invoke=config)

    def _event_invoke(self, name: str, version: str) -> EventInvokeConfig:
        return self.reader.event_invoke(name, self.state.event_invokes.get(f"{name}/{version}"))

    # --- Function URLs ---

    def open_url(self, name: str, qualifier: str) -> None:
        """Serve a Function URL that is kept."""
        function, router = self._behind(name, qualifier)
        self.state.urls[name, qualifier] = self.state.host.open_url(function, router)

    def point_url(self, name: str, qualifier: str) -> None:
        """After the alias, the version behind it, or the URL's own settings changed."""
        url = self.state.urls.get((name, qualifier))
        if url is not None:
            url.point_at(*self._behind(name, qualifier))

    def close_url(self, name: str, qualifier: str) -> None:
        url = self.state.urls.pop((name, qualifier), None)
        if url is not None:
            url.remove()

    def _behind(self, name: str, qualifier: str) -> tuple[Function, Router]:
        version = self.state.version_behind(name, qualifier) or ""
        if version == LATEST:
            version = LATEST_PUBLISHED  # what an unqualified call reaches on Managed Instances
        config = self.reader.url_config(name, self.state.url_configs.get(f"{name}/{qualifier}")["shape"])
        policy = self.state.policies.get(f"{name}/{'' if qualifier == LATEST else qualifier}")
        config = replace(config, public=is_public(policy["statements"] if policy else ()))
        function = self.function(name, version) or self.reader.function(self.state.resolve(name, LATEST))
        alias = qualifier if qualifier not in (LATEST, version) else None
        if function.version == LATEST:
            function = replace(function, version=LATEST_PUBLISHED)
        return replace(function, alias=alias, url=config), self.router(name, version)

    # --- at the start ---

    def start(self) -> list[str]:
        """Bring everything up that is kept; what cannot be, and why, a line for each."""
        told = []
        for record in self.state.versions.values():
            config = record["config"]
            if config["Version"] == LATEST or config["FunctionName"] in self.state.adopted:
                continue
            try:
                self.run(record)
            except ServiceError as error:
                told.append(f"{config['FunctionName']}:{config['Version']} is not started: {error.message}")
        for key in self.state.url_configs.keys():  # noqa: SIM118 - a table, no dict
            name, _, qualifier = key.partition("/")
            if (name, qualifier) in self.state.urls:
                continue  # a template's: it is served
            try:
                self.open_url(name, qualifier)
            except ServiceError as error:
                told.append(f"the Function URL of {name}:{qualifier} is not served: {error.message}")
        return told
