"""CreateFunction and what else concerns a whole function or its `$LATEST`."""

from collections.abc import Mapping
from typing import Any

from penstock.aws_api.functions import shapes
from penstock.aws_api.functions.code import Archive, Archives, described
from penstock.aws_api.functions.configuration import changed, first_configuration
from penstock.aws_api.functions.errors import conflict, invalid, missing
from penstock.aws_api.functions.lives import Lives
from penstock.aws_api.functions.paging import page, paged
from penstock.aws_api.functions.publishing import Publishing
from penstock.aws_api.functions.state import LATEST, Record, State, check_revision, new_revision, version_key
from penstock.aws_api.service import Answer, Call, Operation
from penstock.invoke_api.function_names import read_function_name
from penstock.invoke_api.refusal import validation_error


class Functions:
    def __init__(self, state: State, archives: Archives, lives: Lives, publishing: Publishing) -> None:
        self._state = state
        self._archives = archives
        self._lives = lives
        self._publishing = publishing

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {
            "CreateFunction": self._create,
            "DeleteFunction": self._delete,
            "GetFunction": self._get,
            "GetFunctionConfiguration": self._get_configuration,
            "ListFunctions": self._list,
            "UpdateFunctionCode": self._update_code,
            "UpdateFunctionConfiguration": self._update_configuration,
        }

    async def _create(self, call: Call) -> Answer:
        state, params = self._state, call.params
        name = read_function_name(params["FunctionName"]).name
        self._check_new(name)
        config = first_configuration({**params, "FunctionName": name})
        archive = await self._archives.take(params["Code"])
        self._check_new(name)  # somebody else may have made it meanwhile
        config |= {"FunctionName": name, "FunctionArn": state.function_arn(name), "Version": LATEST}
        record = self._completed({"config": config, "code": archive.file}, archive)
        with state.store.transaction():
            state.versions.put(version_key(name, LATEST), record)
            state.functions.put(name, _function(state, params))
            published = self._publishing.publish_if_asked(name, params)
        if published is not None:
            return shapes.being_created(published)
        return shapes.being_created(shapes.listed(state, record, None))

    def _check_new(self, name: str) -> None:
        if name in self._state.functions:
            raise conflict(f"Function already exist: {name}")

    def _completed(self, record: Record, archive: Archive | None = None) -> Record:
        """With what follows from the rest. Raises ServiceError for what cannot run here."""
        state, config = self._state, dict(record["config"])
        if archive is not None:
            config |= described(archive)
        function = self._lives.reader.function({**record, "config": config})
        self._lives.reader.fill_in(config, function)
        config["LastModified"] = state.now()
        config["RevisionId"] = new_revision()
        return {**record, "config": config}

    def _get(self, call: Call) -> Answer:
        state = self._state
        name = state.read_name(call.params)
        record = state.resolve(name.name, name.qualifier)
        path = self._archives.path(record["code"]) if record.get("code") else None
        location = path.as_uri() if path else record["location"]
        answer: Answer = {
            "Configuration": shapes.whole(state, record, name.qualifier),
            "Code": {"RepositoryType": "FileSystem", "Location": location},
        }
        tags = state.functions.get(name.name)["tags"]
        return answer | ({"Tags": tags} if tags else {})

    def _get_configuration(self, call: Call) -> Answer:
        name = self._state.read_name(call.params)
        return shapes.whole(self._state, self._state.resolve(name.name, name.qualifier), name.qualifier)

    def _list(self, call: Call) -> Answer:
        state = self._state
        wanted = call.params.get("FunctionVersion")
        if wanted not in (None, "ALL"):
            raise validation_error("functionVersion", wanted, "Member must satisfy enum value set: [ALL]")
        records = [
            (f"{record['config']['FunctionName']} {key}", record)
            for key, record in state.versions.items()
            if wanted or record["config"]["Version"] == LATEST
        ]
        records.sort(key=lambda item: item[0])
        taken, marker = page(records, lambda item: item[0], call.params)
        # With ALL each one says in its ARN which it is.
        items = [shapes.listed(state, one, one["config"]["Version"] if wanted else None) for _, one in taken]
        return paged("Functions", items, marker)

    async def _update_code(self, call: Call) -> Answer:
        state, params = self._state, call.params
        name = self._own(call)
        before = self._latest(name)
        check_revision(before["config"], params)
        if params.get("ImageUri"):
            raise invalid("Please don't provide ImageUri when updating a function with packageType Zip.")
        archive = await self._archives.take(params)
        before = self._latest(name)
        check_revision(before["config"], params)
        config = dict(before["config"])
        if params.get("Architectures"):
            config["Architectures"] = list(params["Architectures"])
        record = self._completed({**before, "config": config, "code": archive.file}, archive)
        if params.get("DryRun"):
            return shapes.whole(state, record, None)
        return self._updated(name, record, params)

    def _update_configuration(self, call: Call) -> Answer:
        name = self._own(call)
        before = self._latest(name)
        check_revision(before["config"], call.params)
        config = changed(before["config"], call.params, name)
        return self._updated(name, self._completed({**before, "config": config}), {})

    def _updated(self, name: str, record: Record, params: Mapping[str, Any]) -> Answer:
        state = self._state
        with state.store.transaction():
            state.versions.put(version_key(name, LATEST), record)
            published = self._publishing.publish_if_asked(name, params)
        self._archives.sweep()
        return published or shapes.being_updated(shapes.whole(state, record, None))

    def _latest(self, name: str) -> Record:
        found = self._state.version(name, LATEST)
        if found is None:
            raise missing(f"Function not found: {self._state.function_arn(name)}")
        return found

    def _delete(self, call: Call) -> Answer:
        """With a qualifier only that version."""
        state = self._state
        name = state.read_name(call.params)
        state.check_own(name.name)
        if name.qualifier is None:
            self._delete_whole(name.name)
        else:
            self._publishing.delete(name.name, name.qualifier)
        self._archives.sweep()
        return {"StatusCode": 204}

    def _delete_whole(self, name: str) -> None:
        state, below = self._state, f"{name}/"
        versions = [record["config"]["Version"] for record in state.versions_of(name)]
        urls = [key.removeprefix(below) for key, _ in state.url_configs.items(below)]
        with state.store.transaction():
            for table in (state.versions, state.aliases, state.url_configs, state.policies, state.event_invokes):
                for key, _ in table.items(below):
                    table.delete(key)
            state.functions.delete(name)
        for qualifier in urls:
            self._lives.close_url(name, qualifier)
        for version in versions:
            self._lives.retire(name, version)

    def _own(self, call: Call) -> str:
        """The name of a function that may be changed here."""
        name = self._state.read_name(call.params)
        self._state.check_own(name.name)
        return name.name


def _function(state: State, params: Mapping[str, Any]) -> Record:
    return {"next": 1, "tags": dict(params.get("Tags") or {}), "created": state.clock.epoch()}
