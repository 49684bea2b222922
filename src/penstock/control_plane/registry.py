"""The functions that run, by name: what the API lists, and where an invocation by name goes. Pure."""

from dataclasses import dataclass
from typing import Final

from penstock.control_plane.scaling_config import Scalable
from penstock.invoke_api.directory import Invocable
from penstock.invoke_api.refusal import RefusalError
from penstock.model.function import CapacityProvider, Function
from penstock.router import Router

LATEST: Final = "$LATEST"
LATEST_PUBLISHED: Final = "$LATEST.PUBLISHED"

# As observed on AWS: https://github.com/localstack/localstack (localstack-core, services/lambda_/invocation).
_NOT_LATEST: Final = (
    "Functions configured with capacity provider configuration can't be invoked with $LATEST qualifier. "
    "To invoke this function, specify a published version qualifier or $LATEST.PUBLISHED."
)


@dataclass(frozen=True, slots=True)
class Registered:
    """One function that runs, in its one published version.

    `url` is the Function URL that answers here, `code_sha256` in base64 as AWS gives it, `code_size` in bytes of the
    deployment package, `last_modified` in epoch seconds.
    """

    function: Function
    router: Router
    url: str | None
    code_sha256: str
    code_size: int
    last_modified: float

    def version_of(self, qualifier: str) -> str | None:
        """The version behind a version number, an alias, `$LATEST` or `$LATEST.PUBLISHED`; None when there is none.

        The published version is also what `$LATEST.PUBLISHED` names, although AWS fills that slot only when told to
        (PublishToLatestPublished): here nothing else could be meant.
        """
        function = self.function
        if qualifier in (LATEST, LATEST_PUBLISHED):
            return qualifier
        return function.version if qualifier in (function.version, function.alias) else None


class Registry:
    """Implements `invoke_api.directory.Directory`."""

    def __init__(self) -> None:
        self._registered: dict[str, Registered] = {}
        self._scalable: dict[str, Scalable] = {}

    def add(
        self,
        function: Function,
        router: Router,
        *,
        url: str | None,
        code_sha256: str,
        code_size: int,
        last_modified: float,
    ) -> None:
        """Show a function, or what it has become."""
        self._registered[function.name] = Registered(function, router, url, code_sha256, code_size, last_modified)

    def add_scalable(self, name: str, scalable: Scalable) -> None:
        """Let the bounds of a function be read and changed."""
        self._scalable[name] = scalable

    def scalable(self, name: str) -> Scalable | None:
        return self._scalable.get(name)

    @property
    def functions(self) -> tuple[Registered, ...]:
        """In the order of their names."""
        return tuple(self._registered[name] for name in sorted(self._registered))

    def get(self, name: str) -> Registered | None:
        return self._registered.get(name)

    @property
    def capacity_providers(self) -> dict[str, tuple[CapacityProvider, float]]:
        """Those that hold functions, in the order of their names, with the moment each was made: before its first
        function, in epoch seconds.
        """
        found: dict[str, tuple[CapacityProvider, float]] = {}
        for registered in self.functions:
            provider = registered.function.capacity_provider
            _, made = found.get(provider.name, (provider, registered.last_modified))
            found[provider.name] = (provider, min(made, registered.last_modified))
        return dict(sorted(found.items()))

    def find(self, name: str, qualifier: str | None) -> Invocable | None:
        """Who takes an invocation of `name`.

        Without a qualifier that is `$LATEST.PUBLISHED`, and so the published version: on AWS an unqualified call
        reaches a function on Managed Instances only by that slot, and fails where it is empty.
        https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-getting-started.html
        Raises RefusalError for `$LATEST` itself, which takes no invocation there.
        """
        registered = self._registered.get(name)
        if registered is None:
            return None
        if qualifier == LATEST:
            raise RefusalError(400, "InvalidParameterValueException", _NOT_LATEST)
        if registered.version_of(qualifier or LATEST_PUBLISHED) is None:
            return None
        return Invocable(registered.function, registered.router, registered.function.version)
