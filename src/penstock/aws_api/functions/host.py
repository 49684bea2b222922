"""The port to who runs published versions and serves Function URLs."""

from typing import Protocol

from penstock.control_plane.scaling_config import Scalable
from penstock.model.function import CapacityProvider, Function
from penstock.router import Router


class Running(Protocol):
    """One published version, from the moment it was asked for."""

    @property
    def router(self) -> Router:
        """It has no target until environments are ready."""

    @property
    def state(self) -> str:
        """In AWS's words: Pending, Active, Deactivating, Deactivated, Failed."""

    @property
    def reason(self) -> tuple[str, str] | None:
        """StateReasonCode and StateReason of a version that is not Active."""

    @property
    def scalable(self) -> Scalable: ...

    def retire(self) -> None:
        """Take no more requests, let the open ones end, and end the environments. It returns at once."""


class PublicUrl(Protocol):
    """One Function URL as it is served."""

    @property
    def address(self) -> str:
        """`http://...:4566/`"""

    def point_at(self, function: Function, router: Router) -> None:
        """From the next request on: the version and the settings of `function`. Open requests go on where they are."""

    def remove(self) -> None:
        """Whoever asks from now on hears that there is no such URL."""


class Host(Protocol):
    def run(self, function: Function) -> Running:
        """Begin to bring up the environments of a version."""

    def configure(self, provider: CapacityProvider) -> None:
        """A capacity provider says something else from now on."""

    def open_url(self, function: Function, router: Router) -> PublicUrl:
        """Serve a Function URL; `function.url` says how."""
