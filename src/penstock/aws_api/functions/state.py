"""What Lambda keeps: records by name in the store, and beside them what runs of each version."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from penstock.aws_api.functions.errors import conflict, missing, precondition
from penstock.aws_api.functions.host import Host, PublicUrl, Running
from penstock.aws_api.service import Context, Dispatcher
from penstock.aws_api.store import Store, Table
from penstock.invoke_api.function_names import FunctionName, not_found, read_function_name
from penstock.model.clock import Clock

Record: TypeAlias = dict[str, Any]

LATEST: Final = "$LATEST"
LATEST_PUBLISHED: Final = "$LATEST.PUBLISHED"


@dataclass(slots=True, eq=False)
class State:
    """Records are plain JSON values. `host` runs what they say."""

    store: Store
    clock: Clock
    dispatcher: Dispatcher
    host: Host
    region: str
    account_id: str
    running: dict[tuple[str, str], Running] = field(default_factory=dict)
    """By function name and version."""
    urls: dict[tuple[str, str], PublicUrl] = field(default_factory=dict)
    """By function name and qualifier."""
    adopted: set[str] = field(default_factory=set)
    """Functions that somebody else made and looks after: the template's of `penstock up`."""

    functions: Table = field(init=False)
    """Name -> `{"next": the next version's number, "tags", "created"}`."""
    versions: Table = field(init=False)
    """`name/version` -> `{"config": a FunctionConfiguration without its state, "code": file, ...}`; see
    `version_key`."""
    aliases: Table = field(init=False)
    url_configs: Table = field(init=False)
    policies: Table = field(init=False)
    event_invokes: Table = field(init=False)
    layers: Table = field(init=False)
    providers: Table = field(init=False)

    def __post_init__(self) -> None:
        table = self.store.table
        self.functions = table("lambda.function")
        self.versions = table("lambda.version")
        self.aliases = table("lambda.alias")
        self.url_configs = table("lambda.url")
        self.policies = table("lambda.policy")
        self.event_invokes = table("lambda.event-invoke")
        self.layers = table("lambda.layer")
        self.providers = table("lambda.capacity-provider")

    # --- names ---

    def arn(self, kind: str, name: str) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account_id}:{kind}:{name}"

    def function_arn(self, name: str, qualifier: str | None = None) -> str:
        return self.arn("function", f"{name}:{qualifier}" if qualifier else name)

    def read_name(self, params: Mapping[str, Any]) -> FunctionName:
        """FunctionName and Qualifier of a request, for a function that is here. Raises RefusalError."""
        name = read_function_name(params["FunctionName"], params.get("Qualifier"))
        here = name.region in (None, self.region) and name.account in (None, self.account_id)
        if not here or name.name not in self.functions:
            raise not_found(name, name.region or self.region, name.account or self.account_id)
        return name

    def check_own(self, name: str) -> None:
        """Raises ServiceError for a function that is somebody else's to change."""
        if name in self.adopted:
            raise conflict(f"{name} is run from a template by penstock up: change it there")

    # --- versions ---

    def version(self, name: str, version: str) -> Record | None:
        found: Record | None = self.versions.get(version_key(name, version))
        return found

    def versions_of(self, name: str) -> list[Record]:
        """`$LATEST` first, then `$LATEST.PUBLISHED`, then by number."""
        return [record for _, record in self.versions.items(f"{name}/")]

    def resolve(self, name: str, qualifier: str | None) -> Record:
        """The version behind `$LATEST`, a number or an alias. Raises ServiceError."""
        found = self.version(name, self.version_behind(name, qualifier or LATEST) or "")
        if found is None:
            raise missing(f"Function not found: {self.function_arn(name, qualifier)}")
        return found

    def version_behind(self, name: str, qualifier: str) -> str | None:
        if qualifier in (LATEST, LATEST_PUBLISHED) or qualifier.isdigit():
            return qualifier
        alias = self.aliases.get(f"{name}/{qualifier}")
        return str(alias["FunctionVersion"]) if alias else None

    # --- moments ---

    def now(self) -> str:
        """As FunctionConfiguration writes it: `2026-11-23T10:20:30.456+0000`."""
        return moment(self.clock.epoch(), "milliseconds").removesuffix("Z") + "+0000"

    def context(self) -> Context:
        """For calls of our own."""
        return Context(self.region, self.account_id, str(uuid.uuid4()), "")


def version_key(name: str, version: str) -> str:
    """Numbers in the order of numbers, after `$LATEST`."""
    return f"{name}/{int(version):010}" if version.isdigit() else f"{name}/{version}"


def new_revision() -> str:
    return str(uuid.uuid4())


def check_revision(record: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    """Raises PreconditionFailedException when the caller knew another revision."""
    if params.get("RevisionId") not in (None, record["RevisionId"]):
        raise precondition()


def moment(epoch: float, precision: str = "microseconds") -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec=precision).removesuffix("+00:00") + "Z"
