"""Tags of anything, by its id: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from penstock.aws_api.ec2.errors import invalid_value, not_found
from penstock.aws_api.ec2.filters import Resource, member, select
from penstock.aws_api.ec2.paging import page
from penstock.aws_api.service import Answer, Call, Context, Operation, ServiceError
from penstock.aws_api.store import Store

_MAX_TAGS: Final = 50
_MAX_KEY: Final = 127
_MAX_VALUE: Final = 255
# What is here, by the beginnings of its ids: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTags.html
_TYPES: Final = {
    "vpc": "vpc",
    "subnet": "subnet",
    "sg": "security-group",
    "igw": "internet-gateway",
    "rtb": "route-table",
    "i": "instance",
}
_FILTERS: Final = {
    "key": member("Key"),
    "value": member("Value"),
    "resource-id": member("ResourceId"),
    "resource-type": member("ResourceType"),
}


class Tags:
    def __init__(self, store: Store) -> None:
        self._table = store.table("ec2.tag")

    def of(self, context: Context, resource_id: str) -> dict[str, str]:
        return dict(self._table.get(_key(context, resource_id)) or {})

    def set(self, context: Context, resource_id: str, tags: Mapping[str, str]) -> None:
        if tags:
            self._table.put(_key(context, resource_id), dict(tags))
        else:
            self._table.delete(_key(context, resource_id))

    def all(self, context: Context) -> list[tuple[str, dict[str, str]]]:
        prefix = _key(context, "")
        return [(key.removeprefix(prefix), row) for key, row in self._table.items(prefix)]

    def put_on(self, context: Context, resources: Iterable[Resource], id_name: str) -> list[Resource]:
        """The resources with their tags."""
        return [{**one, "Tags": tag_list(self.of(context, one[id_name])) + one.get("Tags", [])} for one in resources]


class TagOperations:
    """`known` tells the ids of all that can be tagged."""

    def __init__(self, store: Store, tags: Tags, known: Callable[[Context], Iterable[str]]) -> None:
        self._store = store
        self._tags = tags
        self._known = known
        self.operations: dict[str, Operation] = {
            "CreateTags": self.create,
            "DeleteTags": self.delete,
            "DescribeTags": self.describe,
        }

    def create(self, call: Call) -> Answer:
        with self._store.transaction():
            for resource_id in self._resources(call):
                before = self._tags.of(call.context, resource_id)
                self._tags.set(call.context, resource_id, merged(before, call.params["Tags"]))
        return {}

    def delete(self, call: Call) -> Answer:
        """Without Tags all of them go; one without a value goes whatever its value is."""
        asked = call.params.get("Tags") or []
        with self._store.transaction():
            for resource_id in self._resources(call):
                before = self._tags.of(call.context, resource_id)
                left = {key: value for key, value in before.items() if asked and not _is_meant(key, value, asked)}
                self._tags.set(call.context, resource_id, left)
        return {}

    def describe(self, call: Call) -> Answer:
        found: list[Resource] = [
            {"ResourceId": resource_id, "ResourceType": _TYPES[resource_id.partition("-")[0]], **tag}
            for resource_id, tags in self._tags.all(call.context)
            for tag in tag_list(tags)
        ]
        return page(select(found, call.params.get("Filters"), _FILTERS), call.params, "Tags")

    def _resources(self, call: Call) -> list[str]:
        """Raises InvalidID."""
        asked = list(call.params["Resources"])
        known = set(self._known(call.context))
        unknown = [one for one in asked if one not in known]
        if unknown:
            raise not_found("InvalidID", "ID", unknown)
        return asked


def merged(before: Mapping[str, str], tags: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Raises InvalidParameterValue, TagLimitExceeded."""
    result = dict(before)
    for tag in tags:
        key, value = tag.get("Key") or "", tag.get("Value") or ""
        if not 0 < len(key) <= _MAX_KEY or len(value) > _MAX_VALUE:
            raise invalid_value(f"Tag key or value is too long or empty: '{key}'")
        if key.lower().startswith("aws:"):
            raise invalid_value("Tag keys starting with 'aws:' are reserved for internal use")
        result[key] = value
    if len(result) > _MAX_TAGS:
        raise ServiceError("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
    return result


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def tags_specified(call: Call, resource_type: str) -> dict[str, str]:
    """Those of TagSpecifications. Raises InvalidParameterValue, TagLimitExceeded."""
    tags: dict[str, str] = {}
    for one in call.params.get("TagSpecifications") or ():
        if one.get("ResourceType") != resource_type:
            raise invalid_value(
                f"'{one.get('ResourceType')}' is not a valid taggable resource type for this operation."
            )
        tags = merged(tags, one.get("Tags") or ())
    return tags


def _is_meant(key: str, value: str, asked: Sequence[Mapping[str, Any]]) -> bool:
    return any(tag.get("Key") == key and tag.get("Value", value) == value for tag in asked)


def _key(context: Context, resource_id: str) -> str:
    return f"{context.account_id}/{context.region}/{resource_id}"
