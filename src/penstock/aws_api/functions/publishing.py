"""Versions: a copy of `$LATEST` that never changes, and the environments that run it."""

from collections.abc import Mapping
from typing import Any, Final

from penstock.aws_api.functions import shapes
from penstock.aws_api.functions.errors import conflict, invalid, missing
from penstock.aws_api.functions.lives import Lives
from penstock.aws_api.functions.paging import page, paged
from penstock.aws_api.functions.state import (
    LATEST,
    LATEST_PUBLISHED,
    Record,
    State,
    check_revision,
    new_revision,
    version_key,
)
from penstock.aws_api.service import Answer, Call, Operation, ServiceError

# What differs between versions that are otherwise the same.
_OWN: Final = ("FunctionArn", "Version", "RevisionId", "LastModified", "Description")
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-quotas.html
_MAX_VERSIONS_PER_PROVIDER: Final = 100


class Publishing:
    def __init__(self, state: State, lives: Lives) -> None:
        self._state = state
        self._lives = lives

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {"ListVersionsByFunction": self._list, "PublishVersion": self._publish}

    def publish_if_asked(self, name: str, params: Mapping[str, Any]) -> Record | None:
        """For CreateFunction and UpdateFunctionCode: the new version's configuration."""
        if not (params.get("Publish") or params.get("PublishTo")):
            return None
        return self._make(name, params.get("PublishTo"), None)

    def _publish(self, call: Call) -> Answer:
        state, params = self._state, call.params
        name = state.read_name(params).name
        state.check_own(name)
        latest = state.resolve(name, LATEST)
        check_revision(latest["config"], params)
        if params.get("CodeSha256") not in (None, latest["config"]["CodeSha256"]):
            told = f"CodeSHA256 ({params['CodeSha256']}) is different from current CodeSHA256 in $LATEST "
            raise invalid(f"{told}({latest['config']['CodeSha256']}). Please try again with the CodeSHA256 in $LATEST.")
        to = params.get("PublishTo")
        same = self._unchanged(name, latest) if to is None else None
        if same is not None:
            return shapes.whole(state, same, same["config"]["Version"])
        with state.store.transaction():
            return self._make(name, to, params.get("Description"))

    def _unchanged(self, name: str, latest: Record) -> Record | None:
        """The newest numbered version when `$LATEST` is still the same: AWS publishes no second one.

        https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
        """
        numbered = [one for one in self._state.versions_of(name) if one["config"]["Version"].isdigit()]
        if not numbered:
            return None
        newest: Record = numbered[-1]
        return newest if _content(newest) == _content(latest) else None

    def _make(self, name: str, to: str | None, description: str | None) -> Record:
        """Inside a transaction: when the version cannot run, nothing of it is kept."""
        state = self._state
        latest, function = state.resolve(name, LATEST), state.functions.get(name)
        version = LATEST_PUBLISHED if to else str(function["next"])
        there = state.version(name, version)
        if there is None:
            self._check_quota(latest)
        config = dict(latest["config"]) | {"Version": version, "RevisionId": new_revision()}
        config["FunctionArn"] = state.function_arn(name, version)
        config["LastModified"] = state.now()
        if description is not None:
            config["Description"] = description
        # The bounds of `$LATEST.PUBLISHED` carry over, a new number begins with the defaults.
        # https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-scaling.html
        scaling = there.get("scaling") if there else None
        record = {**latest, "config": config, "scaling": scaling}
        state.versions.put(version_key(name, version), record)
        if not to:
            state.functions.put(name, function | {"next": function["next"] + 1})
        self._lives.run(record)
        if there is None:
            return shapes.being_created(config)
        self._point_urls(name, version)
        return shapes.being_updated(shapes.whole(state, record, version))

    def _point_urls(self, name: str, version: str) -> None:
        """Whatever leads to a version that was replaced leads to the new one."""
        for key, _ in self._state.url_configs.items(f"{name}/"):
            qualifier = key.partition("/")[2]
            if self._state.version_behind(name, qualifier) in (version, LATEST):
                self._lives.point_url(name, qualifier)

    def _check_quota(self, latest: Record) -> None:
        def provider(record: Record) -> str:
            managed = record["config"]["CapacityProviderConfig"]["LambdaManagedInstancesCapacityProviderConfig"]
            return str(managed["CapacityProviderArn"])

        wanted = provider(latest)
        versions = (one for _, one in self._state.versions.items() if one["config"]["Version"] != LATEST)
        if sum(provider(one) == wanted for one in versions) >= _MAX_VERSIONS_PER_PROVIDER:
            message = f"{wanted} has {_MAX_VERSIONS_PER_PROVIDER} function versions, which is the most it can have"
            raise ServiceError("FunctionVersionsPerCapacityProviderLimitExceededException", message)

    def delete(self, name: str, qualifier: str) -> None:
        """A numbered version or `$LATEST.PUBLISHED`, when no alias leads there. Raises ServiceError."""
        state = self._state
        if qualifier == LATEST:
            raise invalid("$LATEST version cannot be deleted without deleting the function.")
        if not (qualifier.isdigit() or qualifier == LATEST_PUBLISHED):
            raise invalid("Deletion of aliases is not currently supported.")
        for _, alias in state.aliases.items(f"{name}/"):
            weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
            if qualifier == alias["FunctionVersion"] or qualifier in weights:
                arn, by = state.function_arn(name, qualifier), state.function_arn(name, alias["Name"])
                raise conflict(f"Unable to delete {arn}: it is referenced by the alias {by}")  # the text is assumed
        if state.versions.delete(version_key(name, qualifier)):
            state.event_invokes.delete(f"{name}/{qualifier}")
            state.policies.delete(f"{name}/{qualifier}")
            self._lives.retire(name, qualifier)

    def _list(self, call: Call) -> Answer:
        state = self._state
        name = state.read_name(call.params).name
        records = state.versions.items(f"{name}/")
        if not records:
            raise missing(f"Function not found: {state.function_arn(name)}")
        taken, marker = page(records, lambda item: item[0], call.params)
        items = [shapes.listed(state, one, one["config"]["Version"]) for _, one in taken]
        return paged("Versions", items, marker)


def _content(record: Record) -> tuple[Any, ...]:
    config = {key: value for key, value in record["config"].items() if key not in _OWN}
    return record.get("code"), config
