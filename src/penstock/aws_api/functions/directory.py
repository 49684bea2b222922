"""Who takes an invocation by name. Implements `invoke_api.directory.Directory`."""

import random
from collections.abc import Callable
from typing import Final

from penstock.aws_api.functions.lives import Lives
from penstock.aws_api.functions.state import LATEST, LATEST_PUBLISHED, State
from penstock.invoke_api.directory import Invocable
from penstock.invoke_api.refusal import RefusalError

# As observed on AWS: https://github.com/localstack/localstack (localstack-core, services/lambda_/invocation).
_NOT_LATEST: Final = (
    "Functions configured with capacity provider configuration can't be invoked with $LATEST qualifier. "
    "To invoke this function, specify a published version qualifier or $LATEST.PUBLISHED."
)
_NONE_PUBLISHED: Final = (
    "The function can't be invoked because no published version exists. For functions with capacity provider "
    "configuration, either publish a version to $LATEST.PUBLISHED, or specify a published version qualifier."
)


class FunctionDirectory:
    """`chance()` is from 0 to 1: it decides between the two versions of an alias."""

    def __init__(self, state: State, lives: Lives, chance: Callable[[], float] = random.random) -> None:
        self._state = state
        self._lives = lives
        self._chance = chance
        self._found: dict[tuple[str, str], Invocable] = {}

    def find(self, name: str, qualifier: str | None) -> Invocable | None:
        """Without a qualifier it is `$LATEST.PUBLISHED`: on AWS an unqualified call reaches a function on Managed
        Instances only by that slot.
        https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-getting-started.html
        Raises RefusalError for `$LATEST` itself, which takes no invocation there.
        """
        if qualifier is None or qualifier == LATEST:
            self._check_published(name, qualifier)
            qualifier = LATEST_PUBLISHED
        found = self._found.get((name, qualifier))
        return found or self._look(name, qualifier)

    def forget(self) -> None:
        """Something was changed. Until then what was found once is found again without reading the store."""
        self._found.clear()

    def _look(self, name: str, qualifier: str) -> Invocable | None:
        version, always = self._version(name, qualifier)
        function = self._lives.function(name, version, qualifier)
        if function is None:
            return None
        found = Invocable(function, self._lives.router(name, version), function.version)
        if always:
            self._found[name, qualifier] = found
        return found

    def _check_published(self, name: str, qualifier: str | None) -> None:
        if name not in self._state.functions:
            return
        if (name, LATEST_PUBLISHED) not in self._state.running:
            raise RefusalError(400, "NoPublishedVersionException", _NONE_PUBLISHED)
        if qualifier == LATEST:
            raise RefusalError(400, "InvalidParameterValueException", _NOT_LATEST)

    def _version(self, name: str, qualifier: str) -> tuple[str, bool]:
        """The version for this one invocation, and whether it is that for every one. Empty when there is none."""
        if qualifier == LATEST_PUBLISHED or qualifier.isdigit():
            return qualifier, True
        alias = self._state.aliases.get(f"{name}/{qualifier}")
        if alias is None:
            return "", False
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        for version, weight in weights.items():
            if self._chance() < weight:
                return str(version), False
        return str(alias["FunctionVersion"]), not weights
